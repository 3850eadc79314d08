"""Cycles looked back on: the last ones of a company, and those of runs that may have died."""

from __future__ import annotations

import sqlalchemy as sa

from qbo_sync_dagster.ledger.cycles import Cycle
from qbo_sync_dagster.ledger.tables import cycles

_COLUMNS = [cycles.c[name] for name in Cycle.__slots__]


def recent(connection: sa.Connection, realm: str, limit: int) -> list[Cycle]:
    """The company's last closed cycles, oldest first."""
    rows = connection.execute(
        sa.select(*_COLUMNS)
        .where(cycles.c.realm == realm, cycles.c.finished_at.is_not(None))
        .order_by(cycles.c.cycle_id.desc())
        .limit(limit)
    ).all()
    return [Cycle(*row) for row in reversed(rows)]


def running(connection: sa.Connection) -> list[Cycle]:
    """Cycles that say they run."""
    rows = connection.execute(sa.select(*_COLUMNS).where(cycles.c.outcome == "running"))
    return [Cycle(*row) for row in rows]
