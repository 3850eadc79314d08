"""Other processes of the engine, stopped and woken at will, as when a machine sleeps.

A child is forked and opens everything anew. It stops itself before one function of the engine, so
that nothing depends on who is faster: whoever waits for it gets it asleep there, or ended.
"""

from __future__ import annotations

import os
import pickle
import signal
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any
from unittest import mock

from qbo_sync_dagster.sync.engine import SyncEngine
from tests.scenarios.conftest import World

Work = Callable[[SyncEngine], Any]


@dataclass
class Process:
    """A process that works on the world; `asleep` while it is stopped."""

    pid: int
    _results: int
    asleep: bool = False
    ended: bool = False

    def wait(self) -> Process:
        """Return once it is asleep or has ended."""
        if not self.ended:
            _, status = os.waitpid(self.pid, os.WUNTRACED)
            self.asleep = os.WIFSTOPPED(status)
            self.ended = not self.asleep
        return self

    def wake(self) -> None:
        """Have it go on where it fell asleep."""
        self.asleep = False
        os.kill(self.pid, signal.SIGCONT)

    def result(self) -> Any:
        """What it returned; it is woken and awaited. Fails with what it raised."""
        if self.asleep:
            self.wake()
        self.wait()
        with os.fdopen(self._results, "rb") as pipe:
            kind, told = pickle.loads(pipe.read())  # noqa: S301  (our own child's words)
        assert kind == "returned", told
        return told

    def end(self) -> None:
        """Have it gone, whatever it does."""
        with suppress(ProcessLookupError, ChildProcessError):
            if not self.ended:
                os.kill(self.pid, signal.SIGKILL)
                os.waitpid(self.pid, 0)


@dataclass
class Processes:
    """Starts processes on a world and ends what is left of them."""

    world: World
    _started: list[Process] = field(default_factory=list)

    def start(
        self, work: Work, *, asleep_before: str = "", when: Callable[..., bool] | None = None
    ) -> Process:
        """Have a new process do `work(engine)`.

        It falls asleep once before a named function, at the first call for which `when` holds.
        """
        config = self.world.engine.config
        reader, writer = os.pipe()
        pid = os.fork()
        if pid == 0:
            os.close(reader)
            if asleep_before:
                _sleep_before(asleep_before, when or (lambda *_, **__: True))
            _live(lambda: work(SyncEngine(config, sleep=lambda _: None)), writer)
        os.close(writer)
        self._started.append(Process(pid, reader))
        return self._started[-1]

    def end(self) -> None:
        """End what still runs or sleeps."""
        for each in self._started:
            each.end()


def _live(work: Callable[[], Any], writer: int) -> None:
    """The whole life of a child: nothing of its parent's is closed or given back."""
    try:
        told = ("returned", work())
    except BaseException as error:  # noqa: BLE001  (the parent is told, whatever it was)
        told = ("failed", repr(error))
    os.write(writer, pickle.dumps(told))
    os._exit(0)


def _sleep_before(target: str, when: Callable[..., bool]) -> None:
    patch = mock.patch(target, autospec=True)
    original, _ = patch.get_original()
    slept = False

    def asleep_first(*args: Any, **options: Any) -> Any:
        nonlocal slept
        if not slept and when(*args, **options):
            slept = True
            os.kill(os.getpid(), signal.SIGSTOP)
        return original(*args, **options)

    patch.start().side_effect = asleep_first
