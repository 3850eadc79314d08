"""Numbers and instants as people read them."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from qbo_sync_dagster.panels import words

NOON = datetime(2026, 11, 22, 12, 0, tzinfo=UTC)


def test_one_is_singular() -> None:
    assert words.counted(1, "payment") == "1 payment"
    assert words.counted(0, "payment") == "0 payments"
    assert words.counted(1500, "company", "companies") == "1,500 companies"


def test_lists_read_as_a_sentence() -> None:
    assert words.listed(["a"]) == "a"
    assert words.listed(["a", "b", "c"]) == "a, b and c"


@pytest.mark.parametrize(
    ("span", "told"),
    [
        (timedelta(seconds=-5), "0 seconds"),
        (timedelta(seconds=119), "119 seconds"),
        (timedelta(minutes=2), "2 minutes"),
        (timedelta(minutes=119), "119 minutes"),
        (timedelta(hours=47), "47 hours"),
        (timedelta(days=71, hours=3), "71 days"),
    ],
)
def test_a_duration_is_told_in_its_largest_unit(span: timedelta, told: str) -> None:
    assert words.duration(span) == told


def test_a_date_ahead_says_how_far() -> None:
    assert words.until(NOON + timedelta(days=14), NOON) == "2026-12-06 12:00 UTC (in 14 days)"
    assert words.until(NOON, NOON) == "2026-11-22 12:00 UTC (passed)"
    assert words.until(None, NOON) == "not known yet"


def test_a_narrow_column_leaves_the_hour_out() -> None:
    assert words.until_day(NOON + timedelta(days=14), NOON) == "2026-12-06 (in 14 days)"
    assert words.until_day(NOON - timedelta(days=1), NOON) == "2026-11-21 (passed)"
    assert words.until_day(None, NOON) == "not known yet"
