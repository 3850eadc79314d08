"""A function run in a process of its own that may be killed in the middle of it.

Belongs here: forking, what comes back, and how it ended. Does not: what is run. Forked instead of
started, because the imports of a new process take longer than a whole cycle.
"""

from __future__ import annotations

import io
import os
import pickle
import signal
import traceback
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any


class ChildFailedError(Exception):
    """The child met an exception of its own; the message is its traceback."""


@dataclass(frozen=True, slots=True)
class Ended:
    """How a child ended: killed at what it said last, or with a result."""

    was_killed: bool
    told: Any


def in_a_child(act: Callable[[Callable[[Any], None]], Any]) -> Ended:
    """Run `act(tell)` in a forked child until it returns or is killed.

    What it returned, or what it told last before it was killed. Raises ChildFailedError.
    The caller has no threads, and its connections are not the child's to use.
    """
    reader, writer = os.pipe()
    child = os.fork()
    if child == 0:
        os.close(reader)
        _be_the_child(act, writer)
    os.close(writer)
    with os.fdopen(reader, "rb") as pipe:
        messages = _messages(pipe.read())
    _, status = os.waitpid(child, 0)
    if os.WIFSIGNALED(status) and os.WTERMSIG(status) == signal.SIGKILL:
        return Ended(was_killed=True, told=messages[-1][1] if messages else None)
    if not messages or messages[-1][0] == "failed":
        raise ChildFailedError(messages[-1][1] if messages else f"It ended with {status}.")
    return Ended(was_killed=False, told=messages[-1][1])


def _be_the_child(act: Callable[[Callable[[Any], None]], Any], writer: int) -> None:
    def send(kind: str, told: object) -> None:
        os.write(writer, pickle.dumps((kind, told)))

    try:
        told = act(lambda said: send("told", said))
        with os.fdopen(writer, "wb", closefd=False) as pipe:
            pipe.write(pickle.dumps(("returned", told)))
    except BaseException:  # noqa: BLE001 - the parent is told, whatever it was
        send("failed", traceback.format_exc()[-3000:])
    finally:
        # Nothing of the parent's is flushed, closed or given back here.
        os._exit(0)


def _messages(content: bytes) -> list[tuple[str, Any]]:
    stream, messages = io.BytesIO(content), []
    while stream.tell() < len(content):
        messages.append(pickle.load(stream))  # noqa: S301  (our own child's words)
    return messages
