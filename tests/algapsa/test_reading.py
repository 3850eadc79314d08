"""Bulk snapshots of AlgaPSA: what they hold, when a fingerprint moves, what never leaks."""

from __future__ import annotations

from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any
from uuid import uuid4

import pytest

from qbo_sync_dagster.algapsa.gateway import Edition
from qbo_sync_dagster.algapsa.headers import ExportScope
from qbo_sync_dagster.domain.algapsa_payments import PaymentKey
from qbo_sync_dagster.domain.algapsa_records import DocumentHeader
from qbo_sync_dagster.sandbox.algapsa import credit, edits, invoices, payments, reading, tenants
from qbo_sync_dagster.sandbox.algapsa.charges import Charge, FixedPart, fixed_plan, manual_charge

from .conftest import INVOICED, Msp
from .test_payments_write import REALM, apply, wanted


def header(msp: Msp, invoice: str) -> DocumentHeader:
    [found] = msp.gateway.document_headers([invoice])
    return found


def test_edition_is_told_by_its_tables(msp: Msp, edition: str) -> None:
    assert msp.gateway.edition() == Edition(edition)


def test_client_carries_its_billing_email_terms_and_currency(msp: Msp) -> None:
    [client] = msp.gateway.clients()
    assert (client.client_id, client.name) == (msp.client, "Quarry Lane Dental")
    assert (client.billing_email, client.payment_terms) == ("ap@example.com", "net_15")
    assert (client.currency, client.is_inactive, client.is_tax_exempt) == ("USD", False, False)


def test_client_without_an_email_takes_that_of_its_billing_location(msp: Msp) -> None:
    msp.execute("UPDATE client_locations SET email = 'front-desk@example.com'")
    msp.execute("UPDATE clients SET billing_email = '', payment_terms = NULL")
    [client] = msp.gateway.clients()
    assert (client.billing_email, client.payment_terms) == ("front-desk@example.com", "net_30")


def test_services_and_tax_regions_are_whole_lists(msp: Msp) -> None:
    assert [each.name for each in msp.gateway.services()] == ["Endpoint"]
    assert [each.region_code for each in msp.gateway.tax_regions()] == ["US-WA"]


def test_other_tenants_are_never_seen(msp: Msp) -> None:
    msp.final()
    with msp.owner.begin() as connection:
        other = tenants.create_tenant(connection, "Harbor Tech")
    gateway = Msp(msp.owner, msp.role, other, msp.client, msp.service).gateway
    everything = (
        gateway.clients(),
        gateway.services(),
        gateway.tax_regions(),
        list(gateway.ids_in_scope(ExportScope(date.min))),
    )
    assert everything == ([], [], [], [])


def test_scope_holds_finalized_documents_from_the_date_on(msp: Msp) -> None:
    msp.final(day=date(2025, 12, 31))
    msp.draft()
    new = msp.final()
    assert list(msp.gateway.ids_in_scope(ExportScope(INVOICED))) == [[new]]


def test_scope_holds_what_was_finalized_late_however_it_is_dated(msp: Msp) -> None:
    late = msp.final(day=date(2025, 12, 31))
    msp.execute("UPDATE invoices SET finalized_at = '2026-03-02'")
    scope = ExportScope(INVOICED, finalized_from=date(2026, 3, 2))
    assert list(msp.gateway.ids_in_scope(scope)) == [[late]]


def test_cancelled_document_is_still_in_the_scope(msp: Msp) -> None:
    invoice = msp.final()
    msp.do(invoices.void_invoice, invoice)
    assert list(msp.gateway.ids_in_scope(ExportScope(INVOICED))) == [[invoice]]
    assert header(msp, invoice).status == "cancelled"


def test_scope_comes_in_pages_by_date_and_number(msp: Msp) -> None:
    days = [date(2026, 3, day) for day in (4, 3, 5)]
    fourth, third, fifth = [msp.final(day=day) for day in days]
    pages = list(msp.gateway.ids_in_scope(ExportScope(date(2026, 3, 1)), page=2))
    assert pages == [[third, fourth], [fifth]]


def test_headers_are_read_by_id_in_any_state(msp: Msp) -> None:
    final, draft = msp.final(), msp.draft()
    found = msp.gateway.document_headers([final, draft, str(uuid4()), "no id"])
    assert {each.invoice_id for each in found} == {final, draft}


def test_headers_are_found_by_number_within_the_scope(msp: Msp) -> None:
    old, new = msp.final(day=date(2025, 12, 31)), msp.final()
    numbers = [header(msp, old).number, header(msp, new).number, "INV-0"]
    [found] = msp.gateway.headers_by_number(ExportScope(INVOICED), numbers)
    assert found.invoice_id == new


def test_header_tells_what_was_paid_credited_and_is_owed(msp: Msp) -> None:
    invoice = msp.final()
    msp.do(credit.issue_credit, msp.client, 3_000)
    msp.do(credit.apply_credit, invoice)
    msp.pay(invoice, 2_000)
    found = header(msp, invoice)
    assert (found.total_minor, found.credit_applied_minor, found.paid_minor) == (
        10_000,
        3_000,
        2_000,
    )
    assert found.balance_minor == 5_000


def test_midnight_utc_is_that_date_and_any_other_instant_is_local(msp: Msp) -> None:
    invoice = msp.final()
    assert header(msp, invoice).invoice_date == INVOICED
    msp.execute("UPDATE invoices SET invoice_date = :at", at=datetime(2026, 3, 3, 5, tzinfo=UTC))
    assert header(msp, invoice).invoice_date == date(2026, 3, 2)


@pytest.mark.parametrize("edition", ["community"], indirect=True)
@pytest.mark.parametrize(
    ("column", "value"),
    [
        ("invoice_number", "INV-9"),
        ("invoice_date", "2026-03-05 00:00+00"),
        ("due_date", "2026-05-05 00:00+00"),
        ("currency_code", "CAD"),
        ("total_amount", 1),
        ("subtotal", 1),
        ("tax", 1),
        ("po_number", "PO 5"),
        ("tax_source", "external"),
        ("exchange_rate_basis_points", 12_000),
    ],
)
def test_fingerprint_moves_with_every_exported_field(msp: Msp, column: str, value: Any) -> None:
    invoice = msp.final()
    before = header(msp, invoice).fingerprint
    msp.execute(f"UPDATE invoices SET {column} = :value", value=value)
    assert header(msp, invoice).fingerprint != before


@pytest.mark.parametrize("edition", ["community"], indirect=True)
@pytest.mark.parametrize(
    ("column", "value"),
    [
        ("description", "Other work"),
        ("quantity", Decimal(2)),
        ("unit_price", 5),
        ("net_amount", 5),
        ("tax_amount", 5),
        ("tax_region", "US-WA"),
        ("is_taxable", True),
        ("is_discount", True),
        ("service_id", None),
    ],
)
def test_fingerprint_moves_with_every_exported_line_field(
    msp: Msp, column: str, value: Any
) -> None:
    invoice = msp.final()
    before = header(msp, invoice).fingerprint
    msp.execute(f"UPDATE invoice_charges SET {column} = :value", value=value)
    assert header(msp, invoice).fingerprint != before


def test_fingerprint_moves_with_the_parts_of_a_fixed_plan(msp: Msp) -> None:
    invoice = msp.final(fixed_plan("Silver", (FixedPart(msp.service, 4_000),)))
    before = header(msp, invoice).fingerprint
    msp.execute("UPDATE invoice_charge_fixed_details SET allocated_amount = 3999")
    assert header(msp, invoice).fingerprint != before


def test_fingerprint_stays_while_payments_credits_and_status_move(msp: Msp) -> None:
    invoice = msp.final()
    before = header(msp, invoice).fingerprint
    msp.do(credit.issue_credit, msp.client, 3_000)
    msp.do(credit.apply_credit, invoice)
    msp.pay(invoice, 2_000)
    msp.execute("UPDATE invoices SET updated_at = now()")
    assert header(msp, invoice).fingerprint == before


def test_fingerprint_does_not_read_updated_at(msp: Msp) -> None:
    invoice = msp.final()
    before = header(msp, invoice).fingerprint
    [charge] = msp.do(edits.charge_ids, invoice)
    msp.do(edits.reprice_charge, invoice, charge, 9_999)
    assert header(msp, invoice).fingerprint != before


def test_mapping_that_is_not_ours_is_shown_with_its_object(msp: Msp) -> None:
    invoice = msp.final()
    assert header(msp, invoice).mapped_by_algapsa is None
    msp.do(
        edits.map_entity,
        "invoice",
        invoice,
        "csv:INV-1",
        realm=None,
        integration_type="quickbooks_csv",
    )
    assert header(msp, invoice).mapped_by_algapsa == "quickbooks_csv"
    msp.do(edits.map_entity, "invoice", invoice, "130", realm=REALM)
    found = header(msp, invoice)
    assert (found.mapped_by_algapsa, found.mapped_external_id) == ("quickbooks_online", "130")


def test_document_carries_its_lines_in_the_order_they_were_made(msp: Msp) -> None:
    taxed = Charge("Endpoint", 20_000, Decimal(2), msp.service, "US-WA", Decimal("8.25"))
    invoice = msp.draft(taxed, po_number="PO 9")
    msp.do(edits.add_charge, invoice, manual_charge("Travel", 4_500))
    document = msp.gateway.documents([invoice])[invoice]
    assert document.po_number == "PO 9"
    assert (document.subtotal_minor, document.tax_minor) == (44_500, 3_300)
    assert document.header.fingerprint == header(msp, invoice).fingerprint
    first, second = document.charges
    assert (first.service_name, first.net_minor, first.tax_minor, first.tax_region) == (
        "Endpoint",
        40_000,
        3_300,
        "US-WA",
    )
    assert (second.description, second.service_id, second.net_minor) == ("Travel", None, 4_500)


def test_fixed_plan_shows_its_services_in_details(msp: Msp) -> None:
    parts = (FixedPart(msp.service, 3_333), FixedPart(msp.service, 6_667))
    invoice = msp.final(fixed_plan("Silver", parts))
    [charge] = msp.gateway.documents([invoice])[invoice].charges
    assert charge.service_id is None
    assert sorted(detail.allocated_minor or 0 for detail in charge.details) == [3_333, 6_667]
    assert {detail.service_name for detail in charge.details} == {"Endpoint"}


def test_gone_and_senseless_ids_are_simply_not_there(msp: Msp) -> None:
    invoice = msp.final()
    ids = [invoice, str(uuid4()), "not an id", ""]
    assert msp.gateway.existing(ids) == {invoice}
    assert set(msp.gateway.documents(ids)) == {invoice}


def test_payments_show_whose_they_are_and_their_book_date(msp: Msp) -> None:
    invoice = msp.final()
    evening = datetime(2026, 3, 10, 3, tzinfo=UTC)
    charged = msp.do(payments.record_stripe_payment, invoice, 1_000, paid_at=evening)
    apply(msp, wanted((invoice, 500), version=2))
    born_here, ours = msp.gateway.payments([invoice])
    assert (born_here.row_id, born_here.key, born_here.method) == (charged, None, "stripe")
    assert born_here.date == date(2026, 3, 9)
    assert ours.key == PaymentKey(REALM, "181", 2)
    assert (ours.minor, ours.date, ours.status) == (500, date(2026, 3, 20), "completed")


def test_credit_application_names_its_credit_and_its_source(msp: Msp) -> None:
    note = msp.final(manual_charge("Refund of March", -3_000))
    invoice = msp.final()
    applied = msp.do(credit.apply_credit, invoice)
    assert applied
    [application] = msp.gateway.credit_applications()
    assert application.transaction_id == applied.transaction_id
    assert (application.minor, application.source_invoice_id) == (3_000, note)
    assert (application.source_type, application.is_reversed) == ("credit_note", False)
    msp.do(credit.reverse_credit, invoice)
    [application] = msp.gateway.credit_applications()
    assert application.is_reversed


def test_credit_note_used_twice_gives_two_applications_and_tells_what_is_left(msp: Msp) -> None:
    note = msp.final(manual_charge("Refund of March", -3_000))
    first, second = msp.final(), msp.final()
    msp.do(credit.apply_credit, first, 1_000)
    msp.do(credit.apply_credit, second, 500)

    used = msp.gateway.credit_applications()

    assert [(each.invoice_id, each.minor) for each in used] == [(first, 1_000), (second, 500)]
    assert len({each.key for each in used}) == 2
    [left] = msp.gateway.note_credits()
    assert (left.invoice_id, left.minor, left.left_minor) == (note, 3_000, 1_500)


def test_what_stands_for_a_payment_is_found_without_the_ledger(msp: Msp) -> None:
    first, second = msp.final(), msp.final()
    apply(msp, wanted((first, 100), (second, 200)))
    apply(msp, wanted((second, 200), version=1), first)
    found = msp.gateway.standing_payments(REALM, ["181", "182"])
    assert found == {"181": {first: 0, second: 200}}
    assert msp.gateway.standing_payments("another realm", ["181"]) == {}


def test_numbers_of_the_tenants_invoices_are_known(msp: Msp) -> None:
    msp.draft(number="INV-77")
    assert msp.gateway.numbers_in_use(["INV-77", "INV-78"]) == {"INV-77"}
    assert msp.gateway.numbers_in_use([]) == set()


def test_only_enterprise_knows_invoices_payable_online(msp: Msp, edition: str) -> None:
    invoice = msp.final()
    if edition == "enterprise":
        msp.do(edits.offer_card_payment, invoice, 10_000)
    assert msp.gateway.payable_online() == ({invoice} if edition == "enterprise" else set())


@pytest.mark.parametrize("edition", ["community"], indirect=True)
def test_mirrored_link_makes_algapsa_protect_the_invoice_and_is_not_taken_for_its_own(
    msp: Msp,
) -> None:
    invoice = msp.final()
    assert msp.gateway.mirror_links(REALM, {invoice: "130"}) == {invoice}
    assert msp.gateway.mirror_links(REALM, {invoice: "130"}) == {invoice}
    [mapping] = reading.mapping_rows(msp.owner, msp.tenant)
    assert (mapping["integration_type"], mapping["external_entity_id"]) == (
        "quickbooks_online",
        "130",
    )
    assert header(msp, invoice).mapped_by_algapsa is None
    assert msp.gateway.unmirror(REALM, [invoice]) == {invoice}
    assert reading.mapping_rows(msp.owner, msp.tenant) == []


@pytest.mark.parametrize("edition", ["community"], indirect=True)
def test_mapping_of_algapsas_own_is_neither_overwritten_nor_removed(msp: Msp) -> None:
    invoice = msp.final()
    msp.do(edits.map_entity, "invoice", invoice, "77", realm=REALM)
    assert msp.gateway.mirror_links(REALM, {invoice: "130"}) == set()
    assert msp.gateway.unmirror(REALM, [invoice]) == set()
    [mapping] = reading.mapping_rows(msp.owner, msp.tenant)
    assert mapping["external_entity_id"] == "77"


@pytest.mark.parametrize("edition", ["enterprise"], indirect=True)
def test_enterprise_is_never_mirrored_because_its_own_engine_would_queue_work(msp: Msp) -> None:
    assert msp.gateway.mirror_links(REALM, {msp.final(): "130"}) == set()
    assert reading.mapping_rows(msp.owner, msp.tenant) == []
