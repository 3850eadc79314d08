"""The Sync Health panel: how each company stands, read from the ledger alone."""

from __future__ import annotations

from datetime import datetime, timedelta

from qbo_sync_dagster.ledger import connections, cycles, standing
from qbo_sync_dagster.ledger.engine import ledger_now
from qbo_sync_dagster.sync.engine import SyncEngine
from qbo_sync_dagster.sync.outcome import SyncHealth

CYCLE_MINUTES = 15


def all_health(engine: SyncEngine) -> list[SyncHealth]:
    """Every connected company's health, by tenant and name."""
    with engine.ledger.connect() as connection:
        now = ledger_now(connection)
        companies = connections.every(connection)
        latest = cycles.latest_of_each(connection)
        counts = standing.counts_by_realm(connection)
    return [
        _health(company, latest.get(company.realm), counts[company.realm], now)
        for company in companies
    ]


def realm_health(engine: SyncEngine, realm: str) -> SyncHealth:
    """One company's health, by realm id or company key. Raises UnknownRealmError."""
    with engine.ledger.connect() as connection:
        wanted = connections.get(connection, realm).realm
    return next(health for health in all_health(engine) if health.realm == wanted)


def _health(
    company: connections.Connection,
    cycle: cycles.Cycle | None,
    counts: standing.RealmCounts,
    now: datetime,
) -> SyncHealth:
    states = counts.operations
    pending = states.get("queued", 0) + states.get("posting", 0) + states.get("held", 0)
    is_scheduled = company.auto_sync and company.state == "connected"
    return SyncHealth(
        realm=company.realm,
        company=company.company,
        company_name=company.company_name,
        outcome=cycle.outcome if cycle else "never ran",
        started_at=cycle.started_at if cycle else None,
        finished_at=cycle.finished_at if cycle else None,
        summary=cycle.summary if cycle else "",
        problem=cycle.problem if cycle else None,
        pending=pending,
        errored=states.get("errored", 0),
        held=states.get("held", 0),
        drift=counts.drift,
        parked=counts.parked,
        open_exceptions=counts.open_exceptions,
        token_expires_at=counts.token_expires_at,
        auto_sync=company.auto_sync,
        state=company.state,
        cursor=company.cursor,
        next_cycle_at=next_tick(now) if is_scheduled else None,
        last_success_at=counts.last_success_at,
        quickbooks_writes=cycle.counts.get("quickbooks_writes", 0) if cycle else 0,
        algapsa_writes=cycle.counts.get("algapsa_writes", 0) if cycle else 0,
        metered_calls=cycle.calls.get("metered", 0) if cycle else 0,
        http_calls=cycle.calls.get("http", 0) if cycle else 0,
        warnings=tuple(cycle.warnings) if cycle else (),
    )


def next_tick(now: datetime) -> datetime:
    """The next quarter of an hour, when the schedule runs."""
    past = timedelta(
        minutes=now.minute % CYCLE_MINUTES, seconds=now.second, microseconds=now.microsecond
    )
    return now - past + timedelta(minutes=CYCLE_MINUTES)
