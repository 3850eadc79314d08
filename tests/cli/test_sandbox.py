"""`qbo-sync sandbox serve`."""

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

import httpx
import pytest

from qbo_sync_dagster.sandbox import postgres

QBO_SYNC = Path(sys.executable).parent / "qbo-sync"


@pytest.fixture
def folder() -> Iterator[Path]:
    # Not under pytest's folders: PostgreSQL's own user must reach it.
    folder = Path(tempfile.mkdtemp(prefix="qbo-sync-sandbox-"))
    yield folder
    postgres.stop_server(folder / "sandbox" / "postgres")
    shutil.rmtree(folder)


def serve(folder: Path, port: int) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [QBO_SYNC, "sandbox", "serve", "--port", str(port), "--json"],
        env={**os.environ, "QBO_SYNC_DATA": str(folder)},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )


def test_it_serves_a_company_tells_the_settings_and_ends_on_a_signal(folder: Path) -> None:
    running = serve(folder, 0)
    try:
        told = json.loads(_whole_object(running))
        environment = told["environment"]
        renewed = httpx.post(
            environment["QBO_OAUTH_TOKEN_URL"],
            auth=(environment["QBO_CLIENT_ID"], environment["QBO_CLIENT_SECRET"]),
            data={
                "grant_type": "refresh_token",
                "refresh_token": environment["QBO_REFRESH_TOKEN"],
            },
            trust_env=False,
            timeout=60,
        )
        [realm] = told["realms"]
        company = httpx.get(
            f"{environment['QBO_API_BASE_URL']}/{realm}/companyinfo/{realm}",
            headers={
                "Authorization": f"Bearer {renewed.json()['access_token']}",
                "Accept": "application/json",
            },
            trust_env=False,
            timeout=60,
        )
    finally:
        running.send_signal(signal.SIGTERM)
        remarks = running.communicate(timeout=60)[1]
    assert company.status_code == 200, company.text
    assert running.returncode == 0
    assert "The sandbox has ended." in remarks


def test_a_port_in_use_is_a_sentence(folder: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        running = serve(folder, port)
        answer, remarks = running.communicate(timeout=120)

    assert (running.returncode, answer) == (1, "")
    assert remarks == f"Port {port} is in use. Choose another with --port.\n"


def _whole_object(running: subprocess.Popen[str]) -> str:
    assert running.stdout is not None
    lines: list[str] = []
    for line in running.stdout:
        lines.append(line)
        if line == "}\n":
            return "".join(lines)
    raise AssertionError(running.communicate()[1])
