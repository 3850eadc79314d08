"""What AlgaPSA's users and jobs do, and the rows that follow from it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import TypeVar

import pytest
import sqlalchemy as sa
from sqlalchemy import Connection, Engine
from sqlalchemy.exc import IntegrityError, NoResultFound

from qbo_sync_dagster.sandbox.algapsa import (
    bulk,
    credit,
    edits,
    invoices,
    payments,
    reading,
    tenants,
)
from qbo_sync_dagster.sandbox.algapsa.charges import (
    Charge,
    FixedPart,
    fixed_plan,
    manual_charge,
    percentage_discount,
)
from qbo_sync_dagster.sandbox.algapsa.errors import AlgaRefusedError, NotModelledError
from qbo_sync_dagster.sandbox.algapsa.rows import fetch
from qbo_sync_dagster.sandbox.algapsa.schema import create_schema

T = TypeVar("T")
TODAY = date(2026, 11, 20)
MIDNIGHT = datetime(2026, 11, 20, tzinfo=UTC)


@dataclass(frozen=True)
class Books:
    """A tenant with one client and one service."""

    engine: Engine
    tenant: str
    client: str
    service: str

    def do(self, act: Callable[..., T], *args: object, **options: object) -> T:
        with self.engine.begin() as connection:
            return act(connection, self.tenant, *args, **options)

    def draft(self, *charges: Charge, **options: object) -> str:
        lines = charges or (Charge("Managed endpoint", 10_000, service_id=self.service),)
        draft = invoices.InvoiceDraft(self.client, TODAY, lines, **options)  # type: ignore[arg-type]
        return self.do(invoices.draft_invoice, draft)

    def final(self, *charges: Charge, **options: object) -> str:
        invoice = self.draft(*charges, **options)
        self.do(invoices.finalize_invoice, invoice, today=TODAY)
        return invoice

    def pay(self, invoice: str, amount: int, **options: object) -> str:
        payment = payments.Payment(invoice, amount, TODAY, **options)  # type: ignore[arg-type]
        return self.do(payments.record_payment, payment)

    def state(self, invoice: str) -> reading.InvoiceState:
        return reading.invoice_state(self.engine, invoice)

    def transactions(self, invoice: str) -> list[tuple[str, int]]:
        rows = reading.transaction_rows(self.engine, invoice)
        return sorted((row.type, row.amount) for row in rows)


def set_up(connection: Connection, engine: Engine, *, auto_apply: bool = False) -> Books:
    tenant = tenants.create_tenant(connection, "Slate Bay IT", auto_apply_credit=auto_apply)
    client = tenants.create_client(connection, tenant, tenants.Client("Quarry Lane Dental"))
    service = tenants.create_service(connection, tenant, tenants.Service("Endpoint", 10_000))
    region = tenants.TaxRegion("US-WA", "Washington", Decimal("8.25"))
    tenants.create_tax_region(connection, tenant, region)
    return Books(engine, tenant, client, service)


@pytest.fixture
def engine(fresh_database: Callable[..., str]) -> Iterator[Engine]:
    engine = sa.create_engine(fresh_database())
    create_schema(engine, "enterprise")
    yield engine
    engine.dispose()


@pytest.fixture
def books(engine: Engine) -> Books:
    with engine.begin() as connection:
        return set_up(connection, engine)


def taxed(service: str, amount: int = 20_000) -> Charge:
    return Charge("Endpoint", amount, Decimal(1), service, "US-WA", Decimal("8.25"))


def test_an_invoice_totals_to_its_nets_and_taxes(books: Books) -> None:
    line = taxed(books.service)
    invoice = books.draft(
        line,
        percentage_discount("Loyalty", line, Decimal(10)),
        manual_charge("Travel", 4_500),
    )
    with books.engine.connect() as connection:
        [header] = fetch(connection, "SELECT subtotal, tax, total_amount FROM invoices")
        charges = fetch(
            connection,
            "SELECT net_amount, tax_amount, total_price, is_discount, service_id::text"
            " FROM invoice_charges ORDER BY net_amount DESC",
        )
    assert tuple(header) == (20_000 - 2_000 + 4_500, 1_650 - 165, 23_985)
    assert [tuple(row) for row in charges] == [
        (20_000, 1_650, 21_650, False, books.service),
        (4_500, 0, 4_500, False, None),
        (-2_000, -165, -2_165, True, None),
    ]
    assert books.state(invoice).status == "draft"


def test_a_fixed_plan_names_its_services_only_in_details_that_add_up(books: Books) -> None:
    parts = (FixedPart(books.service, 3_333), FixedPart(books.service, 6_667))
    books.draft(fixed_plan("Silver plan", parts, tax_region="US-WA", tax_rate=Decimal("8.25")))
    with books.engine.connect() as connection:
        [parent] = fetch(
            connection, "SELECT service_id, net_amount, tax_amount FROM invoice_charges"
        )
        details = fetch(
            connection,
            "SELECT f.allocated_amount, f.tax_amount, d.service_id::text"
            " FROM invoice_charge_details d JOIN invoice_charge_fixed_details f"
            " USING (tenant, item_detail_id)",
        )
    assert tuple(parent) == (None, 10_000, 825)
    assert sum(row.allocated_amount for row in details) == 10_000
    assert sum(row.tax_amount for row in details) == 825
    assert {row.service_id for row in details} == {books.service}


def test_due_date_follows_the_clients_terms(books: Books) -> None:
    client = books.do(tenants.create_client, tenants.Client("Fen Labs", terms="net_15"))
    draft = invoices.InvoiceDraft(client, date(2026, 11, 1), (manual_charge("Visit", 100),))
    books.do(invoices.draft_invoice, draft)
    with books.engine.connect() as connection:
        [row] = fetch(connection, "SELECT due_date, billing_profile_id FROM invoices")
    assert row.due_date == datetime(2026, 11, 16, tzinfo=UTC)
    assert row.billing_profile_id is not None


def test_finalizing_writes_the_date_as_midnight_even_into_updated_at(books: Books) -> None:
    state = books.state(books.final())
    assert (state.status, state.finalized_at, state.updated_at) == ("sent", MIDNIGHT, MIDNIGHT)


def test_only_a_draft_can_be_finalized(books: Books) -> None:
    invoice = books.final()
    with pytest.raises(AlgaRefusedError, match="Only a draft"):
        books.do(invoices.finalize_invoice, invoice, today=TODAY)


def test_a_negative_total_becomes_a_credit_note_with_its_own_number(books: Books) -> None:
    note = books.final(manual_charge("Outage", -5_000))
    state = books.state(note)
    assert (state.type, state.number, state.total) == ("credit_note", "CM-000001", -5_000)
    assert books.transactions(note) == [("credit_issuance_from_negative_invoice", 5_000)]
    [issued] = reading.credit_states(books.engine, books.client)
    assert (issued.source_invoice_id, issued.remaining) == (note, 5_000)


def test_a_prepayment_issues_credit(books: Books) -> None:
    invoice = books.final(manual_charge("Retainer", 9_000), is_prepayment=True)
    assert books.state(invoice).type == "prepayment"
    assert [each.remaining for each in reading.credit_states(books.engine, books.client)] == [9_000]


def test_finalizing_draws_on_open_credit_where_the_policy_says_so(engine: Engine) -> None:
    with engine.begin() as connection:
        books = set_up(connection, engine, auto_apply=True)
    books.final(manual_charge("Outage", -5_000))
    state = books.state(books.final())
    assert (state.credit_applied, state.balance, state.status) == (5_000, 5_000, "sent")


def test_a_payment_writes_its_rows_and_the_status(books: Books) -> None:
    invoice = books.final()
    payment = books.pay(invoice, 4_000, reference="CHK 1")
    assert books.state(invoice).status == "partially_applied"
    books.pay(invoice, 6_000)
    state = books.state(invoice)
    assert (state.status, state.paid, state.balance) == ("paid", 10_000, 0)
    assert books.transactions(invoice) == [("payment", 4_000), ("payment", 6_000)]
    row = next(r for r in reading.payment_rows(books.engine, invoice) if r.payment_id == payment)
    assert (row.payment_date, row.reference, row.status) == (MIDNIGHT, "CHK 1", "completed")


def test_a_second_part_payment_does_not_touch_the_header(books: Books) -> None:
    invoice = books.final()
    books.pay(invoice, 1_000)
    before = books.state(invoice).updated_at
    books.pay(invoice, 1_000)
    assert books.state(invoice).updated_at == before


def test_a_stripe_payment_keeps_the_instant_of_the_charge(books: Books) -> None:
    invoice = books.final()
    at = datetime(2026, 11, 20, 17, 3, tzinfo=UTC)
    books.do(payments.record_stripe_payment, invoice, 10_000, paid_at=at)
    [row] = reading.payment_rows(books.engine, invoice)
    assert (row.method, row.payment_date) == ("stripe", at)
    assert (row.reference or "").startswith("pi_")


@pytest.mark.parametrize("ready", [True, False])
def test_a_draft_or_cancelled_invoice_takes_no_payment(books: Books, ready: bool) -> None:
    invoice = books.final() if ready else books.draft()
    if ready:
        books.do(invoices.bulk_cancel, [invoice])
    with pytest.raises(AlgaRefusedError):
        books.pay(invoice, 100)


def test_a_payment_in_another_currency_is_refused(books: Books) -> None:
    invoice = books.final()
    with pytest.raises(AlgaRefusedError, match="USD"):
        books.pay(invoice, 100, currency="EUR")


def test_a_reversal_is_a_negative_row_and_brings_the_status_back(books: Books) -> None:
    invoice = books.final()
    payment = books.pay(invoice, 10_000, reference="CHK 7")
    books.do(payments.reverse_payment, payment)
    rows = reading.payment_rows(books.engine, invoice)
    back = next(row for row in rows if row.amount < 0)
    assert (back.amount, back.status, back.reference) == (-10_000, "reversed", "reversal:CHK 7")
    assert books.state(invoice).status == "sent"
    assert books.transactions(invoice) == [("payment", 10_000), ("payment_reversal", -10_000)]


def test_a_partial_refund_leaves_the_invoice_partly_paid(books: Books) -> None:
    invoice = books.final()
    payment = books.pay(invoice, 10_000)
    books.do(payments.refund_payment, payment, 2_500)
    state = books.state(invoice)
    assert (state.status, state.paid) == ("partially_applied", 7_500)
    assert ("refund_partial", -2_500) in books.transactions(invoice)


def test_a_full_refund_leaves_the_invoice_unpaid(books: Books) -> None:
    invoice = books.final()
    books.do(payments.refund_payment, books.pay(invoice, 10_000), method="refund")
    assert books.state(invoice).status == "sent"
    assert ("refund_full", -10_000) in books.transactions(invoice)


def test_credit_is_clamped_to_what_is_open_and_leaves_the_status(books: Books) -> None:
    books.final(manual_charge("Outage", -3_000))
    invoice = books.final()
    application = books.do(credit.apply_credit, invoice, 8_000)
    assert application is not None
    assert application.amount == 3_000
    state = books.state(invoice)
    assert (state.status, state.credit_applied, state.balance) == ("sent", 3_000, 7_000)
    assert books.do(credit.apply_credit, invoice, 8_000) is None


def test_reversed_credit_is_restored_but_its_allocation_row_remains(books: Books) -> None:
    books.final(manual_charge("Outage", -3_000))
    invoice = books.final()
    application = books.do(credit.apply_credit, invoice)
    assert application is not None
    assert books.do(credit.reverse_credit, invoice) == 3_000
    assert books.state(invoice).credit_applied == 0
    assert [each.remaining for each in reading.credit_states(books.engine, books.client)] == [3_000]
    adjustment = next(
        row
        for row in reading.transaction_rows(books.engine, invoice)
        if row.type == "credit_adjustment"
    )
    assert adjustment.metadata == {"reversal_of": application.transaction_id}
    assert books.do(credit.reverse_credit, invoice) == 0
    with books.engine.connect() as connection:
        assert len(fetch(connection, "SELECT 1 FROM credit_allocations")) == 1


def test_voiding_cancels_and_says_why(books: Books) -> None:
    invoice = books.final()
    books.do(invoices.void_invoice, invoice, reason="Wrong client")
    state = books.state(invoice)
    assert state.status == "cancelled"
    assert state.updated_at != MIDNIGHT
    [row] = reading.transaction_rows(books.engine, invoice)
    assert (row.type, row.amount) == ("invoice_cancelled", -10_000)
    assert (row.metadata or {})["reason"] == "Wrong client"


def test_a_paid_invoice_is_not_voided(books: Books) -> None:
    invoice = books.final()
    books.pay(invoice, 100)
    with pytest.raises(AlgaRefusedError, match="without payments"):
        books.do(invoices.void_invoice, invoice)


def test_voiding_an_unused_credit_note_takes_its_credit_away(books: Books) -> None:
    note = books.final(manual_charge("Outage", -3_000))
    books.do(invoices.void_invoice, note)
    assert [each.remaining for each in reading.credit_states(books.engine, books.client)] == [0]
    assert ("credit_adjustment", -3_000) in books.transactions(note)


def test_a_used_credit_note_is_not_voided(books: Books) -> None:
    note = books.final(manual_charge("Outage", -3_000))
    books.do(credit.apply_credit, books.final(), 1)
    with pytest.raises(AlgaRefusedError, match="was used"):
        books.do(invoices.void_invoice, note)


def test_rest_bulk_cancel_writes_the_status_alone(books: Books) -> None:
    invoice = books.final()
    books.do(invoices.bulk_cancel, [invoice])
    state = books.state(invoice)
    assert (state.status, state.updated_at) == ("cancelled", MIDNIGHT)
    assert books.transactions(invoice) == []


def test_reopening_makes_a_draft_and_takes_credit_back(books: Books) -> None:
    books.final(manual_charge("Outage", -3_000))
    invoice = books.final()
    books.do(credit.apply_credit, invoice)
    books.do(invoices.reopen_invoice, invoice, today=date(2026, 11, 21))
    state = books.state(invoice)
    assert (state.status, state.finalized_at, state.credit_applied) == ("draft", None, 0)
    assert state.updated_at == datetime(2026, 11, 21, tzinfo=UTC)


def test_a_credit_note_is_not_reopened_because_that_was_never_observed(books: Books) -> None:
    note = books.final(manual_charge("Outage", -3_000))
    with pytest.raises(NotModelledError):
        books.do(invoices.reopen_invoice, note, today=TODAY)


def test_a_mapping_to_quickbooks_forbids_reopening_and_deleting(books: Books) -> None:
    invoice = books.final()
    books.do(edits.map_entity, "invoice", invoice, "145", realm="93")
    for act, options in (
        (invoices.reopen_invoice, {"today": TODAY}),
        (invoices.delete_invoice, {}),
    ):
        with pytest.raises(AlgaRefusedError, match="void it instead"):
            books.do(act, invoice, **options)
    books.do(invoices.reopen_invoice, invoice, today=TODAY, by_sql=True)
    assert books.state(invoice).status == "draft"


def test_a_deleted_invoice_is_gone_with_its_charges(books: Books) -> None:
    parts = (FixedPart(books.service, 5_000),)
    invoice = books.final(fixed_plan("Plan", parts))
    books.do(invoices.delete_invoice, invoice)
    with pytest.raises(NoResultFound):
        books.state(invoice)
    with books.engine.connect() as connection:
        assert fetch(connection, "SELECT 1 FROM invoice_charge_details") == []


def test_payment_transactions_forbid_deleting(books: Books) -> None:
    invoice = books.final()
    books.pay(invoice, 100)
    with pytest.raises(IntegrityError, match="transactions"):
        books.do(invoices.delete_invoice, invoice)


def test_a_rogue_price_runs_through_tax_and_total(books: Books) -> None:
    invoice = books.final(taxed(books.service))
    [item] = books.do(edits.charge_ids, invoice)
    books.do(edits.reprice_charge, invoice, item, 10_000)
    state = books.state(invoice)
    assert (state.total, state.status, state.updated_at) == (10_825, "sent", MIDNIGHT)


def test_rogue_lines_change_the_total(books: Books) -> None:
    invoice = books.final()
    books.do(edits.add_charge, invoice, manual_charge("Late", 2_500))
    assert books.state(invoice).total == 12_500
    books.do(edits.remove_charge, invoice, books.do(edits.charge_ids, invoice)[0])
    assert books.state(invoice).total == 2_500


def test_rogue_header_changes_write_what_they_say(books: Books) -> None:
    invoice = books.final()
    other = books.do(tenants.create_client, tenants.Client("Other Works"))
    books.do(edits.renumber_invoice, invoice, "X-1")
    books.do(edits.redate_invoice, invoice, date(2026, 10, 1))
    books.do(edits.move_to_client, invoice, other)
    books.do(edits.change_currency, invoice, "EUR")
    books.do(edits.overwrite_total, invoice, 1)
    state = books.state(invoice)
    assert (state.number, state.invoice_date, state.client_id, state.currency, state.total) == (
        "X-1",
        date(2026, 10, 1),
        other,
        "EUR",
        1,
    )


def test_the_rows_that_stop_or_concern_an_engine_can_be_made(books: Books) -> None:
    invoice = books.final()
    books.do(tenants.set_auto_sync, True)
    books.do(tenants.record_own_sync_cycle, "93", started_at=MIDNIGHT)
    books.do(tenants.queue_own_sync_operation, "93", invoice)
    books.do(edits.await_replenishment, books.client, invoice)
    books.do(edits.offer_card_payment, invoice, 10_000)
    books.do(edits.record_export, [invoice])
    with books.engine.connect() as connection:
        [settings] = fetch(connection, "SELECT settings FROM tenant_settings")
        counted = fetch(
            connection,
            "SELECT (SELECT count(*) FROM accounting_sync_cycles),"
            " (SELECT count(*) FROM accounting_sync_operations),"
            " (SELECT count(*) FROM prepaid_balance_alerts),"
            " (SELECT count(*) FROM invoice_payment_links),"
            " (SELECT count(*) FROM accounting_export_lines)",
        )
    assert settings.settings == {"accountingSync": {"autoSyncEnabled": True}}
    assert [tuple(row) for row in counted] == [(1, 1, 1, 1, 1)]


def test_invoices_by_the_thousand_are_finalized_and_numbered(books: Books) -> None:
    made = books.do(
        bulk.bulk_invoices,
        1_000,
        client_ids=[books.client],
        service_ids=[books.service],
        invoice_date=TODAY,
    )
    states = reading.invoice_states(books.engine, books.tenant)
    assert [state.invoice_id for state in states] == made
    assert (states[0].number, states[-1].number) == ("INV-000001", "INV-001000")
    assert {state.status for state in states} == {"sent"}
