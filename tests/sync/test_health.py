"""When the next cycle is due."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from qbo_sync_dagster.sync.health import next_tick


@pytest.mark.parametrize(
    ("now", "tick"),
    [
        ((14, 0, 0), (14, 15)),
        ((14, 14, 59), (14, 15)),
        ((14, 15, 0), (14, 30)),
        ((14, 52, 7), (15, 0)),
        ((14, 59, 59), (15, 0)),
    ],
)
def test_the_schedule_runs_at_each_quarter_of_an_hour(
    now: tuple[int, int, int], tick: tuple[int, int]
) -> None:
    instant = datetime(2026, 3, 2, *now, 5, tzinfo=UTC)

    assert next_tick(instant) == datetime(2026, 3, 2, *tick, tzinfo=UTC)


def test_the_last_quarter_of_a_day_is_followed_by_the_next_day() -> None:
    assert next_tick(datetime(2026, 12, 31, 23, 50, tzinfo=UTC)) == datetime(2027, 1, 1, tzinfo=UTC)
