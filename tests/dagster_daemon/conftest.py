"""Dagster as it runs in production: daemon, web server and workers as processes of their own.

One set serves all tests of a worker. Each test has a company and a tenant to itself, with
auto-sync off unless it says otherwise, so that the quarter hour does not interfere.
"""

from __future__ import annotations

import os
import re
import signal
import socket
import subprocess
import sys
import sysconfig
import threading
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from datetime import timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any, TypeVar

import dagster as dg
import httpx
import pytest
import sqlalchemy as sa
import yaml
from cryptography.fernet import Fernet

from qbo_sync_dagster.actions.connecting import CompanyToConnect, connect_company
from qbo_sync_dagster.actions.linking import import_links
from qbo_sync_dagster.actions.sync_requests import request_sync_now
from qbo_sync_dagster.ledger import connections, cycles, leases, migrate
from qbo_sync_dagster.ledger.tables import cycles as cycle_table
from qbo_sync_dagster.quickbooks.settings import QuickBooksSettings
from qbo_sync_dagster.sandbox.algapsa import invoices, tenants
from qbo_sync_dagster.sandbox.algapsa.charges import Charge
from qbo_sync_dagster.sandbox.algapsa.role import create_role
from qbo_sync_dagster.sandbox.algapsa.schema import create_schema
from qbo_sync_dagster.sandbox.postgres import EmbeddedServer
from qbo_sync_dagster.sandbox.quickbooks.control import CLIENT_ID, CLIENT_SECRET, SandboxControl
from qbo_sync_dagster.sandbox.quickbooks.process import SandboxProcess
from qbo_sync_dagster.sync.engine import EngineConfig, SyncEngine, open_engine

T = TypeVar("T")
ROOT = Path(__file__).resolve().parents[2]
PATIENCE = 180.0
LOCATION = "qbo_sync_dagster.definitions"
_LAUNCH = """
mutation Launch($params: ExecutionParams!) {
  launchRun(executionParams: $params) {
    __typename
    ... on LaunchRunSuccess { run { runId } }
    ... on InvalidSubsetError { message }
    ... on PythonError { message }
  }
}
"""
_DRY_RUN = """
mutation DryRun($selector: ScheduleSelector!) {
  scheduleDryRun(selectorData: $selector, timestamp: 1795356000) {
    ... on DryRunInstigationTick {
      evaluationResult { skipReason error { message } runRequests { runKey } }
    }
    ... on PythonError { message }
  }
}
"""


def eventually(what: str, probe: Callable[[], T | None], seconds: float = PATIENCE) -> T:
    """Ask until the answer is true; say what was awaited if it never is."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if answer := probe():
            return answer
        threading.Event().wait(0.2)
    raise AssertionError(f"Waited {seconds:.0f} s in vain: {what}.")


@dataclass
class Floor:
    """The running services, and the world that their settings point at."""

    environment: dict[str, str]
    url: str
    instance: dg.DagsterInstance
    engine: SyncEngine
    owner: sa.Engine
    quickbooks: SandboxControl

    def graphql(self, query: str, **variables: object) -> dict[str, Any]:
        """Ask the web server, as the page does."""
        body = {"query": query, "variables": variables}
        answer = httpx.post(f"{self.url}/graphql", json=body, timeout=60).json()
        assert "errors" not in answer, answer["errors"]
        return dict(answer["data"])


@dataclass
class Company:
    """One company with one invoice to export, and what a test does with it."""

    floor: Floor
    realm: str
    key: str
    tenant: str
    client: str
    service: str

    def finalize_invoice(self) -> str:
        """A finalized invoice of 100.00 that QuickBooks lacks."""
        today = self.floor.engine.now().date()
        charges = (Charge("Managed endpoint", 10_000, service_id=self.service),)
        with self.floor.owner.begin() as connection:
            draft = invoices.InvoiceDraft(self.client, today, charges)
            invoice = invoices.draft_invoice(connection, self.tenant, draft)
            invoices.finalize_invoice(connection, self.tenant, invoice, today=today)
        return invoice

    def in_quickbooks(self) -> int:
        """How many invoices the company's books hold."""
        return len(self.floor.quickbooks.list(self.realm, "Invoice"))

    def hold_answers(self, seconds: float, **rule: Any) -> None:
        """Let QuickBooks do as asked but take its time to say so."""
        effect = f"latency:{seconds * 1000:.0f}"
        self.floor.quickbooks.fault(effect, realm=self.realm, times=5, **rule)

    def answer_at_once(self) -> None:
        """End what `hold_answers` began."""
        self.floor.quickbooks.clear_faults(self.realm)

    def ask_for_a_cycle(self) -> None:
        """Sync Now."""
        request_sync_now(self.floor.engine.ledger, self.realm, "a test")

    def configure(self, **columns: object) -> None:
        """Set columns of the connection."""
        with self.floor.engine.ledger.begin() as connection:
            connections.update(connection, self.realm, **columns)

    def holder(self) -> str | None:
        """The run that holds the company's lease."""
        with self.floor.engine.ledger.connect() as connection:
            return leases.holder_of(connection, self.realm)

    def outcomes(self) -> list[str]:
        """How the company's cycles ended, oldest first."""
        query = (
            sa.select(cycle_table.c.outcome)
            .where(cycle_table.c.realm == self.realm)
            .order_by(cycle_table.c.cycle_id)
        )
        with self.floor.engine.ledger.connect() as connection:
            return list(connection.execute(query).scalars())

    def has_open_request(self) -> bool:
        """Whether somebody still waits for a cycle."""
        with self.floor.engine.ledger.connect() as connection:
            return self.realm in cycles.open_requests(connection)

    def runs(self, *statuses: dg.DagsterRunStatus) -> list[dg.DagsterRun]:
        """The company's runs in these states, oldest first."""
        wanted = dg.RunsFilter(tags={"dagster/partition": self.key}, statuses=list(statuses))
        return list(reversed(list(self.floor.instance.get_runs(filters=wanted))))

    def register(self) -> None:
        """Give the company its partition without waiting for the sensor."""
        self.floor.instance.add_dynamic_partitions("realm", [self.key])

    def launch(self, *assets: str, **tags: str) -> dict[str, Any]:
        """Launch the cycle from the page; with `assets`, a click on those alone."""
        everything = {"dagster/partition": self.key, **tags}
        selector: dict[str, object] = {
            "repositoryName": "__repository__",
            "repositoryLocationName": LOCATION,
            "jobName": "__ASSET_JOB" if assets else "sync_cycle",
        }
        if assets:
            selector["assetSelection"] = [{"path": [asset]} for asset in assets]
        listed = [{"key": key, "value": value} for key, value in everything.items()]
        params = {
            "selector": selector,
            "runConfigData": {},
            "executionMetadata": {"tags": listed},
        }
        return dict(self.floor.graphql(_LAUNCH, params=params)["launchRun"])

    def dry_tick(self) -> dict[str, Any]:
        """What the schedule would do now, as the page's test button asks it."""
        selector = {
            "repositoryName": "__repository__",
            "repositoryLocationName": LOCATION,
            "scheduleName": "sync_cycle_schedule",
        }
        answer = self.floor.graphql(_DRY_RUN, selector=selector)["scheduleDryRun"]
        return dict(answer["evaluationResult"])

    def in_mid_cycle(self) -> dg.DagsterRun:
        """The run that has sent its invoice and waits for the answer."""

        def waiting() -> dg.DagsterRun | None:
            runs = self.runs(dg.DagsterRunStatus.STARTED)
            return runs[-1] if runs and self.in_quickbooks() else None

        return eventually("a cycle that has sent its invoice", waiting)

    def until(self, what: str, probe: Callable[[], T | None]) -> T:
        """Wait until the answer is true."""
        return eventually(what, probe)

    def end_of(self, run_id: str) -> dg.DagsterRunStatus:
        """Wait for a run's end; how it ended."""

        def ended() -> dg.DagsterRunStatus | None:
            run = self.floor.instance.get_run_by_id(run_id)
            return run.status if run is not None and run.is_finished else None

        return eventually(f"the end of run {run_id}", ended)

    def stages_of(self, run_id: str) -> set[str]:
        """The stages that a run has shown."""
        shown = dg.DagsterEventType.ASSET_MATERIALIZATION
        entries = self.floor.instance.all_logs(run_id, of_type=shown)
        return {
            str(entry.asset_key.to_user_string())
            for each in entries
            if (entry := each.dagster_event) is not None and entry.asset_key
        }

    def worker_of(self, run: dg.DagsterRun) -> int:
        """The process id of a run's worker."""
        for entry in self.floor.instance.all_logs(run.run_id):
            if found := re.search(r"in process \(pid: (\d+)\)", entry.message or ""):
                return int(found.group(1))
        raise AssertionError("The run has no worker yet.")


@pytest.fixture(scope="session")
def floor(
    postgres_server: EmbeddedServer,
    sandbox_process: SandboxProcess,
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[Floor]:
    """Daemon and web server over databases of their own."""
    home = tmp_path_factory.mktemp("dagster_home")
    names = {
        kind: f"test_{os.getpid()}_{kind}_{uuid.uuid4().hex[:6]}"
        for kind in ("floor_ledger", "floor_algapsa", "floor_dagster")
    }
    urls = {kind: postgres_server.create_database(name) for kind, name in names.items()}
    create_schema(urls["floor_algapsa"], "community")
    config = EngineConfig(
        ledger_url=urls["floor_ledger"],
        algapsa_url=create_role(urls["floor_algapsa"], "qbo_sync", "only for tests"),
        secret_key=Fernet.generate_key().decode(),
        quickbooks=QuickBooksSettings(
            sandbox_process.api_base, sandbox_process.token_url, CLIENT_ID, CLIENT_SECRET
        ),
    )
    environment = {
        **os.environ,
        "QBO_SYNC_DATABASE_URL": config.ledger_url,
        "ALGAPSA_DATABASE_URL": config.algapsa_url,
        "DAGSTER_DATABASE_URL": urls["floor_dagster"],
        "DAGSTER_HOME": str(home),
        "QBO_CLIENT_ID": CLIENT_ID,
        "QBO_CLIENT_SECRET": CLIENT_SECRET,
        "QBO_API_BASE_URL": sandbox_process.api_base,
        "QBO_OAUTH_TOKEN_URL": sandbox_process.token_url,
        "QBO_ENVIRONMENT": "sandbox",
        "QBO_SYNC_SECRET_KEY": config.secret_key,
    }
    _write_settings(home)
    with ExitStack() as stack:
        engine = stack.enter_context(open_engine(config))
        migrate.upgrade(engine.ledger)
        port = _free_port()
        workspace = ["-w", str(ROOT / "workspace.yaml")]
        web = ["dagster-webserver", "-h", "127.0.0.1", "-p", str(port), *workspace]
        stack.enter_context(_service(web, environment, home))
        url = f"http://127.0.0.1:{port}"
        eventually("the web server", lambda: _answers(url))
        stack.enter_context(_service(["dagster-daemon", "run", *workspace], environment, home))
        stack.enter_context(pytest.MonkeyPatch.context()).setenv(
            "DAGSTER_DATABASE_URL", urls["floor_dagster"]
        )
        instance = stack.enter_context(dg.DagsterInstance.from_config(str(home)))
        owner = sa.create_engine(urls["floor_algapsa"])
        yield Floor(environment, url, instance, engine, owner, sandbox_process.control)
        owner.dispose()
    for name in names.values():
        postgres_server.drop_database(name)


@pytest.fixture
def company(floor: Floor) -> Iterator[Company]:
    """A connected company with everything linked, auto-sync off."""
    with floor.owner.begin() as connection:
        tenant = tenants.create_tenant(connection, "Cedar Ridge IT")
        region = tenants.TaxRegion("US-WA", "Washington", Decimal("8.25"))
        tenants.create_tax_region(connection, tenant, region)
        client = tenants.create_client(connection, tenant, tenants.Client("Quarry Lane Dental"))
        wanted = tenants.Service("Managed endpoint", 10_000)
        service = tenants.create_service(connection, tenant, wanted)
    made = floor.quickbooks.create_realm("Cedar Ridge IT", custom_txn_numbers=True)
    item = str(floor.quickbooks.item(made.realm, "Managed endpoint")["Id"])
    customer = str(floor.quickbooks.customer(made.realm, "Quarry Lane Dental")["Id"])
    [term, *_] = floor.quickbooks.list(made.realm, "Term")
    to_connect = CompanyToConnect(
        tenant=tenant,
        realm=made.realm,
        company_name="Cedar Ridge IT",
        time_zone="UTC",
        refresh_token=made.refresh_token,
        go_live_date=floor.engine.now().date() - timedelta(days=10),
    )
    connected = connect_company(floor.engine.ledger, floor.engine.cipher, to_connect).connection
    rows = [
        ("client", client, customer),
        ("service", service, item),
        ("tax_region", "US-WA", "TAX"),
        ("payment_term", "net_30", str(term["Id"])),
    ]
    lines = "".join(f"{','.join(row)}\n" for row in rows)
    import_links(floor.engine, made.realm, f"kind,AlgaPSA id,QuickBooks id\n{lines}")
    company = Company(floor, made.realm, connected.company, tenant, client, service)
    company.configure(auto_sync=False)
    yield company
    company.answer_at_once()
    company.configure(auto_sync=False)


def _write_settings(home: Path) -> None:
    """Ours, but for looking more often whether a run took too long."""
    settings = yaml.safe_load((ROOT / "dagster.yaml").read_text())
    settings["run_monitoring"]["poll_interval_seconds"] = 2
    (home / "dagster.yaml").write_text(yaml.safe_dump(settings))


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _answers(url: str) -> bool:
    with suppress(httpx.HTTPError):
        return httpx.get(f"{url}/server_info", timeout=5).status_code == 200
    return False


@contextmanager
def _service(command: list[str], environment: dict[str, str], home: Path) -> Iterator[None]:
    """A service with all its children, which end with it."""
    program = Path(sysconfig.get_path("scripts")) / command[0]
    with (home / f"{command[0]}.log").open("wb") as log:
        child = subprocess.Popen(
            [sys.executable, str(program), *command[1:]],
            env=environment,
            cwd=home,
            stdout=log,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
        try:
            yield
        finally:
            child.terminate()
            with suppress(subprocess.TimeoutExpired):
                child.wait(10)
            with suppress(ProcessLookupError):
                os.killpg(child.pid, signal.SIGKILL)
            child.wait()
