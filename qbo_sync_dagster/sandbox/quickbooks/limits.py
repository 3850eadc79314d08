"""Intuit's limits per company: calls a second, calls and batches a minute.

Belongs here: counting. Does not: the answer to a call too many.
"""

from __future__ import annotations

import threading
from collections import defaultdict, deque
from datetime import datetime

PER_SECOND = 10
PER_MINUTE = 500
BATCHES_PER_MINUTE = 40


class Limiter:
    """Sliding windows per company, kept by the one process that serves it."""

    def __init__(self) -> None:
        self._calls: dict[str, deque[float]] = defaultdict(deque)
        self._batches: dict[str, deque[float]] = defaultdict(deque)
        self._lock = threading.Lock()

    def admits(self, realm: str, now: datetime, *, is_batch: bool) -> bool:
        """Whether one more call fits; it is counted if it does."""
        at = now.timestamp()
        with self._lock:
            calls, batches = self._calls[realm], self._batches[realm]
            for window in (calls, batches):
                while window and window[0] <= at - 60:
                    window.popleft()
            in_last_second = sum(1 for each in calls if each > at - 1)
            if len(calls) >= PER_MINUTE or in_last_second >= PER_SECOND:
                return False
            if is_batch and len(batches) >= BATCHES_PER_MINUTE:
                return False
            calls.append(at)
            if is_batch:
                batches.append(at)
            return True
