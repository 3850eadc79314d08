"""Intuit's rate limits for one realm, driven up to and not above.

What belongs here: when the next call may be sent. What does not: sending it, or what a 429 means.
"""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

# A cycle renews its lease before each wait, so no single wait may be long.
LONGEST_SLEEP_SECONDS = 60.0
_SHORTEST_SLEEP_SECONDS = 0.002


@dataclass(frozen=True, slots=True)
class Limit:
    """At most `calls` calls in any `seconds`; of batches only, if so."""

    seconds: float
    calls: int
    batches_only: bool = False


INTUIT_LIMITS = (Limit(1.0, 10), Limit(60.0, 500), Limit(60.0, 40, batches_only=True))


class _Window:
    """Sliding window over one limit. A call counts from its start until `seconds` after its end."""

    def __init__(self, limit: Limit) -> None:
        self.limit = limit
        self.ended: deque[float] = deque()
        self.under_way = 0

    def wait(self, now: float) -> float:
        while self.ended and self.ended[0] <= now - self.limit.seconds:
            self.ended.popleft()
        if len(self.ended) + self.under_way < self.limit.calls:
            return 0.0
        oldest = self.ended[0] if self.ended else now
        return max(oldest + self.limit.seconds - now, _SHORTEST_SLEEP_SECONDS)


class Pacer:
    """Shared by all clients of one realm in a process. `clock` is monotonic seconds.

    A call is stamped when its answer is in: QuickBooks counts arrivals, and an arrival can't be
    later than its answer, so unequal latencies never squeeze eleven calls into its second.
    """

    def __init__(
        self,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], None] = time.sleep,
        limits: tuple[Limit, ...] = INTUIT_LIMITS,
    ) -> None:
        self._clock = clock
        self._sleep = sleep
        self._windows = tuple(_Window(limit) for limit in limits)
        self._paused_until = float("-inf")
        self._lock = threading.Lock()

    @contextmanager
    def slot(self, *, batch: bool, before_wait: Callable[[], None]) -> Iterator[None]:
        """Wait for room, then hold one call's place while the body runs.

        `before_wait` is called before every sleep (of at most 60 seconds) and may raise to give up.
        """
        windows = [w for w in self._windows if batch or not w.limit.batches_only]
        while (seconds := self._take(windows)) > 0:
            before_wait()
            self._sleep(min(seconds, LONGEST_SLEEP_SECONDS))
        try:
            yield
        finally:
            self._give_back(windows)

    def pause(self, seconds: float) -> None:
        """No call of this realm before `seconds` from now: QuickBooks asked for it."""
        with self._lock:
            self._paused_until = max(self._paused_until, self._clock() + seconds)

    def _take(self, windows: list[_Window]) -> float:
        with self._lock:
            now = self._clock()
            wait = max([self._paused_until - now, *(window.wait(now) for window in windows)])
            if wait <= 0:
                for window in windows:
                    window.under_way += 1
            return wait

    def _give_back(self, windows: list[_Window]) -> None:
        with self._lock:
            now = self._clock()
            for window in windows:
                window.under_way -= 1
                window.ended.append(now)
