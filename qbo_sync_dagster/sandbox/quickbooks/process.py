"""The sandbox as a child process: started, waited for, ended by its pid.

Belongs here: the child's life. Does not: what it serves.
"""

from __future__ import annotations

import os
import subprocess
import sys
from types import TracebackType
from typing import Self

from qbo_sync_dagster.sandbox.quickbooks.control import SandboxControl

_ANNOUNCEMENT = "listening on "
_END_SECONDS = 5


class SandboxStartError(Exception):
    """The sandbox process ended before it listened; its own words follow."""


class SandboxProcess:
    """A running sandbox over one database. Use as a context manager, or call `stop`."""

    def __init__(self, dsn: str, port: int = 0) -> None:
        command = [sys.executable, "-m", "qbo_sync_dagster.sandbox.quickbooks"]
        options = ["--dsn", dsn, "--port", str(port), "--end-with-parent", str(os.getpid())]
        # A session of its own: Ctrl-C in a terminal is for the parent, which then ends the child.
        self._child = subprocess.Popen(  # noqa: S603  (our own module)
            [*command, *options], stdout=subprocess.PIPE, text=True, start_new_session=True
        )
        self.base_url = self._announced()
        self.control = SandboxControl(self.base_url)

    @property
    def api_base(self) -> str:
        """What stands before the realm in each call: `.../v3/company`."""
        return self.control.api_base

    @property
    def token_url(self) -> str:
        """The OAuth token endpoint."""
        return self.control.token_url

    @property
    def pid(self) -> int:
        """The child's process id."""
        return self._child.pid

    def stop(self) -> None:
        """End the child; kill it if it does not listen."""
        self.control.close()
        self._child.terminate()
        try:
            self._child.wait(_END_SECONDS)
        except subprocess.TimeoutExpired:
            self._child.kill()
            self._child.wait()
        if self._child.stdout is not None:
            self._child.stdout.close()

    def _announced(self) -> str:
        line = self._child.stdout.readline() if self._child.stdout else ""
        if not line.startswith(_ANNOUNCEMENT):
            self._child.wait()
            message = f"The sandbox did not start (exit code {self._child.returncode})."
            raise SandboxStartError(message)
        return line.removeprefix(_ANNOUNCEMENT).strip()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.stop()
