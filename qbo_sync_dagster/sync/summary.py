"""The one line that says what a cycle did."""

from __future__ import annotations

from collections.abc import Mapping

from qbo_sync_dagster.sync.outcome import (
    AppliedChanges,
    DriftReport,
    PostedOperations,
    Stage,
    StageResult,
)


def summarize(results: Mapping[Stage, StageResult]) -> str:
    """`30 operations processed, 1 drift found, 12 payments applied`, or that nothing was to do."""
    applied = results.get(Stage.APPLIED_CHANGES)
    drift = results.get(Stage.DRIFT_REPORT)
    posted = results.get(Stage.POSTED_OPERATIONS)
    parts: list[tuple[int, str, str]] = []
    if isinstance(posted, PostedOperations):
        parts += [
            (posted.done, "operation processed", "operations processed"),
            (posted.refused, "refused by QuickBooks", "refused by QuickBooks"),
            (posted.in_doubt, "without an answer", "without an answer"),
        ]
    if isinstance(applied, AppliedChanges):
        parts += [
            (applied.payments_applied, "payment applied", "payments applied"),
            (applied.payments_reversed, "payment reversed", "payments reversed"),
            (applied.parked, "change waiting", "changes waiting"),
        ]
    if isinstance(drift, DriftReport):
        parts.append((drift.documents, "drift found", "drift found"))
    told = [f"{count:,} {one if count == 1 else many}" for count, one, many in parts if count]
    return ", ".join(told) or "Nothing to do"
