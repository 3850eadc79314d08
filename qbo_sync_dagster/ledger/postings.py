"""Postings: each write to QuickBooks, committed here with its exact body before it is sent.

A posting in the state `sent` has no answer yet: whether the object exists is in doubt.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal

import sqlalchemy as sa

from qbo_sync_dagster.ledger.tables import connections, operations, postings

Verb = Literal["create", "update", "void", "delete"]


@dataclass(frozen=True, slots=True)
class NewPosting:
    """A write about to be sent; `identity` is what recognises its object in QuickBooks."""

    operation_id: int
    request_id: str
    entity: str
    verb: Verb
    body: bytes
    identity: dict[str, Any]
    batch_id: str | None = None
    item_id: str | None = None
    position: int = 0


@dataclass(frozen=True, slots=True)
class Posting:
    """A stored posting with the operation it belongs to."""

    posting_id: int
    operation_id: int
    request_id: str
    batch_id: str | None
    item_id: str | None
    position: int
    entity: str
    verb: Verb
    body: bytes
    identity: dict[str, Any]
    state: str
    first_sent_at: datetime
    sent_at: datetime
    kind: str
    record_id: str
    label: str
    generation: int


def record(connection: sa.Connection, realm: str, new: Sequence[NewPosting]) -> None:
    """Store postings and mark their operations as being posted."""
    connection.execute(
        sa.insert(postings),
        [
            {
                "realm": realm,
                "operation_id": posting.operation_id,
                "request_id": posting.request_id,
                "entity": posting.entity,
                "verb": posting.verb,
                "body": posting.body,
                "identity": posting.identity,
                "batch_id": posting.batch_id,
                "item_id": posting.item_id,
                "position": posting.position,
            }
            for posting in new
        ],
    )
    _mark_posting(connection, [posting.operation_id for posting in new])


def resend(connection: sa.Connection, posting_ids: Collection[int]) -> None:
    """Note that unanswered postings are sent once more, with the same request ids."""
    connection.execute(
        sa.update(postings)
        .where(postings.c.posting_id.in_(list(posting_ids)), postings.c.state == "sent")
        .values(sent_at=sa.text("ledger_now()"))
    )


def answer(
    connection: sa.Connection,
    realm: str,
    request_id: str,
    state: str,
    *,
    quickbooks_id: str | None = None,
    code: str | None = None,
    detail: str | None = None,
    intuit_tid: str | None = None,
) -> bool:
    """Record a posting's answer: done, refused, absent (proven never to have arrived) or orphan.

    False if it was answered before.
    """
    result = connection.execute(
        sa.update(postings)
        .where(
            postings.c.realm == realm,
            postings.c.request_id == request_id,
            postings.c.state == "sent",
        )
        .values(
            state=state,
            quickbooks_id=quickbooks_id,
            code=code,
            detail=(detail or "")[:2000] or None,
            intuit_tid=intuit_tid,
            answered_at=sa.text("ledger_now()"),
        )
    )
    return bool(result.rowcount)


def carried_out(
    connection: sa.Connection, realm: str, done: Sequence[tuple[str, str, str | None]]
) -> None:
    """Record the answer "done" for many at once: (request id, QuickBooks id, intuit_tid)."""
    request_ids, quickbooks_ids, tids = zip(*done, strict=True)
    told = (
        sa.func.unnest(
            *(
                sa.literal(list(column), sa.ARRAY(sa.Text))
                for column in (request_ids, quickbooks_ids, tids)
            )
        )
        .table_valued("request_id", "quickbooks_id", "intuit_tid")
        .render_derived(name="told")
    )
    connection.execute(
        sa.update(postings)
        .where(
            postings.c.realm == realm,
            postings.c.request_id == told.c.request_id,
            postings.c.state == "sent",
        )
        .values(
            state="done",
            quickbooks_id=told.c.quickbooks_id,
            intuit_tid=told.c.intuit_tid,
            answered_at=sa.text("ledger_now()"),
        )
    )


def count_answers(connection: sa.Connection, operation_id: int, code: str) -> int:
    """How many postings of an operation were closed with this code."""
    counted: int = connection.execute(
        sa.select(sa.func.count())
        .select_from(postings)
        .where(postings.c.operation_id == operation_id, postings.c.code == code)
    ).scalar_one()
    return counted


def last_identity(connection: sa.Connection, operation_id: int) -> dict[str, Any] | None:
    """What recognises the object of an operation's newest send; None if nothing was sent."""
    found: dict[str, Any] | None = connection.execute(
        sa.select(postings.c.identity)
        .where(postings.c.operation_id == operation_id)
        .order_by(postings.c.posting_id.desc())
        .limit(1)
    ).scalar_one_or_none()
    return found


def unanswered(connection: sa.Connection, realm: str) -> list[Posting]:
    """Postings in doubt, oldest first."""
    own = [postings.c[name] for name in Posting.__slots__ if name in postings.c and name != "kind"]
    rows = connection.execute(
        sa.select(
            *own,
            operations.c.kind,
            operations.c.record_id,
            operations.c.label,
            operations.c.generation,
        )
        .join(operations, operations.c.operation_id == postings.c.operation_id)
        .where(postings.c.realm == realm, postings.c.state == "sent")
        .order_by(postings.c.posting_id)
    )
    return [Posting(**{**row, "body": bytes(row["body"])}) for row in rows.mappings()]


def records_in_doubt(
    connection: sa.Connection, tenant: str, record_ids: Collection[str]
) -> set[str]:
    """Those of the records that were sent to a company of the tenant and may stand there."""
    rows = connection.execute(
        sa.select(operations.c.record_id)
        .join(postings, postings.c.operation_id == operations.c.operation_id)
        .join(connections, connections.c.realm == operations.c.realm)
        .where(
            connections.c.tenant == tenant,
            postings.c.state.in_(("sent", "orphan")),
            operations.c.record_id == sa.any_(sa.literal(list(record_ids), sa.ARRAY(sa.Text))),
        )
    )
    return set(rows.scalars())


def batch_sizes(
    connection: sa.Connection, realm: str, batch_ids: Collection[str]
) -> dict[str, int]:
    """How many items each batch was sent with."""
    rows = connection.execute(
        sa.select(postings.c.batch_id, sa.func.count())
        .where(postings.c.realm == realm, postings.c.batch_id.in_(list(batch_ids)))
        .group_by(postings.c.batch_id)
    )
    return {batch_id: count for batch_id, count in rows if batch_id is not None}


def _mark_posting(connection: sa.Connection, operation_ids: Collection[int]) -> None:
    connection.execute(
        sa.update(operations)
        .where(operations.c.operation_id.in_(list(operation_ids)))
        .values(state="posting", changed_at=sa.text("ledger_now()"))
    )
