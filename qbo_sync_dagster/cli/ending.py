"""Ending in order on SIGINT, SIGTERM and SIGHUP: unwind once, and let nothing interrupt that."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


class EndAskedError(BaseException):
    """Somebody asked this process to end. Not an Exception: no handler of errors may eat it."""


EXIT_CODE = 130


@contextmanager
def orderly_end() -> Iterator[None]:
    """Inside, the first signal raises EndAskedError; later ones are ignored while that unwinds."""

    def end(_number: int, _frame: FrameType | None) -> None:
        for each in _SIGNALS:
            signal.signal(each, signal.SIG_IGN)
        raise EndAskedError

    before = {each: signal.signal(each, end) for each in _SIGNALS}
    try:
        yield
    finally:
        for each, handler in before.items():
            signal.signal(each, handler)
