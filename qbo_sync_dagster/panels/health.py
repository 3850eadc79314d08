"""The Sync Health panel of one company, row for row, and its short summary."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from qbo_sync_dagster.panels import words
from qbo_sync_dagster.panels.markdown import escape
from qbo_sync_dagster.panels.sparkline import sparkline
from qbo_sync_dagster.panels.values import INLINE_CHARACTERS, Markdown, Panel
from qbo_sync_dagster.sync.outcome import SyncHealth


@dataclass(frozen=True, slots=True)
class Curve:
    """Figures of the last cycles, oldest first."""

    pending: Sequence[int] = ()
    open_exceptions: Sequence[int] = ()


def health_panel(health: SyncHealth, curve: Curve, now: datetime) -> Panel:
    """The rows of Sync Health, then how the company is set, then a summary with its curves."""
    return {
        "company": health.company_name,
        "last_sync_cycle": last_cycle(health),
        "pending_ops": health.pending,
        "errored_ops": health.errored,
        "drift": health.drift,
        "open_exceptions": health.open_exceptions,
        "token_expiry": words.until(health.token_expires_at, now),
        "panel": Markdown(_summary(health, curve)),
        "auto_sync": auto_sync(health),
        "connection": connection_state(health.state),
        "next_cycle": _next_cycle(health),
        "last_success": words.instant(health.last_success_at),
        "changes_known_up_to": words.instant(health.cursor),
        "warnings": " ".join(health.warnings) or "none",
        "held_ops": health.held,
        "parked_changes": health.parked,
        "quickbooks_writes": health.quickbooks_writes,
        "algapsa_writes": health.algapsa_writes,
        "metered_calls": health.metered_calls,
        "http_calls": health.http_calls,
    }


def last_cycle(health: SyncHealth) -> str:
    """`succeeded at 2026-11-22 14:15 UTC: 2 payments applied`."""
    if health.started_at is None:
        return "no cycle has run yet"
    told = f"{health.outcome} at {words.instant(health.finished_at or health.started_at)}"
    reason = health.problem or health.summary
    return f"{told}: {reason}" if reason else told


def auto_sync(health: SyncHealth) -> str:
    """Whether the schedule runs this company."""
    return "on, every 15 minutes" if health.auto_sync else "off, runs only on Sync Now"


def connection_state(state: str) -> str:
    """The connection's state with its remedy."""
    if state == "reconnect":
        return "reconnect needed: QuickBooks refused the authorization"
    return state


def _next_cycle(health: SyncHealth) -> str:
    if not health.auto_sync:
        return "when Sync Now asks for one"
    if health.state != "connected":
        return "once the company is connected again"
    return words.instant(health.next_cycle_at, "at the next quarter of an hour")


def _summary(health: SyncHealth, curve: Curve) -> str:
    parts = [f"**{escape(health.company_name, longest=50)}**: {_verdict(health)}"]
    if health.problem:
        parts.append(escape(health.problem, longest=160))
    parts += [f"Warning: {escape(warning, longest=160)}" for warning in health.warnings]
    told, picture = "\n\n".join(parts), _picture(curve)
    return told + picture if len(told) + len(picture) <= INLINE_CHARACTERS else told


def _picture(curve: Curve) -> str:
    """Nothing for a company that stayed at zero: a flat line tells nobody anything."""
    if not any((*curve.pending, *curve.open_exceptions)):
        return ""
    drawn = sparkline({"blue": curve.pending, "red": curve.open_exceptions})
    legend = f"Last {len(curve.pending)} cycles: pending ops blue, open exceptions red"
    return f"\n\n{legend}\n\n{drawn}" if drawn else ""


def _verdict(health: SyncHealth) -> str:
    open_points = [
        words.counted(number, one, many)
        for number, one, many in (
            (health.errored, "errored op", "errored ops"),
            (health.drift, "drifted document", "drifted documents"),
            (health.open_exceptions, "open exception", "open exceptions"),
        )
        if number
    ]
    if open_points:
        return f"{words.listed(open_points)} to look at; `sync_exceptions` says how."
    if health.outcome != "succeeded":
        return "the last cycle did not succeed."
    if health.pending:
        return f"nothing to look at; {words.counted(health.pending, 'op')} waiting to be sent."
    return "nothing to do. Nothing waits and nothing needs a person."
