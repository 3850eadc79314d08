"""Waiting for what other processes and threads do, as long as the slowest machine needs."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import TypeVar

T = TypeVar("T")
PATIENCE = 180.0


def eventually(what: str, probe: Callable[[], T | None], seconds: float = PATIENCE) -> T:
    """Ask until the answer is true; say what was awaited if it never is."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if answer := probe():
            return answer
        threading.Event().wait(0.2)
    raise AssertionError(f"Waited {seconds:.0f} s in vain: {what}.")
