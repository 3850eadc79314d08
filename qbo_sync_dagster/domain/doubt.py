"""Settling doubt: what became of a create whose answer never came.

Judged from what a complete poll since the send shows, never by sending it blindly again.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import Enum

# Intuit cuts a request at 120 s; one sent less than this before the poll may still be at work.
MAY_STILL_ARRIVE = timedelta(seconds=130)
# Intuit tells nothing certain about how long a request id is remembered; a day was seen.
RESEND_WITHIN = timedelta(hours=12)
# QuickBooks stamps whole seconds, and no clock runs quite evenly.
STAMPED_WITHIN = timedelta(minutes=1)


@dataclass(frozen=True, slots=True)
class Ahead:
    """How far QuickBooks' clock is ahead of ours; between these two, as it was told by a call."""

    least: timedelta
    most: timedelta


def ahead_by(told: datetime, *, asked_at: datetime, answered_at: datetime) -> Ahead:
    """What an answer that bears the time `told` shows of QuickBooks' clock.

    It was read at some instant of the call, which may have waited for minutes to be let in.
    """
    return Ahead(least=told - answered_at, most=told - asked_at)


class Verdict(Enum):
    """What to do about a posting in doubt."""

    ADOPT = "adopt"
    WAIT = "wait"
    SEND_AGAIN = "send again"
    NEW_ATTEMPT = "new attempt"
    ORPHAN = "orphan"


@dataclass(frozen=True, slots=True)
class Evidence:
    """What QuickBooks shows about one posting in doubt.

    `own` are ids of unlinked objects that are the record's; `suspects` counts things that could
    be it without proof: unknown deletions, unmarked voids, unlinked objects with its customer and
    amount. `batch_found` counts items of the same batch whose object was found.
    """

    first_sent_at: datetime
    sent_at: datetime
    polled_at: datetime
    own: tuple[str, ...]
    suspects: int
    in_batch: bool
    batch_found: int


def judge(evidence: Evidence) -> Verdict:
    """The verdict on one posting."""
    if len(evidence.own) == 1:
        return Verdict.ADOPT
    if len(evidence.own) > 1:
        return Verdict.ORPHAN
    if evidence.polled_at - evidence.sent_at < MAY_STILL_ARRIVE:
        return Verdict.WAIT
    if evidence.suspects or evidence.polled_at - evidence.first_sent_at > RESEND_WITHIN:
        return Verdict.ORPHAN
    if evidence.in_batch and evidence.batch_found:
        return Verdict.NEW_ATTEMPT
    return Verdict.SEND_AGAIN


def may_be_made_by(
    created_at: datetime | None, *, ahead: Ahead, first_sent_at: datetime, sent_at: datetime
) -> bool:
    """Whether an object was created, by QuickBooks' clock, when a posting may have made it.

    Of one without a time of creation nobody can say that it was not.
    """
    if created_at is None:
        return True
    earliest, latest = created_at - ahead.most, created_at - ahead.least
    last_arrival = sent_at + MAY_STILL_ARRIVE
    return first_sent_at - STAMPED_WITHIN <= latest and earliest <= last_arrival + STAMPED_WITHIN


class ChangeVerdict(Enum):
    """What to do about an update, void or delete in doubt."""

    DONE = "done"
    WAIT = "wait"
    NEW_ATTEMPT = "new attempt"
    DRIFT = "drift"


def judge_change(
    *, reached: bool, token_unchanged: bool, sent_at: datetime, polled_at: datetime
) -> ChangeVerdict:
    """The verdict on one change, from the object as it was read after `polled_at`.

    `reached` says that it stands as wanted. With an unchanged token nothing has arrived, though it
    may still; any other state is a change by somebody else.
    """
    if reached:
        return ChangeVerdict.DONE
    if not token_unchanged:
        return ChangeVerdict.DRIFT
    if polled_at - sent_at < MAY_STILL_ARRIVE:
        return ChangeVerdict.WAIT
    return ChangeVerdict.NEW_ATTEMPT
