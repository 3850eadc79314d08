"""Intuit's limits: driven up to, never above."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from qbo_sync_dagster.quickbooks.pace import Pacer


class Clock:
    """Seconds that pass by sleeping and by `pass_time`."""

    def __init__(self) -> None:
        self.seconds = 0.0
        self.sleeps: list[float] = []

    def now(self) -> float:
        return self.seconds

    def sleep(self, seconds: float) -> None:
        self.sleeps.append(seconds)
        self.seconds += seconds


def drive(pacer: Pacer, clock: Clock, latencies: list[float], *, batch: bool) -> list[float]:
    """Call after call; each arrives somewhere within its latency. Gives the arrivals."""
    arrivals = []
    for index, latency in enumerate(latencies):
        with pacer.slot(batch=batch, before_wait=lambda: None):
            arrivals.append(clock.seconds + latency * (index % 3) / 2)
            clock.seconds += latency
    return arrivals


def most_in_any(arrivals: list[float], seconds: float) -> int:
    return max(sum(1 for b in arrivals if a <= b < a + seconds) for a in arrivals)


@given(st.lists(st.floats(0, 0.4), min_size=1, max_size=80))
def test_no_second_ever_sees_eleven_calls_whatever_the_latencies(latencies: list[float]) -> None:
    clock = Clock()
    arrivals = drive(Pacer(clock.now, clock.sleep), clock, latencies, batch=False)
    assert most_in_any(arrivals, 1.0) <= 10


def test_ten_calls_go_out_at_once_and_the_eleventh_waits_a_second() -> None:
    clock = Clock()
    drive(Pacer(clock.now, clock.sleep), clock, [0.0] * 10, batch=False)
    assert clock.sleeps == []
    clock = Clock()
    drive(Pacer(clock.now, clock.sleep), clock, [0.0] * 11, batch=False)
    assert clock.seconds == pytest.approx(1.0)


def test_forty_batches_a_minute_and_no_fewer() -> None:
    clock = Clock()
    arrivals = drive(Pacer(clock.now, clock.sleep), clock, [0.1] * 121, batch=True)
    assert most_in_any(arrivals, 60.0) <= 40
    assert clock.seconds < 3 * 60 + 5


def test_five_hundred_calls_a_minute() -> None:
    clock = Clock()
    arrivals = drive(Pacer(clock.now, clock.sleep), clock, [0.01] * 700, batch=False)
    assert most_in_any(arrivals, 60.0) <= 500


def test_calls_under_way_in_other_threads_count() -> None:
    clock = Clock()
    pacer = Pacer(clock.now, clock.sleep)

    def nest(depth: int) -> None:
        if depth:
            with pacer.slot(batch=False, before_wait=stop):
                nest(depth - 1)

    def stop() -> None:
        raise TimeoutError

    nest(10)
    clock.seconds += 5
    with pytest.raises(TimeoutError):
        nest(11)


def test_a_pause_is_slept_in_slices_with_the_lease_renewed_before_each() -> None:
    clock = Clock()
    pacer = Pacer(clock.now, clock.sleep)
    renewals: list[float] = []
    renew: Callable[[], None] = lambda: renewals.append(clock.seconds)  # noqa: E731
    pacer.pause(130)
    with pacer.slot(batch=False, before_wait=renew):
        assert clock.seconds == pytest.approx(130)
    assert clock.sleeps == [60, 60, 10]
    assert renewals == [0, 60, 120]


def test_a_shorter_pause_does_not_end_a_longer_one() -> None:
    clock = Clock()
    pacer = Pacer(clock.now, clock.sleep)
    pacer.pause(50)
    pacer.pause(5)
    with pacer.slot(batch=False, before_wait=lambda: None):
        assert clock.seconds == pytest.approx(50)
