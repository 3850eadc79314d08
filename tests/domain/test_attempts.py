"""What becomes of an operation after QuickBooks refused it."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from itertools import pairwise

from qbo_sync_dagster.domain.attempts import MOST_FAULTS, NextStep, after_refusal

NOW = datetime(2026, 3, 2, tzinfo=UTC)


def step(faults: int, *, curable: bool = True, request_id: str = "r1") -> NextStep:
    return after_refusal(curable_by_retry=curable, faults=faults, request_id=request_id, now=NOW)


def wait(faults: int, request_id: str = "r1") -> timedelta:
    at = step(faults, request_id=request_id).next_attempt_at
    assert at is not None
    return at - NOW


def test_a_fault_that_retrying_cannot_cure_errors_at_once() -> None:
    assert step(1, curable=False) == NextStep("errored", None)


def test_a_fault_that_may_pass_is_tried_again_later() -> None:
    assert step(1).state == "queued"
    assert timedelta(minutes=5) <= wait(1) <= timedelta(minutes=6.25)


def test_each_wait_is_longer_than_the_one_before() -> None:
    waits = [wait(faults) for faults in range(1, MOST_FAULTS)]

    assert all(later > 2 * sooner for sooner, later in pairwise(waits))


def test_at_the_cap_a_person_is_asked() -> None:
    assert step(MOST_FAULTS - 1).state == "queued"
    assert step(MOST_FAULTS) == NextStep("errored", None)


def test_records_that_failed_together_do_not_come_back_together() -> None:
    assert wait(1, "r1") != wait(1, "r2")


def test_the_wait_of_one_attempt_is_the_same_whenever_it_is_computed() -> None:
    assert wait(2) == wait(2)
