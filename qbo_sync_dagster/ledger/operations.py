"""Operations: what QuickBooks still lacks, at most one open per (realm, kind, record)."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import insert

from qbo_sync_dagster.domain.operation_kinds import LINKED_AS
from qbo_sync_dagster.ledger.tables import OPEN_OPERATION_STATES, links, operations, postings

# The reason of an operation that staff have queued again.
RETRIED = "retried"


@dataclass(frozen=True, slots=True)
class Operation:
    """One outbound change. `faults` counts definite refusals, `attempt` sends.

    `detail` is what was decided about this one send when it was filed.
    """

    operation_id: int
    kind: str
    record_id: str
    label: str
    state: str
    generation: int
    attempt: int
    faults: int
    fingerprint: str | None
    next_attempt_at: datetime | None
    reason: str | None
    reason_code: str | None
    detail: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class NewOperation:
    """An operation to queue; `label` is what people call the record."""

    kind: str
    record_id: str
    label: str
    fingerprint: str | None = None
    generation: int = 1
    detail: Mapping[str, Any] = field(default_factory=dict)


def queue(connection: sa.Connection, realm: str, new: Sequence[NewOperation]) -> int:
    """Queue operations; one that is open already stays as it is. Returns how many are new.

    Attempts are counted on from earlier operations on the record: QuickBooks would answer a used
    request id with what became of that older send.
    """
    queued = 0
    for start in range(0, len(new), 1000):
        chunk = new[start : start + 1000]
        attempts = _next_attempts(connection, realm, [item.record_id for item in chunk])
        rows = [
            {
                "realm": realm,
                "kind": item.kind,
                "record_id": item.record_id,
                "label": item.label,
                "fingerprint": item.fingerprint,
                "generation": item.generation,
                "detail": dict(item.detail),
                "attempt": attempts.get((item.kind, item.record_id), 1),
            }
            for item in chunk
        ]
        statement = insert(operations).on_conflict_do_nothing()
        made = connection.execute(statement.returning(operations.c.operation_id), rows)
        queued += len(made.all())
    return queued


def open_ones(
    connection: sa.Connection,
    realm: str,
    kind: str | Collection[str] | None = None,
    *,
    reason_code: str | None = None,
    after: int = 0,
    limit: int | None = None,
) -> list[Operation]:
    """Open operations in the order they were queued, by id above `after`.

    With a `reason_code` only those that wait for that reason.
    """
    where: list[sa.ColumnElement[bool]] = [
        operations.c.state.in_(OPEN_OPERATION_STATES),
        operations.c.operation_id > after,
    ]
    if kind is not None:
        where.append(_of_kind(kind))
    if reason_code is not None:
        where.append(operations.c.reason_code == reason_code)
    return _operations(connection, realm, *where, limit=limit)


def with_open_ones(
    connection: sa.Connection,
    realm: str,
    kind: str | Collection[str],
    record_ids: Collection[str],
) -> set[str]:
    """Those of the records that have an open operation of the kind, or of one of the kinds."""
    rows = connection.execute(
        sa.select(operations.c.record_id).where(
            operations.c.realm == realm,
            _of_kind(kind),
            operations.c.state.in_(OPEN_OPERATION_STATES),
            operations.c.record_id == sa.any_(sa.literal(list(record_ids), sa.ARRAY(sa.Text))),
        )
    )
    return set(rows.scalars())


def of_record(
    connection: sa.Connection, realm: str, kind: str | Collection[str], record_id: str
) -> list[Operation]:
    """The open operations of one record: one of each kind at most."""
    return _operations(
        connection,
        realm,
        _of_kind(kind),
        operations.c.record_id == record_id,
        operations.c.state.in_(OPEN_OPERATION_STATES),
    )


def being_made_anew(connection: sa.Connection, realm: str, kinds: Collection[str]) -> set[str]:
    """Records with an open operation of these kinds that makes more than their first object."""
    rows = connection.execute(
        sa.select(operations.c.record_id).where(
            operations.c.realm == realm,
            _of_kind(kinds),
            operations.c.state.in_(OPEN_OPERATION_STATES),
            operations.c.generation > 1,
        )
    )
    return set(rows.scalars())


def on_documents(
    connection: sa.Connection, realm: str, kinds: Collection[str], document_ids: Collection[str]
) -> set[str]:
    """Those of the documents that an operation of these kinds, on its way, takes something off.

    A payment stands on its invoice, a credit application on its invoice and its note. What failed
    or is held is not on its way.
    """
    wanted = sa.any_(sa.literal(list(document_ids), sa.ARRAY(sa.Text)))
    stands_on = (
        links.c.invoice_id,
        links.c.shown["invoice_id"].astext,
        links.c.shown["note_id"].astext,
    )
    rows = connection.execute(
        sa.select(*stands_on)
        .join(
            operations,
            sa.and_(
                operations.c.realm == links.c.realm, operations.c.record_id == links.c.algapsa_id
            ),
        )
        .where(
            operations.c.realm == realm,
            _of_kind(kinds),
            operations.c.state.in_(["queued", "posting"]),
            sa.or_(*[column == wanted for column in stands_on]),
        )
    )
    return {document for row in rows for document in row} & set(document_ids)


def due(
    connection: sa.Connection,
    realm: str,
    kinds: Collection[str],
    *,
    after: int = 0,
    limit: int = 300,
    record_ids: Collection[str] | None = None,
) -> list[Operation]:
    """Queued operations of these kinds whose time has come, by id above `after`.

    With `record_ids` only those of these records.
    """
    of_records = [] if record_ids is None else [operations.c.record_id.in_(list(record_ids))]
    return _operations(
        connection,
        realm,
        _of_kind(kinds),
        *of_records,
        operations.c.state == "queued",
        operations.c.operation_id > after,
        sa.or_(
            operations.c.next_attempt_at.is_(None),
            operations.c.next_attempt_at <= sa.text("ledger_now()"),
        ),
        limit=limit,
    )


def claim(connection: sa.Connection, operation_ids: Collection[int]) -> set[int]:
    """Those that may be sent now, locked until the transaction ends.

    Staff may have linked a record since its operation was read; a second object would be made.
    """
    _lock(connection, operations.c.operation_id == _any_id(operation_ids))
    # A statement of its own, so that it sees what was committed while the locks were awaited.
    linked = sa.or_(*[_is_linked(state) for state in ("live", "accepted")])
    rows = connection.execute(
        sa.select(operations.c.operation_id).where(
            operations.c.operation_id == _any_id(operation_ids),
            operations.c.state == "queued",
            ~linked,
        )
    )
    return set(rows.scalars())


def _is_linked(state: str) -> sa.ColumnElement[bool]:
    # Each state has an index of its own. One whose loss was accepted is never made again by itself.
    return sa.exists().where(
        links.c.realm == operations.c.realm,
        links.c.kind == sa.case(LINKED_AS, value=operations.c.kind),
        links.c.algapsa_id == operations.c.record_id,
        links.c.state == state,
    )


def being_posted(
    connection: sa.Connection, realm: str, kind: str, record_ids: Collection[str]
) -> set[str]:
    """Those of the records that are sent right now, or whose answer never came.

    None of the others can be sent before the transaction ends.
    """
    of_records = sa.and_(
        operations.c.realm == realm,
        operations.c.kind == kind,
        operations.c.record_id == sa.any_(sa.literal(list(record_ids), sa.ARRAY(sa.Text))),
    )
    _lock(connection, of_records)
    rows = connection.execute(
        sa.select(operations.c.record_id).where(of_records, operations.c.state == "posting")
    )
    return set(rows.scalars())


def _of_kind(kind: str | Collection[str]) -> sa.ColumnElement[bool]:
    if isinstance(kind, str):
        return operations.c.kind == kind
    return operations.c.kind.in_(list(kind))


def _lock(connection: sa.Connection, where: sa.ColumnElement[bool]) -> None:
    connection.execute(
        sa.select(operations.c.operation_id)
        .where(where, operations.c.state.in_(OPEN_OPERATION_STATES))
        .order_by(operations.c.operation_id)
        .with_for_update()
    )


def _any_id(operation_ids: Collection[int]) -> sa.CollectionAggregate[Any]:
    return sa.any_(sa.literal(list(operation_ids), sa.ARRAY(sa.BigInteger)))


def change(
    connection: sa.Connection,
    operation_ids: Collection[int],
    state: str,
    *,
    reason: str | None = None,
    reason_code: str | None = None,
    next_attempt_at: datetime | None = None,
    more_attempts: int = 0,
    more_faults: int = 0,
    fingerprint: str | None = None,
) -> None:
    """Move open operations to a state, with why, in words and as a code."""
    if not operation_ids:
        return
    values = {
        "state": state,
        "reason": reason,
        "reason_code": reason_code,
        "next_attempt_at": next_attempt_at,
        "attempt": operations.c.attempt + more_attempts,
        "faults": operations.c.faults + more_faults,
        "changed_at": sa.text("ledger_now()"),
    }
    if fingerprint is not None:
        values["fingerprint"] = fingerprint
    connection.execute(
        sa.update(operations)
        .where(
            operations.c.operation_id == _any_id(operation_ids),
            # Staff may have withdrawn it since it was read: what is closed stays closed.
            operations.c.state.in_(OPEN_OPERATION_STATES),
        )
        .values(values)
    )


def of_records(
    connection: sa.Connection, realm: str, records: Mapping[str, str], *, lock: bool = False
) -> list[Operation]:
    """The open operations of these kinds, each on the record given for it.

    With `lock` nobody else moves them until the transaction ends.
    """
    if not records:
        return []
    where = sa.and_(
        operations.c.realm == realm,
        sa.tuple_(operations.c.kind, operations.c.record_id).in_(list(records.items())),
        operations.c.state.in_(OPEN_OPERATION_STATES),
    )
    if lock:
        _lock(connection, where)
    return _operations(connection, realm, where)


def revive(connection: sa.Connection, operation_ids: Collection[int]) -> None:
    """Queue operations again whose cause was fixed: earlier refusals count no more."""
    if not operation_ids:
        return
    change(connection, operation_ids, "queued")
    connection.execute(
        sa.update(operations)
        .where(operations.c.operation_id == _any_id(operation_ids))
        .values(faults=0)
    )


def redetail(connection: sa.Connection, operation_id: int, detail: Mapping[str, Any]) -> None:
    """Queue a waiting operation again with what staff decided about it."""
    revive(connection, [operation_id])
    connection.execute(
        sa.update(operations)
        .where(operations.c.operation_id == operation_id)
        .values(detail=dict(detail))
    )


def bump(connection: sa.Connection, operation_id: int) -> None:
    """The next send is another attempt with another request id; this one cost nothing."""
    connection.execute(
        sa.update(operations)
        .where(operations.c.operation_id == operation_id)
        .values(attempt=operations.c.attempt + 1)
    )


def remember(connection: sa.Connection, operation_id: int, fingerprint: str) -> None:
    """Keep what was refused, so that a changed document is tried again by itself."""
    connection.execute(
        sa.update(operations)
        .where(operations.c.operation_id == operation_id)
        .values(fingerprint=fingerprint)
    )


def counts(connection: sa.Connection, realm: str) -> dict[str, int]:
    """How many open operations stand in each state."""
    rows = connection.execute(
        sa.select(operations.c.state, sa.func.count())
        .where(operations.c.realm == realm, operations.c.state.in_(OPEN_OPERATION_STATES))
        .group_by(operations.c.state)
    )
    return dict.fromkeys(OPEN_OPERATION_STATES, 0) | dict(rows.tuples().all())


def _next_attempts(
    connection: sa.Connection, realm: str, record_ids: Collection[str]
) -> dict[tuple[str, str], int]:
    """The first attempt, by kind and record, that no send has used yet."""
    # A refusal and a proven absence have counted the attempt on already; these have not.
    used = sa.exists().where(
        postings.c.operation_id == operations.c.operation_id,
        postings.c.state.in_(["sent", "done", "orphan"]),
    )
    rows = connection.execute(
        sa.select(
            operations.c.kind,
            operations.c.record_id,
            sa.func.max(operations.c.attempt + sa.cast(used, sa.Integer)),
        )
        .where(
            operations.c.realm == realm,
            operations.c.record_id == sa.any_(sa.literal(list(record_ids), sa.ARRAY(sa.Text))),
        )
        .group_by(operations.c.kind, operations.c.record_id)
    )
    return {(kind, record_id): attempt for kind, record_id, attempt in rows}


def _operations(
    connection: sa.Connection,
    realm: str,
    *where: sa.ColumnElement[bool],
    limit: int | None = None,
) -> list[Operation]:
    query = (
        sa.select(*[operations.c[name] for name in Operation.__slots__])
        .where(operations.c.realm == realm, *where)
        .order_by(operations.c.operation_id)
        .limit(limit)
    )
    return [Operation(*row) for row in connection.execute(query)]
