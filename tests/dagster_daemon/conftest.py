"""Dagster as it runs in production: daemon, web server and workers as processes of their own.

One set serves all tests of a worker. Each test has a company and a tenant to itself, with
auto-sync off unless it says otherwise, so that the quarter hour does not interfere.
"""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import timedelta
from decimal import Decimal
from typing import Any, TypeVar

import dagster as dg
import pytest
import sqlalchemy as sa

from qbo_sync_dagster.actions.connecting import CompanyToConnect, connect_company
from qbo_sync_dagster.actions.linking import import_links
from qbo_sync_dagster.actions.sync_requests import request_sync_now
from qbo_sync_dagster.ledger import connections, cycles, leases, migrate
from qbo_sync_dagster.ledger.tables import cycles as cycle_table
from qbo_sync_dagster.sandbox.algapsa import invoices, tenants
from qbo_sync_dagster.sandbox.algapsa.charges import Charge
from qbo_sync_dagster.sandbox.postgres import EmbeddedServer
from qbo_sync_dagster.sandbox.quickbooks.control import SandboxControl
from qbo_sync_dagster.sandbox.quickbooks.process import SandboxProcess
from qbo_sync_dagster.sync.engine import SyncEngine, open_engine
from tests.dagster_daemon.services import (
    LAUNCH,
    LOCATION,
    daemon,
    graphql,
    premises,
    web_server,
    write_settings,
)
from tests.waiting import eventually

T = TypeVar("T")
_QUARTER_SECONDS = 900
_BEFORE_TICK_SECONDS, _AFTER_TICK_SECONDS = 60, 20
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
        return graphql(self.url, query, **variables)


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
        return dict(self.floor.graphql(LAUNCH, params=params)["launchRun"])

    def wait_between_ticks(self) -> None:
        """Come clear of the quarter hour: with auto-sync on, its own tick would start a run."""
        since = time.time() % _QUARTER_SECONDS
        if since > _QUARTER_SECONDS - _BEFORE_TICK_SECONDS:
            time.sleep(_QUARTER_SECONDS - since + _AFTER_TICK_SECONDS)
        elif since < _AFTER_TICK_SECONDS:
            time.sleep(_AFTER_TICK_SECONDS - since)

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
    write_settings(home, _look_often)
    with ExitStack() as stack:
        made = stack.enter_context(premises(postgres_server, sandbox_process, home, "floor"))
        engine = stack.enter_context(open_engine(made.config))
        migrate.upgrade(engine.ledger)
        url = stack.enter_context(web_server(made.environment, home))
        stack.enter_context(daemon(made.environment, home))
        stack.enter_context(pytest.MonkeyPatch.context()).setenv(
            "DAGSTER_DATABASE_URL", made.dagster_url
        )
        instance = stack.enter_context(dg.DagsterInstance.from_config(str(home)))
        owner = sa.create_engine(made.owner_url)
        stack.callback(owner.dispose)
        yield Floor(made.environment, url, instance, engine, owner, sandbox_process.control)


def _look_often(settings: dict[str, Any]) -> None:
    """Look more often whether a run took too long."""
    settings["run_monitoring"]["poll_interval_seconds"] = 2


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
