"""Cycles and the requests for one: when each ran, how it ended, what it did."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import sqlalchemy as sa

from qbo_sync_dagster.ledger.tables import cycles, sync_requests


@dataclass(frozen=True, slots=True)
class Cycle:
    """A cycle that ran or runs. `counts` are figures of the stages, `calls` HTTP calls by kind."""

    cycle_id: int
    realm: str
    epoch: int
    trigger: str
    run_id: str | None
    outcome: str
    started_at: datetime
    finished_at: datetime | None
    cursor_before: datetime | None
    cursor_after: datetime | None
    counts: dict[str, int]
    calls: dict[str, int]
    summary: str
    problem: str | None
    warnings: list[str]


@dataclass(frozen=True, slots=True)
class SyncRequest:
    """Somebody asked for a cycle now."""

    request_id: int
    realm: str
    requested_by: str
    requested_at: datetime


def start(
    connection: sa.Connection,
    realm: str,
    *,
    epoch: int,
    trigger: str,
    run_id: str | None,
    cursor: datetime,
) -> Cycle:
    """Open a cycle row. Cycles left running by earlier holders of the lease are marked died."""
    connection.execute(
        sa.update(cycles)
        .where(cycles.c.realm == realm, cycles.c.outcome == "running")
        .values(
            outcome="died",
            finished_at=sa.text("ledger_now()"),
            problem="The run ended without closing its cycle; the next one took over.",
        )
    )
    row = connection.execute(
        sa.insert(cycles)
        .values(realm=realm, epoch=epoch, trigger=trigger, run_id=run_id, cursor_before=cursor)
        .returning(*_columns())
    ).one()
    return Cycle(*row)


def close(
    connection: sa.Connection,
    cycle_id: int,
    *,
    outcome: str,
    counts: dict[str, int],
    calls: dict[str, int],
    summary: str,
    problem: str | None,
    cursor: datetime,
    warnings: Sequence[str] = (),
) -> Cycle:
    """Close a cycle row; it fulfils the requests that were filed before it started.

    A failed cycle does so too: asking again at once would meet the same fault in a storm.
    """
    row = connection.execute(
        sa.update(cycles)
        .where(cycles.c.cycle_id == cycle_id)
        .values(
            outcome=outcome,
            counts=counts,
            calls=calls,
            summary=summary,
            problem=problem,
            warnings=list(warnings),
            cursor_after=cursor,
            finished_at=sa.text("ledger_now()"),
        )
        .returning(*_columns())
    ).one()
    closed = Cycle(*row)
    _fulfil(connection, closed)
    return closed


def latest(connection: sa.Connection, realm: str, *, outcome: str | None = None) -> Cycle | None:
    """The cycle that started last, of one outcome if given."""
    query = sa.select(*_columns()).where(cycles.c.realm == realm)
    if outcome is not None:
        query = query.where(cycles.c.outcome == outcome)
    row = connection.execute(query.order_by(cycles.c.cycle_id.desc()).limit(1)).one_or_none()
    return Cycle(*row) if row else None


def latest_of_each(connection: sa.Connection) -> dict[str, Cycle]:
    """The newest cycle of every company, in one query."""
    rows = connection.execute(
        sa.select(*_columns())
        .distinct(cycles.c.realm)
        .order_by(cycles.c.realm, cycles.c.cycle_id.desc())
    )
    return {row.realm: Cycle(*row) for row in rows}


def mark_died(connection: sa.Connection, run_id: str, problem: str) -> int:
    """Close the cycles of a run that is known to have ended without closing them."""
    result = connection.execute(
        sa.update(cycles)
        .where(cycles.c.run_id == run_id, cycles.c.outcome == "running")
        .values(outcome="died", finished_at=sa.text("ledger_now()"), problem=problem)
    )
    return result.rowcount


def request(connection: sa.Connection, realm: str, requested_by: str) -> int:
    """File a request for a cycle now; returns its id."""
    request_id: int = connection.execute(
        sa.insert(sync_requests)
        .values(realm=realm, requested_by=requested_by)
        .returning(sync_requests.c.request_id)
    ).scalar_one()
    return request_id


def open_requests(connection: sa.Connection) -> dict[str, SyncRequest]:
    """The newest open request of each realm that has one."""
    rows = connection.execute(
        sa.select(*[sync_requests.c[name] for name in SyncRequest.__slots__])
        .where(sync_requests.c.fulfilled_at.is_(None))
        .order_by(sync_requests.c.request_id)
    )
    return {row.realm: SyncRequest(*row) for row in rows}


def prune(connection: sa.Connection, before: datetime) -> int:
    """Drop closed cycles older than `before`, never the newest of a company."""
    newer = cycles.alias("newer")
    result = connection.execute(
        sa.delete(cycles).where(
            cycles.c.finished_at < before,
            sa.exists().where(
                newer.c.realm == cycles.c.realm, newer.c.cycle_id > cycles.c.cycle_id
            ),
        )
    )
    return result.rowcount


def _fulfil(connection: sa.Connection, cycle: Cycle) -> None:
    # A request filed while a cycle runs is not fulfilled by it: the cycle may have polled before.
    connection.execute(
        sa.update(sync_requests)
        .where(
            sync_requests.c.realm == cycle.realm,
            sync_requests.c.fulfilled_at.is_(None),
            sync_requests.c.requested_at <= cycle.started_at,
        )
        .values(fulfilled_by=cycle.cycle_id, fulfilled_at=sa.text("ledger_now()"))
    )


def _columns() -> list[sa.Column[Any]]:
    return [cycles.c[name] for name in Cycle.__slots__]
