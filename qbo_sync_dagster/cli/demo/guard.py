"""`python -m qbo_sync_dagster.cli.demo.guard PID COMMAND ...`: a child that ends with its parent.

A parent that is killed cannot end its children, and a daemon left behind would go on running
cycles. So each runs under a guard that ends its whole process group when the parent is gone.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from contextlib import suppress
from types import FrameType

_CHECK_SECONDS = 0.5
_GRACE_SECONDS = 8.0


def main(parent: int, command: list[str]) -> int:
    """Run the command in a process group of its own until it ends, a signal comes, or `parent`
    (the pid of this process's parent) is gone. Its exit code, or 0 if it was ended.
    """
    ending: list[int] = []

    def end(number: int, _frame: FrameType | None) -> None:
        ending.append(number)

    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        signal.signal(number, end)
    child = subprocess.Popen(command, start_new_session=True)  # noqa: S603 - our own services
    while child.poll() is None and not ending and os.getppid() == parent:
        time.sleep(_CHECK_SECONDS)
    ended_itself = child.poll() is not None
    _end_group(child)
    return child.returncode if ended_itself else 0


def _end_group(child: subprocess.Popen[bytes]) -> None:
    _signal_group(child.pid, signal.SIGTERM)
    with suppress(subprocess.TimeoutExpired):
        child.wait(_GRACE_SECONDS)
    # What the child started may still run, or may have ignored the request.
    _signal_group(child.pid, signal.SIGKILL)
    child.wait()


def _signal_group(group: int, number: signal.Signals) -> None:
    with suppress(ProcessLookupError, PermissionError):
        os.killpg(group, number)


if __name__ == "__main__":
    sys.exit(main(int(sys.argv[1]), sys.argv[2:]))
