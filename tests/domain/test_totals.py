"""The total difference: all accepted by a setting, or told with both figures."""

from __future__ import annotations

import pytest

from qbo_sync_dagster.domain.totals import accepted_part, total_difference

from .conftest import Make


@pytest.mark.parametrize(
    ("difference", "cents", "accepted"),
    [(0, 0, 0), (1, 0, 0), (2, 2, 2), (-2, 2, -2), (3, 2, 0), (-3, 2, 0)],
)
def test_a_difference_within_the_setting_is_accepted_whole_and_a_larger_one_not_at_all(
    difference: int, cents: int, accepted: int
) -> None:
    assert accepted_part(difference, cents) == accepted


def test_both_totals_are_told(header: Make) -> None:
    record = total_difference(header(), "145", 10_825)

    assert record.title == "Invoice total differs in QuickBooks"
    assert "100.00 USD in AlgaPSA and 108.25 in QuickBooks" in record.what_happened
    assert record.amounts == {"AlgaPSA total": 10_000, "QuickBooks total": 10_825}


def test_another_total_in_quickbooks_is_told_again_after_a_dismissal(header: Make) -> None:
    one, other = (total_difference(header(), "145", minor) for minor in (10_825, 10_826))

    assert one.version != other.version
