"""The memory of request ids: a repeat gets the first answer and does nothing.

Belongs here: remembering answers. Does not: what is answered.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta

from psycopg2.extras import execute_values

from qbo_sync_dagster.sandbox.quickbooks.books import Books
from qbo_sync_dagster.sandbox.quickbooks.faults import fault

LONGEST, LONGEST_OF_BATCH, LONGEST_ITEM = 50, 36, 10

_LOAD = """
SELECT request_id, status, body FROM answered_request
WHERE realm = %s AND request_id = ANY(%s) AND answered_at > %s
"""
_STORE = """
INSERT INTO answered_request (realm, request_id, status, body, answered_at) VALUES %s
ON CONFLICT (realm, request_id) DO UPDATE SET
    status = excluded.status, body = excluded.body, answered_at = excluded.answered_at
"""


@dataclass(frozen=True, slots=True)
class Remembered:
    """An answer that was given before."""

    status: int
    body: str


def check_length(request_id: str, longest: int = LONGEST) -> None:
    """Raises 2130 for an id that is too long."""
    if len(request_id) > longest:
        raise fault("2130", f"The request id must not be longer than {longest} characters")


def recall(books: Books, request_ids: Sequence[str]) -> dict[str, Remembered]:
    """The answers remembered under these ids."""
    oldest = books.now - timedelta(seconds=books.switches.requestid_retention_seconds)
    books.cursor.execute(_LOAD, (books.realm.id, list(request_ids), oldest))
    return {name: Remembered(status, body) for name, status, body in books.cursor.fetchall()}


def remember(books: Books, answers: Mapping[str, Remembered]) -> None:
    """Keep these answers; refusals only where the company is set to replay them."""
    rows = [
        (books.realm.id, name, answer.status, answer.body, books.now)
        for name, answer in answers.items()
        if answer.status == 200 or books.switches.replay_faults
    ]
    if rows:
        execute_values(books.cursor, _STORE, rows)
