"""AlgaPSA's records as values, with only what a test is about spelt out."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

import pytest

from qbo_sync_dagster.domain.algapsa_records import (
    Charge,
    ChargeDetail,
    Client,
    Document,
    DocumentHeader,
)
from qbo_sync_dagster.domain.document_view import DocumentView, LineView

Make = Callable[..., Any]

_HEADER = DocumentHeader(
    invoice_id="inv-1",
    number="INV-1",
    client_id="client-1",
    status="sent",
    invoice_type="standard",
    is_prepayment=False,
    invoice_date=date(2026, 3, 2),
    due_date=date(2026, 4, 1),
    finalized_at=datetime(2026, 3, 2, tzinfo=UTC),
    created_at=datetime(2026, 3, 1, tzinfo=UTC),
    currency="USD",
    total_minor=10_000,
    credit_applied_minor=0,
    paid_minor=0,
    fingerprint="f1",
)
_CHARGE = Charge(
    item_id="item-1",
    service_id="service-1",
    service_name="Managed endpoint",
    description="Managed endpoint, March",
    quantity=Decimal(1),
    unit_price_minor=10_000,
    net_minor=10_000,
    tax_minor=0,
    tax_region=None,
    is_taxable=False,
    is_discount=False,
)
_VIEW = DocumentView(
    state="live",
    number="INV-1",
    customer_id="58",
    currency="USD",
    date="2026-03-02",
    due_date="2026-04-01",
    total_minor=10_000,
    tax_minor=0,
    lines=(LineView("12", "1", 10_000, "", "NON"),),
)


@pytest.fixture
def header() -> Make:
    """`header(field=value)`: a finalized invoice of 100.00 USD, dated 2 March 2026."""
    return lambda **fields: replace(_HEADER, **fields)


@pytest.fixture
def charge() -> Make:
    """`charge(net, field=value)`: one untaxed unit of a linked service."""

    def make(net: int | None = 10_000, **fields: Any) -> Charge:
        described = {"net_minor": net, "unit_price_minor": net or 0} | fields
        return replace(_CHARGE, **described)

    return make


@pytest.fixture
def detail() -> Make:
    """`detail(service, minor)`: a service inside a fixed-plan charge."""

    def make(service_id: str, minor: int | None, **fields: Any) -> ChargeDetail:
        described: dict[str, Any] = {
            "service_name": service_id.title(),
            "quantity": Decimal(1),
            "period_start": None,
        }
        return ChargeDetail(service_id, allocated_minor=minor, **(described | fields))

    return make


@pytest.fixture
def document(header: Make, charge: Make) -> Make:
    """`document(*charges, field=value)`: an invoice whose totals are those of its charges."""

    def make(*charges: Charge, **fields: Any) -> Document:
        lines = charges or (charge(),)
        net = sum(line.net_minor or 0 for line in lines)
        tax = sum(line.tax_minor for line in lines)
        described: dict[str, Any] = {
            "header": header(total_minor=net + tax),
            "subtotal_minor": net,
            "tax_minor": tax,
            "po_number": None,
            "exchange_rate_basis_points": None,
            "tax_source": "internal",
            "charges": lines,
        }
        return Document(**(described | fields))

    return make


@pytest.fixture
def client() -> Make:
    """`client(field=value)`: a client on 30 days' terms."""

    def make(**fields: Any) -> Client:
        described: dict[str, Any] = {
            "client_id": "client-1",
            "name": "Quarry Lane Dental",
            "billing_email": "ap@example.com",
            "payment_terms": "net_30",
            "currency": "USD",
            "is_tax_exempt": False,
            "is_inactive": False,
        }
        return Client(**(described | fields))

    return make


@pytest.fixture
def view() -> Make:
    """`view(field=value)`: an invoice of 100.00 USD as QuickBooks shows it."""
    return lambda **fields: replace(_VIEW, **fields)
