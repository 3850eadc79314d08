"""A demo AlgaPSA of each edition, met as the least-privilege role that the engine is given."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import date
from decimal import Decimal
from typing import Any, TypeVar

import pytest
import sqlalchemy as sa

from qbo_sync_dagster.algapsa.gateway import AlgaPsa
from qbo_sync_dagster.sandbox.algapsa import invoices, payments, reading, tenants
from qbo_sync_dagster.sandbox.algapsa.charges import Charge
from qbo_sync_dagster.sandbox.algapsa.schema import Edition
from tests.databases import as_engine_role

T = TypeVar("T")
TIME_ZONE = "America/Los_Angeles"
INVOICED = date(2026, 3, 2)


@dataclass
class Msp:
    """A tenant with one client: `do` acts as AlgaPSA's owner, `gateway` is the engine's view."""

    owner: sa.Engine
    role: sa.Engine
    tenant: str
    client: str
    service: str
    gateway: AlgaPsa = field(init=False)

    def __post_init__(self) -> None:
        self.gateway = AlgaPsa(self.role, self.tenant, TIME_ZONE)

    def do(self, act: Callable[..., T], *args: Any, **options: Any) -> T:
        with self.owner.begin() as connection:
            return act(connection, self.tenant, *args, **options)

    def execute(self, statement: str, **values: Any) -> None:
        with self.owner.begin() as connection:
            connection.execute(sa.text(statement), values)

    def draft(self, *charges: Charge, day: date = INVOICED, **options: Any) -> str:
        lines = charges or (Charge("Managed endpoint", 10_000, service_id=self.service),)
        return self.do(
            invoices.draft_invoice, invoices.InvoiceDraft(self.client, day, lines, **options)
        )

    def final(self, *charges: Charge, day: date = INVOICED, **options: Any) -> str:
        invoice = self.draft(*charges, day=day, **options)
        self.do(invoices.finalize_invoice, invoice, today=day)
        return invoice

    def pay(self, invoice: str, amount: int, **options: Any) -> str:
        payment = payments.Payment(invoice, amount, date(2026, 3, 9), **options)
        return self.do(payments.record_payment, payment)

    def state(self, invoice: str) -> reading.InvoiceState:
        return reading.invoice_state(self.owner, invoice)

    def rows(self, invoice: str) -> list[tuple[int, str]]:
        return [(row.amount, row.status) for row in reading.payment_rows(self.owner, invoice)]


@pytest.fixture(params=["community", "enterprise"])
def edition(request: pytest.FixtureRequest) -> Edition:
    return request.param


@pytest.fixture
def msp(edition: Edition, fresh_database: Callable[..., str]) -> Iterator[Msp]:
    dsn = fresh_database(edition)
    owner = sa.create_engine(dsn)
    role = sa.create_engine(as_engine_role(dsn))
    with owner.begin() as connection:
        tenant = tenants.create_tenant(connection, "Slate Bay IT")
        tenants.create_tax_region(
            connection, tenant, tenants.TaxRegion("US-WA", "Washington", Decimal("8.25"))
        )
        client = tenants.create_client(
            connection,
            tenant,
            tenants.Client("Quarry Lane Dental", terms="net_15", email="ap@example.com"),
        )
        service = tenants.create_service(connection, tenant, tenants.Service("Endpoint", 10_000))
    yield Msp(owner, role, tenant, client, service)
    owner.dispose()
    role.dispose()
