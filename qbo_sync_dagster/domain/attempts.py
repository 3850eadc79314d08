"""What becomes of an operation after QuickBooks refused one attempt.

Only definite answers about the record count towards the cap. Throttling, outages and
authentication say nothing about the record: they pause the realm and cost no attempt.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from datetime import datetime, timedelta

MOST_FAULTS = 5
_FIRST_DELAY = timedelta(minutes=5)
_LONGEST_DELAY = timedelta(hours=6)


@dataclass(frozen=True, slots=True)
class NextStep:
    """The operation's next state, and when it may be tried again (UTC; None: at once or never)."""

    state: str
    next_attempt_at: datetime | None


def after_refusal(
    *, curable_by_retry: bool, faults: int, request_id: str, now: datetime
) -> NextStep:
    """The step after the `faults`-th definite refusal.

    A fault that retrying cannot cure errors at once; the others back off exponentially, with a
    jitter taken from the request id, and error at the cap.
    """
    if not curable_by_retry or faults >= MOST_FAULTS:
        return NextStep("errored", None)
    return NextStep("queued", now + _delay(faults, request_id))


def happens_too_often(times: int) -> bool:
    """Whether a write that got no answer, and never arrived, this often is more than bad luck."""
    return times >= MOST_FAULTS


def _delay(faults: int, request_id: str) -> timedelta:
    base = min(_FIRST_DELAY * int(3 ** (faults - 1)), _LONGEST_DELAY)
    jitter = int.from_bytes(hashlib.sha256(request_id.encode()).digest()[:2]) / 0xFFFF
    return base * (1 + jitter / 4)
