"""A migrated ledger per test, and an engine on it and on one demo AlgaPSA, which is only read."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import date
from decimal import Decimal

import pytest
import sqlalchemy as sa
from cryptography.fernet import Fernet

from qbo_sync_dagster.actions.connecting import CompanyToConnect, connect_company
from qbo_sync_dagster.ledger.connections import Connection
from qbo_sync_dagster.ledger.tables import audit_log
from qbo_sync_dagster.quickbooks.settings import QuickBooksSettings
from qbo_sync_dagster.sandbox.algapsa import invoices, tenants
from qbo_sync_dagster.sandbox.algapsa.charges import Charge
from qbo_sync_dagster.sandbox.postgres import EmbeddedServer
from qbo_sync_dagster.sync.engine import EngineConfig, SyncEngine
from tests.databases import Databases, as_engine_role

REALM = "9341453000000001"
OTHER = "9341453000000002"
SECRET_KEY = Fernet.generate_key().decode()


@dataclass
class Msp:
    """A tenant with three clients, two services, the region US-WA and two invoices."""

    url: str
    tenant: str
    clients: list[str]
    services: list[str]
    invoices: list[str]


@dataclass
class Office:
    """The provider, and the engine of whoever sets its companies up."""

    engine: SyncEngine
    msp: Msp

    def connect(self, realm: str = REALM, **values: object) -> Connection:
        wanted: dict[str, object] = {
            "tenant": self.msp.tenant,
            "realm": realm,
            "company_name": f"Slate Bay {realm[-1]}",
            "time_zone": "America/Los_Angeles",
            "refresh_token": "AB11-first",
        }
        company = CompanyToConnect(**(wanted | values))  # type: ignore[arg-type]
        return connect_company(self.engine.ledger, self.engine.cipher, company).connection

    def audited(self, realm: str = REALM) -> list[tuple[str, str, object, object]]:
        """Effect, record, before and after of every audit row of the company, in order."""
        columns = (audit_log.c.effect, audit_log.c.record, audit_log.c.before, audit_log.c.after)
        query = sa.select(*columns).where(audit_log.c.realm == realm).order_by(audit_log.c.sequence)
        with self.engine.ledger.connect() as connection:
            return [tuple(row) for row in connection.execute(query)]  # type: ignore[misc]


@pytest.fixture(scope="session")
def msp(databases: Databases, postgres_server: EmbeddedServer) -> Msp:
    """The demo AlgaPSA, reached as the least-privilege role."""
    url = postgres_server.dsn(databases.lend("community"))
    owner = sa.create_engine(url)
    with owner.begin() as connection:
        tenant = tenants.create_tenant(connection, "Slate Bay IT")
        region = tenants.TaxRegion("US-WA", "Washington", Decimal("8.25"))
        tenants.create_tax_region(connection, tenant, region)
        names = ("Quarry Lane Dental", "Copper Kettle Bakery", "North Fork Law")
        clients = [tenants.create_client(connection, tenant, tenants.Client(n)) for n in names]
        rates = (tenants.Service("Endpoint", 10_000), tenants.Service("Backup", 2_500))
        services = tenants.create_services(connection, tenant, rates)
        charge = Charge("Endpoint", 10_000, service_id=services[0])
        draft = invoices.InvoiceDraft(clients[0], date(2026, 3, 2), (charge,))
        drafts = [invoices.draft_invoice(connection, tenant, draft) for _ in range(2)]
    owner.dispose()
    return Msp(as_engine_role(url), tenant, clients, services, drafts)


@pytest.fixture
def office(msp: Msp, fresh_database: Callable[..., str]) -> Iterator[Office]:
    config = EngineConfig(
        ledger_url=fresh_database("ledger"),
        algapsa_url=msp.url,
        secret_key=SECRET_KEY,
        quickbooks=QuickBooksSettings(
            api_base_url="http://127.0.0.1:9/v3/company",
            token_url="http://127.0.0.1:9/token",
            client_id="client",
            client_secret="secret",
        ),
    )
    with SyncEngine(config) as engine:
        yield Office(engine, msp)
