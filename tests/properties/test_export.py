"""Exports on random invoices: what is sent adds up to the cent, or nothing is sent."""

from __future__ import annotations

from datetime import UTC, date, datetime
from decimal import Decimal

from hypothesis import given
from hypothesis import strategies as st

from qbo_sync_dagster.domain.algapsa_records import (
    Charge,
    ChargeDetail,
    Client,
    Document,
    DocumentHeader,
)
from qbo_sync_dagster.domain.export import ExportDocument, References, prepare_export
from qbo_sync_dagster.domain.money import to_minor

DAY = date(2026, 3, 2)
CLIENT = Client("c", "Quarry Lane Dental", None, "net_30", "USD", False, False)
CENTS = st.integers(-100_000, 1_000_000)
SERVICES = st.sampled_from(["s1", "s2", None])
REFERENCES = References(
    customers={"c": "58"},
    items={"s1": "12", "s2": "13"},
    tax_codes={"US-WA": "TAX"},
    terms={"net_30": "3"},
    default_item="99",
)


@st.composite
def charges(draw: st.DrawFn) -> Charge:
    net = draw(st.one_of(CENTS, st.none()))
    parts = draw(st.lists(st.tuples(st.sampled_from(["s1", "s2"]), CENTS), max_size=4))
    return Charge(
        item_id="i",
        service_id=draw(SERVICES),
        service_name=None,
        description=draw(st.text(max_size=20)),
        quantity=draw(st.decimals(0, 100, places=3)),
        unit_price_minor=draw(CENTS),
        net_minor=net,
        tax_minor=draw(st.integers(0, 10_000)),
        tax_region=draw(st.sampled_from(["US-WA", "US-OR", None])),
        is_taxable=True,
        is_discount=False,
        details=tuple(ChargeDetail(each, None, Decimal(1), minor, DAY) for each, minor in parts),
    )


@st.composite
def documents(draw: st.DrawFn) -> Document:
    lines = tuple(draw(st.lists(charges(), max_size=6)))
    net = sum(line.net_minor or 0 for line in lines)
    tax = sum(line.tax_minor for line in lines)
    off = draw(st.sampled_from([0, 0, 0, 1]))
    header = DocumentHeader(
        invoice_id="a",
        number="INV-1",
        client_id="c",
        status="sent",
        invoice_type="standard",
        is_prepayment=False,
        invoice_date=DAY,
        due_date=DAY,
        finalized_at=datetime(2026, 3, 2, tzinfo=UTC),
        created_at=datetime(2026, 3, 2, tzinfo=UTC),
        currency="USD",
        total_minor=net + tax + off,
        credit_applied_minor=0,
        paid_minor=0,
        fingerprint="f",
    )
    return Document(header, net, tax, None, None, "internal", lines)


@given(documents())
def test_lines_and_tax_of_what_is_sent_add_up_to_algapsas_total(document: Document) -> None:
    sent = prepare_export(document, CLIENT, REFERENCES)
    if not isinstance(sent, ExportDocument):
        assert sent.problems
        return

    lines = sum(to_minor(line.amount) for line in sent.lines)
    # A document below zero goes out as a credit memo, over positive amounts.
    assert lines + sent.tax_minor == sent.total_minor == abs(document.header.total_minor)


@given(documents())
def test_a_quantity_is_sent_only_with_a_price_that_gives_the_amount(document: Document) -> None:
    sent = prepare_export(document, CLIENT, REFERENCES)
    for line in sent.lines if isinstance(sent, ExportDocument) else ():
        assert (line.quantity is None) == (line.unit_price is None)
        if line.quantity is not None and line.unit_price is not None:
            assert line.quantity * line.unit_price == line.amount
