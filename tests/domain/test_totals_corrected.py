"""An open total difference that a bookkeeper corrects in QuickBooks, as the cure says."""

from __future__ import annotations

from dataclasses import replace

import pytest

from qbo_sync_dagster.domain.document_view import LIVE, VOIDED, DocumentView, LineView
from qbo_sync_dagster.domain.totals import corrected

LINE = LineView("7", "1", 10_005, "", "")
AGREED = DocumentView(LIVE, "INV-1", "3", "USD", "2026-07-01", "2026-07-31", 10_005, 5, (LINE,))
RIGHT = replace(
    AGREED, total_minor=10_000, tax_minor=0, lines=(replace(LINE, amount_minor=10_000),)
)


def test_algapsas_total_in_quickbooks_is_what_both_agree_on() -> None:
    assert corrected(AGREED, RIGHT, 5, 0) == RIGHT


def test_a_number_that_moved_with_the_correction_stays_drift() -> None:
    agreed = corrected(AGREED, replace(RIGHT, number="INV-2"), 5, 0)
    assert agreed == RIGHT


@pytest.mark.parametrize(
    ("shown", "difference", "accepted"),
    [
        (replace(RIGHT, total_minor=10_001), 5, 0),
        (replace(RIGHT, state=VOIDED), 5, 0),
        (RIGHT, 5, 5),
        (AGREED, 0, 0),
    ],
    ids=["another total", "voided", "accepted before", "no difference"],
)
def test_anything_else_leaves_the_agreement_alone(
    shown: DocumentView, difference: int, accepted: int
) -> None:
    assert corrected(AGREED, shown, difference, accepted) is None
