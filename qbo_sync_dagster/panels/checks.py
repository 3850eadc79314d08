"""The standing checks of a company, as plain functions over its health.

What belongs here: passed or not, how bad, and a sentence that says what to do. What does not:
Dagster, which shows them, and the command line, which may too. None of them stops a cycle.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum

from qbo_sync_dagster.panels import words
from qbo_sync_dagster.sync.outcome import SyncHealth

# Two missed quarters of an hour and a long cycle; one missed tick is not worth a warning.
FRESH_FOR = timedelta(minutes=45)


class Check(StrEnum):
    """What is checked, named as in Dagster."""

    LAST_CYCLE = "last_cycle"
    FRESHNESS = "freshness"
    QUEUE_PENDING = "queue_pending"
    QUEUE_ERRORED = "queue_errored"
    OPEN_EXCEPTIONS = "open_exceptions"
    LINKS_ONE_TO_ONE = "links_one_to_one"


MEANING: dict[Check, str] = {
    Check.LAST_CYCLE: "The last sync cycle succeeded.",
    Check.FRESHNESS: "A cycle succeeded in the last 45 minutes, if auto-sync is on.",
    Check.QUEUE_PENDING: "No change is waiting to go to QuickBooks after the cycle.",
    Check.QUEUE_ERRORED: "No change to QuickBooks has failed for good.",
    Check.OPEN_EXCEPTIONS: "No sync exception is open.",
    Check.LINKS_ONE_TO_ONE: "Each AlgaPSA record is linked to one QuickBooks object and back.",
}


@dataclass(frozen=True, slots=True)
class Verdict:
    """The result of one check. `is_warning` marks what is worth a look but not wrong."""

    check: Check
    passed: bool
    sentence: str
    is_warning: bool = False
    figures: dict[str, int] = field(default_factory=dict)


def verdicts(health: SyncHealth, doubles: Sequence[str], now: datetime) -> tuple[Verdict, ...]:
    """Every check of one company. `doubles` names the records that are linked twice."""
    return (
        last_cycle(health),
        freshness(health, now),
        queue_pending(health),
        queue_errored(health),
        open_exceptions(health),
        links_one_to_one(doubles),
    )


def last_cycle(health: SyncHealth) -> Verdict:
    """Whether the newest cycle succeeded; one that is running now is not judged yet."""
    if health.state == "disconnected":
        return Verdict(Check.LAST_CYCLE, True, "The company is not connected; no cycle is due.")
    if health.started_at is None:
        return Verdict(Check.LAST_CYCLE, False, "No cycle has run yet.", is_warning=True)
    if health.outcome == "running":
        return Verdict(Check.LAST_CYCLE, True, "A cycle is running now.")
    told = f"The last cycle {health.outcome} at {words.instant(health.finished_at)}."
    if health.outcome == "succeeded":
        return Verdict(Check.LAST_CYCLE, True, told)
    return Verdict(Check.LAST_CYCLE, False, f"{told} {health.problem or health.summary}".strip())


def freshness(health: SyncHealth, now: datetime) -> Verdict:
    """Whether a cycle succeeded lately. A cycle can't see that none ran: a sensor asks this."""
    if health.state == "disconnected":
        return Verdict(Check.FRESHNESS, True, "The company is disconnected; no cycle is due.")
    if health.state == "reconnect":
        return Verdict(
            Check.FRESHNESS,
            False,
            "QuickBooks refused the authorization, so no cycle runs. Reconnect the company: "
            "`qbo-sync connections reconnect`.",
        )
    if not health.auto_sync:
        return Verdict(Check.FRESHNESS, True, "Auto-sync is off; cycles run only on Sync Now.")
    # A company that never synced is as old as its cursor, which starts when it is connected.
    since = health.last_success_at or health.cursor
    age = now - since
    if age <= FRESH_FOR and health.last_success_at is None:
        return Verdict(Check.FRESHNESS, True, "Just connected; its first cycle is due.")
    if age <= FRESH_FOR:
        return Verdict(Check.FRESHNESS, True, f"A cycle succeeded {words.duration(age)} ago.")
    return Verdict(
        Check.FRESHNESS,
        False,
        f"No cycle has succeeded for {words.duration(age)}. Look at the runs of this company, "
        "and whether the schedule and the daemon are running.",
    )


def queue_pending(health: SyncHealth) -> Verdict:
    """Whether the queue to QuickBooks is drained."""
    figures = {"pending_ops": health.pending, "held_ops": health.held}
    if not health.pending:
        return Verdict(Check.QUEUE_PENDING, True, "Nothing waits.", figures=figures)
    held = f" {health.held:,} of them wait for a person or a date." if health.held else ""
    told = f"{words.counted(health.pending, 'change')} waiting to go to QuickBooks.{held}"
    return Verdict(Check.QUEUE_PENDING, False, told, is_warning=True, figures=figures)


def queue_errored(health: SyncHealth) -> Verdict:
    """Whether an outbound change failed for good."""
    figures = {"errored_ops": health.errored}
    if not health.errored:
        return Verdict(Check.QUEUE_ERRORED, True, "Nothing failed.", figures=figures)
    told = (
        f"{words.counted(health.errored, 'change')} to QuickBooks failed for good. "
        "sync_exceptions gives the cause of each."
    )
    return Verdict(Check.QUEUE_ERRORED, False, told, figures=figures)


def open_exceptions(health: SyncHealth) -> Verdict:
    """Whether anything waits for staff."""
    figures = {"open_exceptions": health.open_exceptions}
    if not health.open_exceptions:
        return Verdict(Check.OPEN_EXCEPTIONS, True, "None is open.", figures=figures)
    told = (
        f"{words.counted(health.open_exceptions, 'exception')} open. "
        "sync_exceptions says what to do about each."
    )
    return Verdict(Check.OPEN_EXCEPTIONS, False, told, is_warning=True, figures=figures)


def links_one_to_one(doubles: Sequence[str]) -> Verdict:
    """Whether any record or object is linked twice, which would count one sale twice."""
    figures = {"double_links": len(doubles)}
    if not doubles:
        return Verdict(Check.LINKS_ONE_TO_ONE, True, "Every link is one to one.", figures=figures)
    told = (
        f"{words.counted(len(doubles), 'record')} linked twice: {', '.join(doubles[:5])}. "
        "`qbo-sync links export` shows the links; correct the wrong one."
    )
    return Verdict(Check.LINKS_ONE_TO_ONE, False, told, figures=figures)


def together(check: Check, by_company: Sequence[tuple[str, Verdict]]) -> Verdict:
    """One check over all companies: it names those that fail it, the worst first."""
    failing = [(name, verdict) for name, verdict in by_company if not verdict.passed]
    failing.sort(key=lambda item: item[1].is_warning)
    figures = {"companies": len(by_company), "failing": len(failing)}
    if not failing:
        return Verdict(check, True, "True for every company.", figures=figures)
    told = [f"{name}: {verdict.sentence}" for name, verdict in failing[:_MOST_NAMED]]
    if (left := len(failing) - _MOST_NAMED) > 0:
        told.append(f"And {words.counted(left, 'more company', 'more companies')}.")
    is_warning = all(verdict.is_warning for _, verdict in failing)
    return Verdict(check, False, " ".join(told), is_warning=is_warning, figures=figures)


_MOST_NAMED = 5
