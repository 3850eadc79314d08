"""The provider that the year happens to: AlgaPSA, two QuickBooks companies, the engine, a clock.

Belongs here: building it, moving its clock, running its cycles, looking things up. Does not: what
people do on a day, and what must hold afterwards.
"""

from __future__ import annotations

import json
import secrets
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any, Concatenate, ParamSpec, TypeVar

import sqlalchemy as sa
from cryptography.fernet import Fernet

from qbo_sync_dagster.actions.connecting import CompanyToConnect, connect_company
from qbo_sync_dagster.actions.linking import import_links
from qbo_sync_dagster.ledger import connections, exceptions, migrate
from qbo_sync_dagster.ledger.exceptions import StoredException
from qbo_sync_dagster.quickbooks.settings import QuickBooksSettings
from qbo_sync_dagster.sandbox import postgres
from qbo_sync_dagster.sandbox.algapsa import tenants
from qbo_sync_dagster.sandbox.algapsa.role import create_role
from qbo_sync_dagster.sandbox.algapsa.schema import Edition, create_schema
from qbo_sync_dagster.sandbox.quickbooks.control import CLIENT_ID, CLIENT_SECRET, SandboxControl
from qbo_sync_dagster.sandbox.quickbooks.process import SandboxProcess
from qbo_sync_dagster.sync.cycle import last_end, run_cycle
from qbo_sync_dagster.sync.engine import EngineConfig, SyncEngine
from qbo_sync_dagster.sync.outcome import CycleEnd

CLIENTS = ("Quarry Lane Dental", "Birch & Vale Law", "Harbor Point Freight", "Elm Street Clinic")
SERVICES = ("Managed endpoint", "Help desk", "Backup")
TIME_ZONE = "America/Los_Angeles"
_NET_30 = "3"

P = ParamSpec("P")
T = TypeVar("T")


@dataclass
class Company:
    """One QuickBooks company: its customers by client id and its items by service id."""

    realm: str
    customers: dict[str, str]
    items: dict[str, str]


@dataclass
class Naps:
    """Waits that take no time: sleeping moves this monotonic clock on."""

    slept: float = 0.0

    def sleep(self, seconds: float) -> None:
        """Let the seconds have passed."""
        self.slept += seconds

    def monotonic(self) -> float:
        """Seconds that passed or were slept through."""
        return time.monotonic() + self.slept


@dataclass
class Provider:
    """Everything that a day's acts act on."""

    quickbooks: SandboxControl
    owner: sa.Engine
    sandbox: sa.Engine
    engine: SyncEngine
    tenant: str
    clients: list[str]
    services: list[str]
    companies: list[Company] = field(default_factory=list)
    offset: timedelta = timedelta(0)

    @property
    def today(self) -> date:
        """The date on the moved clock."""
        return (datetime.now(UTC) + self.offset).date()

    def later(self, by: timedelta) -> None:
        """Move the clocks of QuickBooks and the ledger on."""
        self.quickbooks.advance(by)
        self.offset += by
        ledger = self.engine.ledger
        offset = f"{self.offset.total_seconds()}s"
        with ledger.begin() as connection:
            statement = f"ALTER DATABASE ledger SET qbo_sync.clock_offset = '{offset}'"
            connection.execute(sa.text(statement))
        # It holds for new connections.
        ledger.dispose()
        self.engine.ledger_reads.dispose()

    def do(
        self,
        act: Callable[Concatenate[sa.Connection, str, P], T],
        *args: P.args,
        **options: P.kwargs,
    ) -> T:
        """One of AlgaPSA's acts, in a transaction of its owner."""
        with self.owner.begin() as connection:
            return act(connection, self.tenant, *args, **options)

    def cycle(self, company: Company) -> CycleEnd:
        """One cycle of a company, to its end."""
        return last_end(run_cycle(self.engine, company.realm, trigger="simulation"))

    def link(self, company: Company, rows: Sequence[tuple[str, str, str]]) -> None:
        """Import links, as staff do."""
        import_links(self.engine, company.realm, "".join(f"{','.join(row)}\n" for row in rows))

    def cursor(self, company: Company) -> datetime:
        """Up to where the company's changes are known."""
        with self.engine.ledger.connect() as connection:
            return connections.get(connection, company.realm).cursor

    def open_exceptions(self, company: Company) -> list[StoredException]:
        """What waits for staff."""
        with self.engine.ledger.connect() as connection:
            return exceptions.listed(connection, company.realm)

    def ledger_rows(self, statement: str, **values: object) -> list[Any]:
        """Rows of a query on the ledger."""
        with self.engine.ledger.connect() as connection:
            return list(connection.execute(sa.text(statement), values))

    def algapsa_rows(self, statement: str, **values: object) -> list[Any]:
        """Rows of a query on AlgaPSA."""
        with self.owner.connect() as connection:
            return list(connection.execute(sa.text(statement), values))

    def objects(self, company: Company, entity: str) -> dict[str, dict[str, Any]]:
        """What stands in QuickBooks, by id; read past its API, which would take longer."""
        query = sa.text(
            "SELECT id, body FROM object WHERE realm = :realm AND entity = :entity AND NOT deleted"
            " ORDER BY length(id), id"
        )
        with self.sandbox.connect() as connection:
            rows = connection.execute(query, {"realm": company.realm, "entity": entity})
            return {row.id: json.loads(row.body, parse_float=Decimal) for row in rows}

    def object(self, company: Company, entity: str, identity: str) -> dict[str, Any] | None:
        """One object of QuickBooks as it stands, or None if it was deleted."""
        query = sa.text(
            "SELECT body FROM object"
            " WHERE realm = :realm AND entity = :entity AND id = :id AND NOT deleted"
        )
        values = {"realm": company.realm, "entity": entity, "id": identity}
        with self.sandbox.connect() as connection:
            body = connection.execute(query, values).scalar_one_or_none()
        return json.loads(body, parse_float=Decimal) if body else None


@contextmanager
def open_provider(edition: Edition = "community") -> Iterator[Provider]:
    """A new provider in a temporary folder, gone when the context ends."""
    with (
        tempfile.TemporaryDirectory(prefix="qbo-sync-year-") as folder,
        postgres.start(Path(folder) / "pg", postgres.FAST_AND_FORGETFUL) as server,
    ):
        sandbox_url = server.create_database("quickbooks")
        with SandboxProcess(sandbox_url) as process:
            provider = _built(server, process, sandbox_url, edition)
            try:
                yield provider
            finally:
                with suppress(sa.exc.SQLAlchemyError):
                    provider.engine.close()
                provider.owner.dispose()
                provider.sandbox.dispose()


def _built(
    server: postgres.EmbeddedServer, process: SandboxProcess, sandbox_url: str, edition: Edition
) -> Provider:
    algapsa_url = server.create_database("algapsa")
    create_schema(algapsa_url, edition)
    owner = sa.create_engine(algapsa_url)
    with owner.begin() as connection:
        tenant = tenants.create_tenant(connection, "Cedar Ridge IT")
        clients = [tenants.Client(name, email="ap@example.com") for name in CLIENTS]
        services = [tenants.Service(name, 10_000) for name in SERVICES]
        client_ids = tenants.create_clients(connection, tenant, clients)
        service_ids = tenants.create_services(connection, tenant, services)
    config = EngineConfig(
        ledger_url=server.create_database("ledger"),
        algapsa_url=create_role(algapsa_url, "qbo_sync", secrets.token_hex(8)),
        secret_key=Fernet.generate_key().decode(),
        quickbooks=QuickBooksSettings(
            process.api_base, process.token_url, CLIENT_ID, CLIENT_SECRET
        ),
    )
    naps = Naps()
    provider = Provider(
        process.control,
        owner,
        sa.create_engine(sandbox_url),
        SyncEngine(config, sleep=naps.sleep, monotonic=naps.monotonic),
        tenant,
        client_ids,
        service_ids,
    )
    migrate.upgrade(provider.engine.ledger)
    for name in ("Cedar Ridge IT", "Cedar Ridge Projects"):
        provider.companies.append(_connected(provider, name))
    return provider


def _connected(provider: Provider, name: str) -> Company:
    made = provider.quickbooks.create_realm(name, custom_txn_numbers=True)
    customers = {
        client: str(provider.quickbooks.customer(made.realm, customer)["Id"])
        for client, customer in zip(provider.clients, CLIENTS, strict=True)
    }
    items = {
        service: str(provider.quickbooks.item(made.realm, item)["Id"])
        for service, item in zip(provider.services, SERVICES, strict=True)
    }
    company = Company(made.realm, customers, items)
    wanted = CompanyToConnect(
        tenant=provider.tenant,
        realm=made.realm,
        company_name=name,
        time_zone=TIME_ZONE,
        refresh_token=made.refresh_token,
        go_live_date=provider.today - timedelta(days=10),
    )
    connect_company(provider.engine.ledger, provider.engine.cipher, wanted)
    rows = [("client", client, customer) for client, customer in customers.items()]
    rows += [("service", service, item) for service, item in items.items()]
    provider.link(company, [*rows, ("payment_term", "net_30", _NET_30)])
    return company
