"""What Dagster's services need to run in tests: databases, settings, and an end with the tests.

What belongs here: the life of a service and the world that its settings point at. What does not:
which services run, and what is done with them.
"""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import sysconfig
import uuid
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import yaml
from cryptography.fernet import Fernet

from qbo_sync_dagster.quickbooks.settings import QuickBooksSettings
from qbo_sync_dagster.sandbox.algapsa.role import create_role
from qbo_sync_dagster.sandbox.algapsa.schema import create_schema
from qbo_sync_dagster.sandbox.postgres import EmbeddedServer
from qbo_sync_dagster.sandbox.quickbooks.control import CLIENT_ID, CLIENT_SECRET
from qbo_sync_dagster.sandbox.quickbooks.process import SandboxProcess
from qbo_sync_dagster.sync.engine import EngineConfig
from tests.waiting import PATIENCE, eventually

ROOT = Path(__file__).resolve().parents[2]
LOCATION = "qbo_sync_dagster.definitions"
LAUNCH = """
mutation Launch($params: ExecutionParams!) {
  launchRun(executionParams: $params) {
    __typename
    ... on LaunchRunSuccess { run { runId } }
    ... on InvalidSubsetError { message }
    ... on PythonError { message }
  }
}
"""


def graphql(url: str, query: str, **variables: object) -> dict[str, Any]:
    """Ask the web server, as the page does."""
    body = {"query": query, "variables": variables}
    answer = httpx.post(f"{url}/graphql", json=body, timeout=PATIENCE).json()
    assert "errors" not in answer, answer["errors"]
    return dict(answer["data"])


@dataclass(frozen=True)
class Premises:
    """Databases of their own, and the settings by which services find them."""

    config: EngineConfig
    owner_url: str
    dagster_url: str
    environment: dict[str, str]
    home: Path


@contextmanager
def premises(
    server: EmbeddedServer, sandbox: SandboxProcess, home: Path, purpose: str
) -> Iterator[Premises]:
    """Make databases for one set of services; they go with it."""
    names = {
        kind: f"test_{os.getpid()}_{purpose}_{kind}_{uuid.uuid4().hex[:6]}"
        for kind in ("ledger", "algapsa", "dagster")
    }
    urls = {kind: server.create_database(name) for kind, name in names.items()}
    create_schema(urls["algapsa"], "community")
    config = EngineConfig(
        ledger_url=urls["ledger"],
        algapsa_url=create_role(urls["algapsa"], "qbo_sync", "only for tests"),
        secret_key=Fernet.generate_key().decode(),
        quickbooks=QuickBooksSettings(
            sandbox.api_base, sandbox.token_url, CLIENT_ID, CLIENT_SECRET
        ),
    )
    environment = _environment(config, urls["dagster"], home)
    yield Premises(config, urls["algapsa"], urls["dagster"], environment, home)
    for name in names.values():
        server.drop_database(name)


def _environment(config: EngineConfig, dagster_url: str, home: Path) -> dict[str, str]:
    return {
        **os.environ,
        "QBO_SYNC_DATABASE_URL": config.ledger_url,
        "ALGAPSA_DATABASE_URL": config.algapsa_url,
        "DAGSTER_DATABASE_URL": dagster_url,
        "DAGSTER_HOME": str(home),
        "QBO_CLIENT_ID": CLIENT_ID,
        "QBO_CLIENT_SECRET": CLIENT_SECRET,
        "QBO_API_BASE_URL": config.quickbooks.api_base_url,
        "QBO_OAUTH_TOKEN_URL": config.quickbooks.token_url,
        "QBO_ENVIRONMENT": "sandbox",
        "QBO_SYNC_SECRET_KEY": config.secret_key,
    }


def write_settings(home: Path, change: Callable[[dict[str, Any]], None]) -> None:
    """The instance's settings are ours but for what a test has to `change`."""
    settings = yaml.safe_load((ROOT / "dagster.yaml").read_text())
    change(settings)
    (home / "dagster.yaml").write_text(yaml.safe_dump(settings))


@contextmanager
def web_server(environment: Mapping[str, str], home: Path) -> Iterator[str]:
    """The web server over our definitions; its address."""
    port = _free_port()
    workspace = ["-w", str(ROOT / "workspace.yaml")]
    command = ["dagster-webserver", "-h", "127.0.0.1", "-p", str(port), *workspace]
    with service(command, environment, home):
        url = f"http://127.0.0.1:{port}"
        eventually("the web server", lambda: _answers(url))
        yield url


@contextmanager
def daemon(environment: Mapping[str, str], home: Path) -> Iterator[None]:
    """The daemon over our definitions."""
    workspace = ["-w", str(ROOT / "workspace.yaml")]
    with service(["dagster-daemon", "run", *workspace], environment, home):
        yield


@contextmanager
def service(command: list[str], environment: Mapping[str, str], home: Path) -> Iterator[None]:
    """A service with all its children. It ends with the tests, even with ones that are killed."""
    program = Path(sysconfig.get_path("scripts")) / command[0]
    guard = [sys.executable, "-m", "qbo_sync_dagster.cli.demo.guard", str(os.getpid())]
    with (home / f"{command[0]}.log").open("wb") as log:
        child = subprocess.Popen(
            [*guard, sys.executable, str(program), *command[1:]],
            env=dict(environment),
            cwd=home,
            stdout=log,
            stderr=subprocess.STDOUT,
            # What kills the tests' whole group must not kill the guard.
            start_new_session=True,
        )
        try:
            yield
        finally:
            # The guard ends the whole group; killing it would leave the group to itself.
            child.terminate()
            child.wait(PATIENCE)


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _answers(url: str) -> bool:
    with suppress(httpx.HTTPError):
        return httpx.get(f"{url}/server_info", timeout=5).status_code == 200
    return False
