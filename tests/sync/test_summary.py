"""The one line that says what a cycle did."""

from __future__ import annotations

from qbo_sync_dagster.sync.outcome import (
    AppliedChanges,
    DriftReport,
    PostedOperations,
    Stage,
)
from qbo_sync_dagster.sync.summary import summarize


def test_what_was_done_comes_first_and_then_what_waits() -> None:
    results = {
        Stage.APPLIED_CHANGES: AppliedChanges(payments_applied=12, payments_reversed=1, parked=2),
        Stage.DRIFT_REPORT: DriftReport(documents=1),
        Stage.POSTED_OPERATIONS: PostedOperations(done=1_030, refused=3, in_doubt=4),
    }

    assert summarize(results) == (
        "1,030 operations processed, 3 refused by QuickBooks, 4 without an answer, "
        "12 payments applied, 1 payment reversed, 2 changes waiting, 1 drift found"
    )


def test_zeroes_are_not_told() -> None:
    results = {
        Stage.APPLIED_CHANGES: AppliedChanges(known=7, foreign=9),
        Stage.POSTED_OPERATIONS: PostedOperations(done=30),
    }

    assert summarize(results) == "30 operations processed"


def test_a_cycle_without_effects_had_nothing_to_do() -> None:
    assert summarize({}) == "Nothing to do"
    assert summarize({Stage.APPLIED_CHANGES: AppliedChanges(known=3)}) == "Nothing to do"
