"""Cycles looked back on: how the company stood after each, and which say that they run."""

from __future__ import annotations

from dataclasses import dataclass

import sqlalchemy as sa

from qbo_sync_dagster.ledger.cycles import Cycle
from qbo_sync_dagster.ledger.tables import cycles

# Computed from the records themselves, so it also holds for cycles that died before they counted.
_STANDING = sa.text(
    """
    WITH past AS (
        SELECT cycle_id, finished_at FROM cycles
        WHERE realm = :realm AND finished_at IS NOT NULL
        ORDER BY cycle_id DESC LIMIT :limit
    ), queue AS (
        SELECT queued_at, CASE WHEN state IN ('done', 'cancelled') THEN changed_at END AS closed_at
        FROM operations
        WHERE realm = :realm AND changed_at >= (SELECT min(finished_at) FROM past)
           OR realm = :realm AND state NOT IN ('done', 'cancelled')
    ), raised AS (
        SELECT first_seen, closed_at FROM exceptions
        WHERE realm = :realm
          AND (closed_at IS NULL OR closed_at >= (SELECT min(finished_at) FROM past))
    )
    SELECT
        (SELECT count(*) FROM queue WHERE queued_at <= finished_at
            AND (closed_at IS NULL OR closed_at > finished_at)) AS pending,
        (SELECT count(*) FROM raised WHERE first_seen <= finished_at
            AND (closed_at IS NULL OR closed_at > finished_at)) AS open_exceptions
    FROM past ORDER BY cycle_id
    """
)


@dataclass(frozen=True, slots=True)
class Standing:
    """How a company stood when a cycle closed. `pending` counts all open operations."""

    pending: int
    open_exceptions: int


def standing_after(connection: sa.Connection, realm: str, limit: int) -> list[Standing]:
    """How the company stood after each of its last closed cycles, oldest first."""
    rows = connection.execute(_STANDING, {"realm": realm, "limit": limit})
    return [Standing(row.pending, row.open_exceptions) for row in rows]


def running(connection: sa.Connection) -> list[Cycle]:
    """Cycles that say they run."""
    columns = [cycles.c[name] for name in Cycle.__slots__]
    rows = connection.execute(sa.select(*columns).where(cycles.c.outcome == "running"))
    return [Cycle(*row) for row in rows]
