"""The world of a benchmark: its own PostgreSQL server, a sandbox process, one connected company.

Belongs here: building that world and running one cycle in it. Does not: what is measured of it.
"""

from __future__ import annotations

import json
import secrets
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import sqlalchemy as sa
from cryptography.fernet import Fernet

from benchmarks.one_cycle import CycleOrder, CycleReport
from qbo_sync_dagster.actions.connecting import CompanyToConnect, connect_company
from qbo_sync_dagster.actions.linking import import_links
from qbo_sync_dagster.ledger import migrate
from qbo_sync_dagster.quickbooks.settings import QuickBooksSettings
from qbo_sync_dagster.sandbox import postgres
from qbo_sync_dagster.sandbox.algapsa import tenants
from qbo_sync_dagster.sandbox.algapsa.bulk import bulk_invoices
from qbo_sync_dagster.sandbox.algapsa.role import create_role
from qbo_sync_dagster.sandbox.algapsa.schema import create_schema
from qbo_sync_dagster.sandbox.quickbooks.control import CLIENT_ID, CLIENT_SECRET, SandboxControl
from qbo_sync_dagster.sandbox.quickbooks.process import SandboxProcess
from qbo_sync_dagster.sync.engine import EngineConfig, SyncEngine, open_engine

CLIENTS = 40
SERVICES = 25
GO_LIVE_DAYS_AGO = 30
_NET_30 = "3"
_OBJECTS_A_CALL = 500

# PostgreSQL as installed keeps its promises to the disk.
_AS_IN_PRODUCTION: dict[str, str] = {}


class BenchmarkError(Exception):
    """The cycle did not do what was to be measured; the message says what it did."""


@dataclass(frozen=True, slots=True)
class World:
    """One provider whose clients and services are linked, and the company they are linked to."""

    config: EngineConfig
    quickbooks: SandboxControl
    realm: str
    algapsa: sa.Engine
    tenant: str
    customers: dict[str, str]
    services: dict[str, str]

    def bill(self, count: int, *, days_ago: int = 0) -> list[str]:
        """Finalized invoices of three lines each, dealt over the clients; their ids."""
        with self.algapsa.begin() as connection:
            ids = bulk_invoices(
                connection,
                self.tenant,
                count,
                client_ids=list(self.customers),
                service_ids=list(self.services),
                invoice_date=today() - timedelta(days=days_ago),
            )
        with self.algapsa.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
            # Autovacuum would do it within a minute, and a benchmark does not wait that long.
            connection.execute(sa.text("ANALYZE"))
        return ids

    def seed(self, objects: Sequence[dict[str, Any]]) -> list[str]:
        """Objects that bookkeepers made in QuickBooks; their ids."""
        ids: list[str] = []
        for start in range(0, len(objects), _OBJECTS_A_CALL):
            ids += self.quickbooks.seed(self.realm, objects[start : start + _OBJECTS_A_CALL])
        return ids

    def link(self, rows: Sequence[tuple[str, str, str]]) -> None:
        """Links (kind, AlgaPSA id, QuickBooks id), imported as staff import them."""
        with open_engine(self.config) as engine:
            link(engine, self.realm, rows)

    def cycle(self, *, keeps_limits: bool) -> CycleReport:
        """One cycle in a process of its own, so that nothing else counts as the engine's."""
        order = CycleOrder(asdict(self.config), self.realm, keeps_limits=keeps_limits)
        done = subprocess.run(
            [sys.executable, "-m", "benchmarks.one_cycle"],
            input=json.dumps(asdict(order)),
            stdout=subprocess.PIPE,
            text=True,
            check=False,
        )
        if done.returncode:
            raise BenchmarkError(f"The engine's process ended with {done.returncode}.")
        report = CycleReport(**json.loads(done.stdout))
        if report.outcome != "succeeded":
            raise BenchmarkError(f"The cycle {report.outcome}: {report.sentence}")
        return report


@contextmanager
def open_world(*, forgetful: bool = False) -> Iterator[World]:
    """A new world in a temporary folder, gone when the context ends.

    `forgetful` lets its databases skip the waits for the disk that a real one makes.
    """
    settings = postgres.FAST_AND_FORGETFUL if forgetful else _AS_IN_PRODUCTION
    with (
        tempfile.TemporaryDirectory(prefix="qbo-sync-benchmark-") as folder,
        postgres.start(Path(folder) / "pg", settings) as server,
        SandboxProcess(server.create_database("quickbooks")) as sandbox,
    ):
        algapsa_url = server.create_database("algapsa")
        create_schema(algapsa_url, "community")
        algapsa = sa.create_engine(algapsa_url)
        config = EngineConfig(
            ledger_url=server.create_database("ledger"),
            algapsa_url=create_role(algapsa_url, "qbo_sync", secrets.token_hex(8)),
            secret_key=Fernet.generate_key().decode(),
            quickbooks=QuickBooksSettings(
                sandbox.api_base, sandbox.token_url, CLIENT_ID, CLIENT_SECRET
            ),
        )
        try:
            yield _connected(config, sandbox.control, algapsa)
        finally:
            algapsa.dispose()


def _connected(config: EngineConfig, quickbooks: SandboxControl, algapsa: sa.Engine) -> World:
    with algapsa.begin() as connection:
        tenant = tenants.create_tenant(connection, "Cedar Ridge IT")
        clients = [
            tenants.Client(f"Client {number:03}", email="ap@example.com")
            for number in range(CLIENTS)
        ]
        services = [
            tenants.Service(f"Managed service {number:02}", 12_500) for number in range(SERVICES)
        ]
        client_ids = tenants.create_clients(connection, tenant, clients)
        service_ids = tenants.create_services(connection, tenant, services)
    company = quickbooks.create_realm("Cedar Ridge IT", custom_txn_numbers=True)
    customers = quickbooks.seed(company.realm, [_customer(client.name) for client in clients])
    items = quickbooks.seed(company.realm, [_item(service.name) for service in services])
    world = World(
        config,
        quickbooks,
        company.realm,
        algapsa,
        tenant,
        dict(zip(client_ids, customers, strict=True)),
        dict(zip(service_ids, items, strict=True)),
    )
    _connect(world, company.refresh_token)
    return world


def _connect(world: World, refresh_token: str) -> None:
    with open_engine(world.config) as engine:
        migrate.upgrade(engine.ledger)
        wanted = CompanyToConnect(
            tenant=world.tenant,
            realm=world.realm,
            company_name="Cedar Ridge IT",
            time_zone="UTC",
            refresh_token=refresh_token,
            go_live_date=today() - timedelta(days=GO_LIVE_DAYS_AGO),
        )
        connect_company(engine.ledger, engine.cipher, wanted)
        rows = [("client", client, customer) for client, customer in world.customers.items()]
        rows += [("service", service, item) for service, item in world.services.items()]
        link(engine, world.realm, [*rows, ("payment_term", "net_30", _NET_30)])


def link(engine: SyncEngine, realm: str, rows: Sequence[tuple[str, str, str]]) -> None:
    """Import links as staff do, by file."""
    import_links(engine, realm, "".join(f"{','.join(row)}\n" for row in rows))


def today() -> date:
    """The date in the company's time zone, which is UTC."""
    return date.today()  # noqa: DTZ011


def _customer(name: str) -> dict[str, Any]:
    return {"entity": "Customer", "body": {"DisplayName": name}}


def _item(name: str) -> dict[str, Any]:
    body = {"Name": name, "Type": "Service", "IncomeAccountRef": {"value": "1"}}
    return {"entity": "Item", "body": body}


def http_calls(world: World) -> tuple[int, int]:
    """Calls as the sandbox counted them, token refreshes included, and how many Intuit meters."""
    calls = world.quickbooks.calls(world.realm)
    return len(calls), sum(call.metered for call in calls)
