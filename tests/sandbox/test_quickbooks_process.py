"""The sandbox as a process: where it listens, how it ends, what it remembers."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import httpx
import psutil

from qbo_sync_dagster.sandbox.quickbooks.process import SandboxProcess


def test_state_lives_in_the_database_and_not_in_the_process(
    fresh_database: Callable[[], str],
) -> None:
    dsn = fresh_database()
    with SandboxProcess(dsn) as first:
        realm = first.control.create_realm("Harbor IT").realm
        first.control.advance(3600)
        with SandboxProcess(dsn) as second:
            assert second.control.realms() == [realm]
            second.control.customer(realm, "Blue Fern Ltd")
            assert second.control.now() > datetime.now(UTC) + timedelta(minutes=50)
        (customer,) = first.control.list(realm, "Customer")
        assert customer["DisplayName"] == "Blue Fern Ltd"


def test_leaving_the_context_ends_the_child(fresh_database: Callable[[], str]) -> None:
    with SandboxProcess(fresh_database()) as process:
        assert httpx.get(f"{process.base_url}/health").text == "ok"
    assert not psutil.pid_exists(process.pid)


def test_a_killed_parent_takes_its_sandbox_along(fresh_database: Callable[[], str]) -> None:
    script = (
        "import sys, time\n"
        "from qbo_sync_dagster.sandbox.quickbooks.process import SandboxProcess\n"
        f"process = SandboxProcess({fresh_database()!r})\n"
        "print(process.pid, flush=True)\n"
        "time.sleep(60)\n"
    )
    parent = subprocess.Popen([sys.executable, "-c", script], stdout=subprocess.PIPE, text=True)
    assert parent.stdout is not None
    child = psutil.Process(int(parent.stdout.readline()))
    parent.kill()
    parent.wait()
    parent.stdout.close()
    assert child.wait(30) is None or not child.is_running()
