"""All companies side by side: one line each, and the sums."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from qbo_sync_dagster.panels import words
from qbo_sync_dagster.panels.health import connection_state
from qbo_sync_dagster.panels.markdown import escape, table
from qbo_sync_dagster.panels.values import Markdown, Panel, Table
from qbo_sync_dagster.sync.outcome import SyncHealth

COLUMNS = (
    "company",
    "last cycle",
    "at",
    "pending ops",
    "errored ops",
    "drift",
    "open exceptions",
    "token expiry",
    "auto-sync",
    "connection",
)


def companies_panel(companies: Sequence[SyncHealth], now: datetime) -> Panel:
    """Every company with its Sync Health rows in one table."""
    panel: Panel = {
        "company": "all companies",
        "summary": _summary(companies),
        "companies": Table(COLUMNS, tuple(_line(health, now) for health in companies)),
        "connected": len(companies),
        "pending_ops": sum(health.pending for health in companies),
        "errored_ops": sum(health.errored for health in companies),
        "drift": sum(health.drift for health in companies),
        "open_exceptions": sum(health.open_exceptions for health in companies),
    }
    if companies:
        panel["panel"] = Markdown(_short_table(companies))
    return panel


def _summary(companies: Sequence[SyncHealth]) -> str:
    if not companies:
        return "No company is connected yet. `qbo-sync connections add` connects one."
    well = sum(_is_well(health) for health in companies)
    if well == len(companies):
        return f"All well in {words.counted(well, 'company', 'companies')}."
    names = [health.company_name for health in companies if not _is_well(health)]
    more = f" and {len(names) - 5:,} more" if len(names) > 5 else ""
    return f"To look at: {', '.join(names[:5])}{more}."


def _is_well(health: SyncHealth) -> bool:
    quiet = not (health.errored or health.drift or health.open_exceptions)
    return quiet and health.outcome in ("succeeded", "running") and health.state == "connected"


def _line(health: SyncHealth, now: datetime) -> tuple[str | int, ...]:
    return (
        health.company_name,
        health.outcome if health.started_at else "none yet",
        words.instant(health.finished_at or health.started_at),
        health.pending,
        health.errored,
        health.drift,
        health.open_exceptions,
        words.until(health.token_expires_at, now),
        "on" if health.auto_sync else "off",
        connection_state(health.state),
    )


def _short_table(companies: Sequence[SyncHealth]) -> str:
    """What fits below 1,000 characters, so that it shows without a click."""
    rows = [
        [
            escape(health.company_name, longest=40),
            escape(health.outcome) if health.started_at else "none yet",
            str(health.pending),
            str(health.errored),
            str(health.drift),
            str(health.open_exceptions),
        ]
        for health in companies[:10]
    ]
    return table(["Company", "Last cycle", "Pending", "Errored", "Drift", "Exceptions"], rows)
