"""What the schedule and the sensors decide, as pure functions over what they loaded.

What belongs here: which company gets a run, and what is worth reporting. What does not: Dagster,
the ledger, any reading.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from qbo_sync_dagster.ledger.connections import Connection
from qbo_sync_dagster.ledger.cycles import Cycle, SyncRequest

_FIRST_PAUSE = timedelta(seconds=10)
_LONGEST_PAUSE = timedelta(minutes=15)


@dataclass(frozen=True, slots=True)
class RequestedRuns:
    """The runs started for one request: how many ended, when the last one did."""

    ended: int = 0
    last_ended_at: datetime | None = None


def due_companies(
    connections: Sequence[Connection], registered: Collection[str], busy: Collection[str]
) -> list[str]:
    """The companies whose cycle the schedule starts now.

    One that is not registered would fail the whole tick, and one that is busy would pile up runs.
    """
    return [
        each.company
        for each in connections
        if each.auto_sync
        and each.state == "connected"
        and each.company in registered
        and each.company not in busy
    ]


def new_companies(connections: Sequence[Connection], registered: Collection[str]) -> list[str]:
    """Companies without a partition."""
    return [each.company for each in connections if each.company not in registered]


def forgotten_companies(
    connections: Sequence[Connection], registered: Collection[str]
) -> list[str]:
    """Partitions whose company was forgotten; a disconnected one is still there."""
    known = {each.company for each in connections}
    return [company for company in registered if company not in known]


def sync_now_key(request: SyncRequest, runs: RequestedRuns, now: datetime) -> str | None:
    """The run key of the next run for a request, or None while it must wait.

    The key changes only when a run ended without fulfilling the request, so that a request has
    one run at a time. Runs that keep ending so are spaced out: a cycle that dies at its start
    would otherwise be started every few seconds for ever.
    """
    if runs.ended and runs.last_ended_at is not None:
        pause = min(_FIRST_PAUSE * 2 ** min(runs.ended - 1, 10), _LONGEST_PAUSE)
        if now < runs.last_ended_at + pause:
            return None
    return f"{request.request_id}:{runs.ended}"


def closed_cycles(latest: Mapping[str, Cycle]) -> str:
    """A text that changes whenever a cycle closes or a company gets its first."""
    closed = [
        f"{realm}={cycle.cycle_id}:{cycle.outcome}"
        for realm, cycle in sorted(latest.items())
        if cycle.finished_at is not None
    ]
    return ";".join(closed)


def last_closed(latest: Mapping[str, Cycle]) -> dict[str, int]:
    """The newest cycle of each company by realm, of those whose newest cycle has closed."""
    return {
        realm: cycle.cycle_id for realm, cycle in latest.items() if cycle.finished_at is not None
    }


def changed(previous: Mapping[str, str], current: Mapping[str, str]) -> list[str]:
    """The keys whose value is new or another one than before."""
    return [key for key, value in current.items() if previous.get(key) != value]
