"""All companies side by side: one line each, and the sums."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from qbo_sync_dagster.panels import words
from qbo_sync_dagster.panels.checks import freshness
from qbo_sync_dagster.panels.values import Panel, Table
from qbo_sync_dagster.sync.outcome import SyncHealth

# Six columns are what the page shows without scrolling; the rest is a second table.
COLUMNS = ("company", "last cycle", "pending", "errored", "drift", "exceptions")
CONNECTION_COLUMNS = ("company", "connection", "auto-sync", "token expiry", "last success")


def companies_panel(companies: Sequence[SyncHealth], now: datetime) -> Panel:
    """Every company with its Sync Health rows in one table."""
    return {
        "company": "all companies",
        "summary": _summary(companies, now),
        "companies": Table(COLUMNS, tuple(_line(health) for health in companies)),
        "connected": sum(health.state == "connected" for health in companies),
        "pending_ops": sum(health.pending for health in companies),
        "errored_ops": sum(health.errored for health in companies),
        "drift": sum(health.drift for health in companies),
        "open_exceptions": sum(health.open_exceptions for health in companies),
        "connections": Table(
            CONNECTION_COLUMNS, tuple(_connection(health, now) for health in companies)
        ),
    }


def _summary(companies: Sequence[SyncHealth], now: datetime) -> str:
    if not companies:
        return "No company is connected yet. `qbo-sync connect` connects one."
    well = sum(_is_well(health, now) for health in companies)
    if well == len(companies):
        return f"All well in {words.counted(well, 'company', 'companies')}."
    names = [health.company_name for health in companies if not _is_well(health, now)]
    more = f" and {len(names) - 5:,} more" if len(names) > 5 else ""
    return f"To look at: {', '.join(names[:5])}{more}."


def _is_well(health: SyncHealth, now: datetime) -> bool:
    quiet = not (health.errored or health.drift or health.open_exceptions)
    if health.state == "disconnected":
        return quiet
    ran = health.outcome in ("succeeded", "running") and health.state == "connected"
    # Nobody else says so when the daemon is dead: no run fails, there is none.
    return quiet and ran and freshness(health, now).passed


def _line(health: SyncHealth) -> tuple[str | int, ...]:
    return (
        health.company_name,
        _last_cycle(health),
        health.pending,
        health.errored,
        health.drift,
        health.open_exceptions,
    )


def _last_cycle(health: SyncHealth) -> str:
    if health.started_at is None:
        return "none yet"
    return f"{health.outcome} {words.instant(health.finished_at or health.started_at)}"


def _connection(health: SyncHealth, now: datetime) -> tuple[str | int, ...]:
    return (
        health.company_name,
        "reconnect needed" if health.state == "reconnect" else health.state,
        "on" if health.auto_sync else "off",
        words.until_day(health.token_expires_at, now),
        words.instant(health.last_success_at),
    )
