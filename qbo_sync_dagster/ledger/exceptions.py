"""Exceptions: at most one open per (realm, kind, record), each with its cause and cure."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import insert

from qbo_sync_dagster.domain.catalogue import CATALOGUE, ExceptionKind
from qbo_sync_dagster.domain.exception_record import ExceptionRecord
from qbo_sync_dagster.ledger.tables import connections, exceptions


@dataclass(frozen=True, slots=True)
class StoredException:
    """An exception as staff see it. `number` is what they name in an action."""

    number: int
    realm: str
    kind: str
    record: str
    state: str
    title: str
    what_happened: str
    how_to_resolve: str
    records: list[dict[str, str]]
    amounts: dict[str, int]
    actions: list[str]
    version: str
    first_seen: datetime
    last_seen: datetime
    count: int
    assignee: str
    closed_at: datetime | None
    closed_by: str | None
    close_reason: str | None


_TOLD = (
    *("kind", "record", "title", "what_happened", "how_to_resolve"),
    *("records", "amounts", "actions", "version"),
)
_NEW = insert(exceptions)
_RAISE = _NEW.on_conflict_do_update(
    index_elements=["realm", "kind", "record"],
    index_where=exceptions.c.state == "open",
    set_={name: _NEW.excluded[name] for name in _TOLD}
    | {"count": exceptions.c.count + 1, "last_seen": sa.text("ledger_now()")},
).returning(exceptions.c.count)


def raise_all(connection: sa.Connection, realm: str, raised: Sequence[ExceptionRecord]) -> int:
    """Open or refresh exceptions; returns how many were not open before.

    A repeat counts up. One that staff dismissed for this very version stays dismissed, and one
    that is open for another version of that record is closed: it no longer stands.
    """
    if not raised:
        return 0
    dismissed = dismissed_versions(connection, realm, {record.kind for record in raised})
    judged = [record for record in raised if _key(record) in dismissed]
    for record in judged:
        reason = "The record is as it was when this was dismissed."
        resolve(connection, realm, [record.kind], [record.record], reason)
    # One statement can't meet the same row twice.
    fresh = {
        (record.kind, record.record): record for record in raised if _key(record) not in dismissed
    }
    if not fresh:
        return 0
    assignee = connection.execute(
        sa.select(connections.c.assignee).where(connections.c.realm == realm)
    ).scalar_one()
    rows = [{"realm": realm, "assignee": assignee} | _told(record) for record in fresh.values()]
    return sum(count == 1 for count in connection.execute(_RAISE, rows).scalars())


def resolve(
    connection: sa.Connection,
    realm: str,
    kinds: Collection[ExceptionKind],
    records: Collection[str],
    reason: str,
    by: str = "sync",
) -> int:
    """Close open exceptions of these kinds on these records; their cause went away."""
    if not records:
        return 0
    named = exceptions.c.record == sa.any_(sa.literal(list(records), sa.ARRAY(sa.Text)))
    return _close(connection, realm, kinds, named, reason, by)


def resolve_others(
    connection: sa.Connection,
    realm: str,
    kinds: Collection[ExceptionKind],
    still: Collection[str],
    reason: str,
) -> int:
    """Close open exceptions of these kinds whose record is not among those that still stand."""
    others = sa.not_(exceptions.c.record == sa.any_(sa.literal(list(still), sa.ARRAY(sa.Text))))
    return _close(connection, realm, kinds, others, reason, "sync")


def resolve_unless_raised(
    connection: sa.Connection,
    realm: str,
    kinds: Collection[ExceptionKind],
    raised: Collection[ExceptionRecord],
    reason: str,
    *,
    records: Collection[str] | None = None,
) -> int:
    """Close open exceptions of these kinds that were not raised again, each kind on its record.

    With `records` only those on one of them.
    """
    if records is not None and not records:
        return 0
    # One value for all, so that the statement stays the same however many there are.
    still = [f"{each.kind} {each.record}" for each in raised]
    told = exceptions.c.kind + " " + exceptions.c.record
    where = sa.not_(told == sa.any_(sa.literal(still, sa.ARRAY(sa.Text))))
    if records is not None:
        named = exceptions.c.record == sa.any_(sa.literal(list(records), sa.ARRAY(sa.Text)))
        where = sa.and_(where, named)
    return _close(connection, realm, kinds, where, reason, "sync")


def listed(
    connection: sa.Connection, realm: str | None = None, *, include_closed: bool = False
) -> list[StoredException]:
    """Exceptions, open first, newest first."""
    query = sa.select(*[exceptions.c[name] for name in StoredException.__slots__])
    if realm is not None:
        query = query.where(exceptions.c.realm == realm)
    if not include_closed:
        query = query.where(exceptions.c.state == "open")
    order = (exceptions.c.state != "open", exceptions.c.number.desc())
    return [StoredException(*row) for row in connection.execute(query.order_by(*order))]


def open_ones(connection: sa.Connection, realm: str, kind: ExceptionKind) -> list[StoredException]:
    """The open exceptions of one kind of a company."""
    query = sa.select(*[exceptions.c[name] for name in StoredException.__slots__]).where(
        exceptions.c.realm == realm, exceptions.c.state == "open", exceptions.c.kind == str(kind)
    )
    return [StoredException(*row) for row in connection.execute(query)]


def get(connection: sa.Connection, number: int) -> StoredException | None:
    """The exception of this number, open or closed."""
    columns = [exceptions.c[name] for name in StoredException.__slots__]
    query = sa.select(*columns).where(exceptions.c.number == number)
    row = connection.execute(query).one_or_none()
    return StoredException(*row) if row else None


def recently_closed(connection: sa.Connection, realm: str, limit: int) -> list[StoredException]:
    """The exceptions of a company that were closed last, newest first."""
    rows = connection.execute(
        sa.select(*[exceptions.c[name] for name in StoredException.__slots__])
        .where(exceptions.c.realm == realm, exceptions.c.state != "open")
        .order_by(exceptions.c.closed_at.desc(), exceptions.c.number.desc())
        .limit(limit)
    )
    return [StoredException(*row) for row in rows]


def close(connection: sa.Connection, number: int, state: str, by: str, reason: str) -> bool:
    """Close an open exception as staff decided; False if somebody closed it before."""
    result = connection.execute(
        sa.update(exceptions)
        .where(exceptions.c.number == number, exceptions.c.state == "open")
        .values(state=state, closed_at=sa.text("ledger_now()"), closed_by=by, close_reason=reason)
    )
    return bool(result.rowcount)


def stand_for(connection: sa.Connection, number: int, version: str) -> None:
    """Have an open exception judge the record as it is by now: what it tells stays true of it."""
    connection.execute(
        sa.update(exceptions)
        .where(exceptions.c.number == number, exceptions.c.state == "open")
        .values(version=version)
    )


def dismissed_versions(
    connection: sa.Connection, realm: str, kinds: Collection[ExceptionKind]
) -> set[tuple[str, str, str]]:
    """(kind, record, version) of every dismissal: judged, so neither raised nor sent again."""
    rows = connection.execute(
        sa.select(exceptions.c.kind, exceptions.c.record, exceptions.c.version).where(
            exceptions.c.realm == realm,
            exceptions.c.state == "dismissed",
            exceptions.c.kind.in_([str(kind) for kind in kinds]),
        )
    )
    return {(kind, record, version) for kind, record, version in rows}


def dismissed(
    connection: sa.Connection,
    realm: str,
    kinds: Collection[ExceptionKind],
    records: Collection[str],
) -> list[StoredException]:
    """The dismissed exceptions of these kinds on these records, all versions."""
    query = sa.select(*[exceptions.c[name] for name in StoredException.__slots__]).where(
        exceptions.c.realm == realm,
        exceptions.c.state == "dismissed",
        exceptions.c.kind.in_([str(kind) for kind in kinds]),
        exceptions.c.record == sa.any_(sa.literal(list(records), sa.ARRAY(sa.Text))),
    )
    return [StoredException(*row) for row in connection.execute(query)]


def count_open(connection: sa.Connection, realm: str) -> int:
    """Open exceptions of a company."""
    count: int = connection.execute(
        sa.select(sa.func.count())
        .select_from(exceptions)
        .where(exceptions.c.realm == realm, exceptions.c.state == "open")
    ).scalar_one()
    return count


def _key(record: ExceptionRecord) -> tuple[str, str, str]:
    return str(record.kind), record.record, record.version


def _told(record: ExceptionRecord) -> dict[str, Any]:
    return {
        "kind": str(record.kind),
        "record": record.record,
        "title": record.title,
        "what_happened": record.what_happened[:4000],
        "how_to_resolve": record.how_to_resolve,
        "records": [reference.as_json() for reference in record.references],
        "amounts": record.amounts,
        "actions": [str(action) for action in CATALOGUE[record.kind].actions],
        "version": record.version,
    }


def _close(
    connection: sa.Connection,
    realm: str,
    kinds: Collection[ExceptionKind],
    where: sa.ColumnElement[bool],
    reason: str,
    by: str,
) -> int:
    result = connection.execute(
        sa.update(exceptions)
        .where(
            exceptions.c.realm == realm,
            exceptions.c.state == "open",
            exceptions.c.kind.in_([str(kind) for kind in kinds]),
            where,
        )
        .values(
            state="resolved",
            closed_at=sa.text("ledger_now()"),
            closed_by=by,
            close_reason=reason,
        )
    )
    return result.rowcount
