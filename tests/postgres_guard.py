"""`python postgres_guard.py FOLDER USERS PID`: ends the tests' PostgreSQL when a run is killed.

A run that is killed, by a time limit for one, can't stop the server it used, which would then stay
for as long as the machine is up. The run holds the other end of this process's standard input.
"""

from __future__ import annotations

import os
import sys
from contextlib import suppress
from pathlib import Path


def main(folder: Path, users: Path, pid: str) -> None:
    """Wait until the run is gone; stop the server unless the run did, or another one uses it."""
    sys.stdin.read()
    mine = users / pid
    if not mine.exists():
        return
    # Heavy, and needed only where a run was killed.
    from qbo_sync_dagster.sandbox import postgres  # noqa: PLC0415

    with postgres.starting_lock(folder):
        mine.unlink(missing_ok=True)
        if not any(_is_alive(entry.name) for entry in users.iterdir()):
            postgres.stop_server(folder)


def _is_alive(pid: str) -> bool:
    with suppress(ProcessLookupError):
        os.kill(int(pid), 0)
        return True
    return False


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]), sys.argv[3])
