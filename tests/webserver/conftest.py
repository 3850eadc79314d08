"""Dagster's page over a world of its own: the web server alone, which carries out what it launches.

No daemon stands behind it, so that a run costs no process: it has ended when the page's request to
launch it is answered. What daemon and queue add is seen in `tests/dagster_daemon`.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pytest
import sqlalchemy as sa

from qbo_sync_dagster.ledger import migrate
from qbo_sync_dagster.ledger.engine import create_ledger_engine
from qbo_sync_dagster.sandbox.postgres import EmbeddedServer
from qbo_sync_dagster.sandbox.quickbooks.process import SandboxProcess
from tests.dagster_daemon.services import Premises, premises, web_server, write_settings
from tests.webserver.opening import opened_page
from tests.webserver.page import Page


@dataclass(frozen=True)
class Office:
    """The web server, and the databases behind it."""

    premises: Premises
    owner: sa.Engine
    url: str
    sandbox: SandboxProcess


def _launch_at_once(settings: dict[str, Any]) -> None:
    """Runs are executed by whoever launches them."""
    del settings["concurrency"], settings["run_monitoring"], settings["run_retries"]
    settings["run_coordinator"] = {
        "module": "dagster._core.run_coordinator",
        "class": "DefaultRunCoordinator",
    }
    settings["run_launcher"] = {
        "module": "dagster._core.launcher.sync_in_memory_run_launcher",
        "class": "SyncInMemoryRunLauncher",
    }


@pytest.fixture(scope="session")
def office(
    postgres_server: EmbeddedServer,
    sandbox_process: SandboxProcess,
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[Office]:
    """One web server for all tests of a worker; each test has a company and a tenant to itself."""
    home = tmp_path_factory.mktemp("webserver_home")
    write_settings(home, _launch_at_once)
    with premises(postgres_server, sandbox_process, home, "page") as made:
        ledger = create_ledger_engine(made.config.ledger_url)
        migrate.upgrade(ledger)
        ledger.dispose()
        owner = sa.create_engine(made.owner_url)
        with web_server(made.environment, home) as url:
            yield Office(made, owner, url, sandbox_process)
        owner.dispose()


@pytest.fixture
def page(office: Office) -> Iterator[Page]:
    """Somebody in accounting at the page of a company with everything linked, auto-sync off."""
    with opened_page(
        office.url,
        office.premises.config,
        office.owner,
        office.sandbox.control,
        lambda _run_id: None,
    ) as page:
        yield page
