"""`qbo-sync demo`: from nothing to both sides in step, again without work, and ended in order."""

from __future__ import annotations

import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest

from qbo_sync_dagster.sandbox import postgres
from tests.waiting import PATIENCE, eventually

QBO_SYNC = Path(sys.executable).parent / "qbo-sync"
FIGURES = ("quickbooks_writes", "algapsa_writes", "metered_calls")


class Demo:
    """A data folder, and what starts a demo in it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        # Settings of a real company must not reach the demo.
        self.environment = {
            **os.environ,
            "QBO_SYNC_DATA": str(folder),
            "QBO_SYNC_DATABASE_URL": "postgresql://127.0.0.1:9/real",
            "QBO_API_BASE_URL": "http://127.0.0.1:9/real",
        }

    def start(self, *arguments: str) -> subprocess.Popen[str]:
        return subprocess.Popen(
            [QBO_SYNC, "demo", *arguments],
            env=self.environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )

    def once(self) -> list[dict[str, Any]]:
        child = self.start("--once", "--json")
        answer, remarks = child.communicate(timeout=300)
        assert child.returncode == 0, remarks
        told = json.loads(answer)
        assert set(told) == {"companies"}
        companies: list[dict[str, Any]] = told["companies"]
        return companies

    def processes(self) -> list[str]:
        """Command lines of living processes that were started with this data folder."""
        found = []
        for process in psutil.process_iter(["environ", "cmdline"]):
            command = " ".join(process.info["cmdline"] or [])
            settings = " ".join((process.info["environ"] or {}).values())
            if str(self.folder) in f"{command} {settings}":
                found.append(command)
        return found


@pytest.fixture(scope="module")
def demo() -> Iterator[Demo]:
    # Not under pytest's folders: PostgreSQL's own user must reach it.
    folder = Path(tempfile.mkdtemp(prefix="qbo-sync-demo-"))
    yield Demo(folder)
    postgres.stop_server(folder / "demo" / "postgres")
    shutil.rmtree(folder)


@pytest.fixture(scope="module")
def first(demo: Demo) -> list[dict[str, Any]]:
    """What the first run on a fresh folder says."""
    return demo.once()


def test_the_first_run_brings_both_sides_in_step(first: list[dict[str, Any]]) -> None:
    assert [each["outcome"] for each in first] == ["succeeded", "succeeded"]
    for company in first:
        assert set(company) == {
            *("realm", "company", "outcome", "summary", "pending", "errored", "drift"),
            *("open_exceptions", *FIGURES),
        }
        assert company["quickbooks_writes"] > 0
        assert company["algapsa_writes"] > 0
        assert (company["pending"], company["errored"]) == (0, 0)


def test_the_next_run_finds_nothing_to_do_for_one_metered_call_each(
    demo: Demo, first: list[dict[str, Any]]
) -> None:
    again = demo.once()

    assert [each["company"] for each in again] == [each["company"] for each in first]
    assert [each["outcome"] for each in again] == ["succeeded", "succeeded"]
    assert [tuple(each[figure] for figure in FIGURES) for each in again] == [(0, 0, 1)] * 2


def test_the_key_of_the_demo_is_its_owners_alone(demo: Demo, first: object) -> None:
    assert (demo.folder / "demo" / "secret.key").stat().st_mode & 0o777 == 0o600


def test_nothing_is_left_running_after_a_run(demo: Demo, first: object) -> None:
    eventually("the end of every process", lambda: not demo.processes())


def test_the_whole_demo_serves_dagster_refuses_a_second_start_and_ends_in_order(
    demo: Demo, first: object
) -> None:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = str(probe.getsockname()[1])
    running = demo.start("--json", "--port", port)
    try:
        told = json.loads(_whole_object(running))
        second = demo.start("--once", "--json")
        answer, complaint = second.communicate(timeout=120)

        assert told["url"] == f"http://127.0.0.1:{port}"
        assert len(told["companies"]) == 2
        assert second.returncode == 1
        assert answer == ""
        assert "The demo runs already" in complaint
        assert any("dagster-daemon" in each for each in demo.processes())
        _finds_everything_in_place(demo)
    finally:
        running.send_signal(signal.SIGTERM)
        remarks = running.communicate(timeout=PATIENCE)[1]
    assert running.returncode == 0, remarks
    assert "Traceback" not in remarks
    eventually("the end of every process", lambda: not demo.processes())


def test_a_service_ends_with_all_it_started_when_the_demo_is_killed(tmp_path: Path) -> None:
    started = tmp_path / "started"
    service = f"sleep 600 & echo $! > {started}.new; mv {started}.new {started}; wait"
    demo = "import os, subprocess, sys, time\n"
    demo += "subprocess.Popen([*sys.argv[1:4], str(os.getpid()), *sys.argv[4:]])\n"
    demo += "time.sleep(600)"
    guard = (sys.executable, "-m", "qbo_sync_dagster.cli.demo.guard")
    parent = subprocess.Popen([sys.executable, "-c", demo, *guard, "sh", "-c", service])
    eventually("its start", started.exists)
    pid = int(started.read_text())
    assert psutil.pid_exists(pid)

    parent.kill()
    parent.wait()

    eventually("its end", lambda: not psutil.pid_exists(pid))


def _whole_object(running: subprocess.Popen[str]) -> str:
    assert running.stdout is not None
    lines: list[str] = []
    for line in running.stdout:
        lines.append(line)
        if line == "}\n":
            return "".join(lines)
    raise AssertionError(running.communicate()[1])


def _finds_everything_in_place(demo: Demo) -> None:
    settings = demo.folder / "demo" / "settings.sh"
    done = subprocess.run(
        ["sh", "-c", f". {settings}; {QBO_SYNC} doctor --json"],
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert settings.stat().st_mode & 0o777 == 0o600
    assert json.loads(done.stdout)["healthy"] is True, done.stdout + done.stderr
