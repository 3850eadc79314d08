"""The log of calls: what tests count and what Intuit would meter.

Belongs here: writing and summing up calls. Does not: deciding about them.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from qbo_sync_dagster.sandbox.quickbooks.storage import Cursor
from qbo_sync_dagster.sandbox.quickbooks.wire import Json

_INSERT = """
INSERT INTO call (realm, kind, entity, request_id, items, metered, bytes_in, bytes_out, status, at)
VALUES (%s, %s, %s, %s, %s, %s, %s, %s, %s, %s)
"""
_LIST = """
SELECT kind, entity, request_id, items, metered, bytes_in, bytes_out, status, at FROM call
WHERE realm = %s ORDER BY id
"""
_NAMES = (
    "kind",
    "entity",
    "request_id",
    "items",
    "metered",
    "bytes_in",
    "bytes_out",
    "status",
    "at",
)


@dataclass(frozen=True, slots=True)
class LoggedCall:
    """One call. A status of 0 means that the connection was closed without an answer."""

    realm: str
    kind: str
    entity: str
    request_id: str
    items: int
    metered: int
    bytes_in: int
    bytes_out: int
    status: int
    at: datetime


def log(cursor: Cursor, call: LoggedCall) -> None:
    """Write the call down."""
    cursor.execute(
        _INSERT,
        (
            call.realm,
            call.kind,
            call.entity,
            call.request_id,
            call.items,
            call.metered,
            call.bytes_in,
            call.bytes_out,
            call.status,
            call.at,
        ),
    )


def listed(cursor: Cursor, realm: str) -> list[Json]:
    """All calls of a company, oldest first."""
    cursor.execute(_LIST, (realm,))
    rows = [dict(zip(_NAMES, row, strict=True)) for row in cursor.fetchall()]
    return [{**row, "at": row["at"].isoformat()} for row in rows]


def forget(cursor: Cursor, realm: str) -> None:
    """Start counting anew."""
    cursor.execute("DELETE FROM call WHERE realm = %s", (realm,))
