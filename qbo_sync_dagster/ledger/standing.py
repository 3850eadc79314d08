"""How companies stand: counts over several aggregates, for all companies in one query each."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, field
from datetime import datetime

import sqlalchemy as sa

from qbo_sync_dagster.ledger.tables import (
    OPEN_OPERATION_STATES,
    connection_tokens,
    cycles,
    exceptions,
    inbound_changes,
    links,
    operations,
)


@dataclass
class RealmCounts:
    """What is open in one company."""

    operations: dict[str, int] = field(default_factory=dict)
    drift: int = 0
    parked: int = 0
    open_exceptions: int = 0
    token_expires_at: datetime | None = None
    last_success_at: datetime | None = None


def counts_by_realm(connection: sa.Connection) -> dict[str, RealmCounts]:
    """The counts of every company that has something to count."""
    found: defaultdict[str, RealmCounts] = defaultdict(RealmCounts)
    for realm, state, count in connection.execute(_OPERATIONS):
        found[realm].operations[state] = count
    for realm, count in connection.execute(_DRIFT):
        found[realm].drift = count
    for realm, count in connection.execute(_PARKED):
        found[realm].parked = count
    for realm, count in connection.execute(_EXCEPTIONS):
        found[realm].open_exceptions = count
    for realm, expiry in connection.execute(_TOKENS):
        found[realm].token_expires_at = expiry
    for realm, finished in connection.execute(_SUCCESSES):
        found[realm].last_success_at = finished
    return found


_OPERATIONS = (
    sa.select(operations.c.realm, operations.c.state, sa.func.count())
    .where(operations.c.state.in_(OPEN_OPERATION_STATES))
    .group_by(operations.c.realm, operations.c.state)
)
_DRIFT = (
    sa.select(links.c.realm, sa.func.count())
    .where(links.c.drift.is_not(None), links.c.state == "live")
    .group_by(links.c.realm)
)
_PARKED = (
    sa.select(inbound_changes.c.realm, sa.func.count())
    .where(inbound_changes.c.state == "parked")
    .group_by(inbound_changes.c.realm)
)
_EXCEPTIONS = (
    sa.select(exceptions.c.realm, sa.func.count())
    .where(exceptions.c.state == "open")
    .group_by(exceptions.c.realm)
)
_TOKENS = sa.select(connection_tokens.c.realm, connection_tokens.c.refresh_expires_at)
_SUCCESSES = (
    sa.select(cycles.c.realm, sa.func.max(cycles.c.finished_at))
    .where(cycles.c.outcome == "succeeded")
    .group_by(cycles.c.realm)
)
