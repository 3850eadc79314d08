"""What an invoice becomes in QuickBooks, and everything that may keep it from going there."""

from __future__ import annotations

from datetime import date
from decimal import Decimal
from typing import Any

import pytest

from qbo_sync_dagster.domain.algapsa_records import Client, Document
from qbo_sync_dagster.domain.export import (
    ExportDocument,
    NotReady,
    References,
    prepare_export,
)

from .conftest import Make

COMPLETE: dict[str, Any] = {
    "customers": {"client-1": "58"},
    "items": {"service-1": "12", "service-2": "13"},
    "tax_codes": {"US-WA": "TAX"},
    "terms": {"net_30": "3"},
}


def references(**fields: Any) -> References:
    return References(**(COMPLETE | fields))


def ready(document: Document, client: Client, **fields: Any) -> ExportDocument:
    prepared = prepare_export(document, client, references(**fields))
    assert isinstance(prepared, ExportDocument), prepared
    return prepared


def refused(document: Document, client: Client | None, **fields: Any) -> NotReady:
    prepared = prepare_export(document, client, references(**fields))
    assert isinstance(prepared, NotReady)
    return prepared


# What is sent


def test_the_header_carries_number_customer_dates_terms_and_currency(
    document: Make, client: Make
) -> None:
    sent = ready(document(), client())

    assert (sent.number, sent.customer_id, sent.term_id, sent.currency) == (
        "INV-1",
        "58",
        "3",
        "USD",
    )
    assert (sent.invoice_date, sent.due_date) == (date(2026, 3, 2), date(2026, 4, 1))
    assert (sent.total_minor, sent.tax_minor) == (10_000, 0)


def test_a_purchase_order_becomes_a_note(document: Make, client: Make) -> None:
    assert ready(document(po_number="4711"), client()).note == "PO: 4711"
    assert ready(document(), client()).note is None


def test_the_exchange_rate_is_sent_as_a_rate(document: Make, client: Make) -> None:
    sent = ready(document(exchange_rate_basis_points=12_345), client())

    assert sent.exchange_rate == Decimal("1.2345")


@pytest.mark.parametrize("email", [None, "", "nobody", "a@b", f"{'x' * 100}@example.com"])
def test_an_address_that_quickbooks_would_refuse_is_left_out(
    document: Make, client: Make, email: str | None
) -> None:
    assert ready(document(), client(billing_email=email)).email is None


def test_a_billing_address_is_sent_without_blanks(document: Make, client: Make) -> None:
    assert ready(document(), client(billing_email=" ap@example.com ")).email == "ap@example.com"


def test_class_and_department_are_the_companys_defaults(document: Make, client: Make) -> None:
    sent = ready(document(), client(), default_class="7", default_department="8")

    assert sent.department_id == "8"
    assert [line.class_id for line in sent.lines] == ["7"]


def test_a_line_carries_item_net_amount_and_description(
    document: Make, charge: Make, client: Make
) -> None:
    [line] = ready(document(charge(12_345)), client()).lines

    assert (line.item_id, line.amount) == ("12", Decimal("123.45"))
    assert line.description == "Managed endpoint, March"


def test_lines_keep_the_order_of_the_charges(document: Make, charge: Make, client: Make) -> None:
    sent = ready(document(charge(100), charge(300), charge(200)), client())

    assert [line.amount for line in sent.lines] == [Decimal(1), Decimal(3), Decimal(2)]


def test_quantity_and_price_are_sent_where_they_multiply_to_the_amount(
    document: Make, charge: Make, client: Make
) -> None:
    three = charge(7_500, quantity=Decimal(3), unit_price_minor=2_500)

    [line] = ready(document(three), client()).lines

    assert (line.quantity, line.unit_price) == (Decimal(3), Decimal("25.00"))


def test_quantity_and_price_that_do_not_multiply_to_the_amount_are_left_out(
    document: Make, charge: Make, client: Make
) -> None:
    # QuickBooks refuses such a line, and the amount is what counts.
    rounded = charge(3_333, quantity=Decimal("0.333"), unit_price_minor=10_000)

    [line] = ready(document(rounded), client()).lines

    assert (line.quantity, line.unit_price, line.amount) == (None, None, Decimal("33.33"))


def test_a_discount_is_a_line_with_a_negative_amount(
    document: Make, charge: Make, client: Make
) -> None:
    discount = charge(-1_000, is_discount=True)

    sent = ready(document(charge(5_000), discount), client())

    assert [line.amount for line in sent.lines] == [Decimal(50), Decimal(-10)]
    assert sent.total_minor == 4_000


def test_a_charge_without_a_service_uses_the_companys_default_item(
    document: Make, charge: Make, client: Make
) -> None:
    [line] = ready(document(charge(service_id=None)), client(), default_item="99").lines

    assert line.item_id == "99"


def test_a_long_description_is_cut_to_what_quickbooks_takes(
    document: Make, charge: Make, client: Make
) -> None:
    [line] = ready(document(charge(description="x" * 100_000)), client()).lines

    assert len(line.description) == 4_000


def test_a_service_date_is_the_first_day_of_the_period(
    document: Make, charge: Make, detail: Make, client: Make
) -> None:
    days = (date(2026, 3, 15), date(2026, 3, 1))
    periods = tuple(detail("service-1", None, period_start=day) for day in days)

    [line] = ready(document(charge(details=periods)), client()).lines

    assert line.service_date == date(2026, 3, 1)


def test_a_fixed_plan_is_split_into_its_services(
    document: Make, charge: Make, detail: Make, client: Make
) -> None:
    parts = (detail("service-1", 6_000), detail("service-2", 4_000))
    plan = charge(10_000, service_id=None, details=parts)

    sent = ready(document(plan), client())

    assert [(line.item_id, line.amount) for line in sent.lines] == [
        ("12", Decimal(60)),
        ("13", Decimal(40)),
    ]


def test_a_split_that_does_not_add_up_to_the_charge_is_not_used(
    document: Make, charge: Make, detail: Make, client: Make
) -> None:
    parts = (detail("service-1", 6_000), detail("service-2", 3_999))
    plan = charge(10_000, service_id=None, details=parts)

    [line] = ready(document(plan), client(), default_item="99").lines

    assert (line.item_id, line.amount) == ("99", Decimal(100))


# Tax


def test_a_company_in_the_united_states_marks_lines_as_taxed_or_not(
    document: Make, charge: Make, client: Make
) -> None:
    taxed = charge(10_000, tax_minor=825, tax_region="US-WA")
    free = charge(5_000, tax_region="US-WA")

    sent = ready(document(taxed, free), client())

    assert [line.tax_code for line in sent.lines] == ["TAX", "NON"]
    assert (sent.tax_minor, sent.tax_is_excluded) == (825, False)


def test_elsewhere_every_line_carries_the_code_of_its_region(
    document: Make, charge: Make, client: Make
) -> None:
    taxed = charge(10_000, tax_minor=2_000, tax_region="GB")
    free = charge(5_000, tax_region="GB")

    sent = ready(document(taxed, free), client(), tax_codes={"GB": "4"})

    assert [line.tax_code for line in sent.lines] == ["4", "4"]
    assert sent.tax_is_excluded


def test_a_region_of_an_untaxed_line_needs_no_code_in_the_united_states(
    document: Make, charge: Make, client: Make
) -> None:
    assert ready(document(charge(tax_region="US-OR")), client())


def test_a_taxed_line_whose_region_is_not_linked_is_not_sent(
    document: Make, charge: Make, client: Make
) -> None:
    taxed = charge(10_000, tax_minor=825, tax_region="US-OR")

    [problem] = refused(document(taxed), client()).problems

    assert "US-OR" in problem


def test_elsewhere_an_untaxed_line_needs_its_region_linked_too(
    document: Make, charge: Make, client: Make
) -> None:
    [problem] = refused(document(charge(tax_region="IE")), client(), tax_codes={"GB": "4"}).problems

    assert '"IE"' in problem


# Readiness


def test_a_default_term_and_tax_code_serve_only_where_no_link_exists(
    document: Make, charge: Make, client: Make
) -> None:
    invoice = document(charge(tax_region="US-OR"))
    defaults = {"default_term": "9", "default_tax_code": "7"}

    sent = ready(invoice, client(payment_terms="net_45"), tax_codes={"DE-BY": "5"}, **defaults)
    linked = ready(
        document(charge(tax_region="DE-BY")), client(), tax_codes={"DE-BY": "5"}, **defaults
    )

    assert (sent.term_id, sent.lines[0].tax_code) == ("9", "7")
    assert (linked.term_id, linked.lines[0].tax_code) == ("3", "5")


def test_a_company_whose_only_tax_code_is_its_default_is_abroad_unless_it_is_taxable(
    document: Make, charge: Make, client: Make
) -> None:
    invoice = document(charge(tax_region="DE-BY"))

    abroad = ready(invoice, client(), tax_codes={}, default_tax_code="7")
    home = ready(invoice, client(), tax_codes={}, default_tax_code="TAX")

    assert (abroad.tax_is_excluded, abroad.lines[0].tax_code) == (True, "7")
    assert (home.tax_is_excluded, home.lines[0].tax_code) == (False, "NON")


def test_every_problem_is_found_at_once(
    document: Make, charge: Make, header: Make, client: Make
) -> None:
    charges = (
        charge(10_000, service_id="unknown", service_name="Firewall", tax_minor=1, tax_region="X"),
        charge(5_000, service_id=None, description="Travel"),
        charge(None, description="Broken"),
    )
    odd = header(number="N" * 22, currency="JPY", total_minor=1)

    found = refused(document(*charges, header=odd), client(payment_terms="net_7"), customers={})

    told = " ".join(found.problems)
    for cause in ('"Firewall"', '"X"', '"Travel"', '"Broken"', "N" * 22, "JPY", '"net_7"'):
        assert cause in told
    assert '"Quarry Lane Dental" is not linked' in told


def test_a_problem_of_several_charges_is_told_once(
    document: Make, charge: Make, client: Make
) -> None:
    charges = [charge(100, service_id="unknown", service_name="Firewall") for _ in range(5)]

    assert len(refused(document(*charges), client()).problems) == 1


def test_a_missing_customer_alone_can_be_awaited(document: Make, client: Make) -> None:
    found = refused(document(), client(), customers={})

    assert found.awaits_customer
    assert "Quarry Lane Dental" in found.problems[0]


def test_a_missing_customer_beside_other_problems_is_told_and_not_awaited(
    document: Make, client: Make
) -> None:
    found = refused(document(), client(), customers={}, terms={})

    assert not found.awaits_customer
    assert len(found.problems) == 2


def test_a_client_that_is_gone_is_told(document: Make) -> None:
    found = refused(document(), None)

    assert found.problems == ("Its client no longer exists in AlgaPSA.",)
    assert not found.awaits_customer


@pytest.mark.parametrize("number", ["", "N" * 22])
def test_a_number_that_quickbooks_would_change_is_not_sent(
    document: Make, header: Make, client: Make, number: str
) -> None:
    [problem] = refused(document(header=header(number=number)), client()).problems

    assert "1 to 21 characters" in problem


def test_the_longest_number_that_quickbooks_takes_is_sent(
    document: Make, header: Make, client: Make
) -> None:
    assert ready(document(header=header(number="N" * 21)), client())


def test_an_invoice_without_charges_is_not_sent(document: Make, client: Make) -> None:
    empty = document(charges=())

    assert "no charges" in refused(empty, client()).problems[0]


def test_more_lines_than_quickbooks_takes_are_not_sent(
    document: Make, charge: Make, detail: Make, client: Make
) -> None:
    parts = tuple(detail("service-1", 1) for _ in range(751))
    plan = charge(751, service_id=None, details=parts)

    assert "751 lines" in refused(document(plan), client()).problems[0]


def test_as_many_lines_as_quickbooks_takes_are_sent(
    document: Make, charge: Make, client: Make
) -> None:
    assert ready(document(*(charge(1) for _ in range(750))), client())


@pytest.mark.parametrize("currency", ["JPY", "KWD"])
def test_a_currency_without_hundredths_is_not_sent(
    document: Make, header: Make, client: Make, currency: str
) -> None:
    [problem] = refused(document(header=header(currency=currency)), client()).problems

    assert currency in problem


def test_a_total_that_its_charges_do_not_give_is_not_sent(
    document: Make, header: Make, client: Make
) -> None:
    [problem] = refused(document(header=header(total_minor=10_001)), client()).problems

    assert "100.00" in problem
    assert "100.01" in problem


def test_a_tax_that_its_charges_do_not_give_is_not_sent(
    document: Make, charge: Make, header: Make, client: Make
) -> None:
    # Net and tax are off by the same amount, so the total alone would not show it.
    odd = document(charge(10_000), header=header(total_minor=10_000), tax_minor=1)

    assert "correct the invoice" in refused(odd, client()).problems[0]


def test_an_invoice_of_a_client_whose_customer_is_inactive_is_not_sent(
    document: Make, client: Make
) -> None:
    [problem] = refused(document(), client(), unavailable={"client-1"}).problems

    assert "inactive" in problem
    assert ready(document(), client(), unavailable={"client-2"})


# Credit notes


def test_a_credit_note_turns_every_sign_and_carries_neither_term_nor_due_date(
    document: Make, charge: Make, header: Make, client: Make
) -> None:
    given = charge(-6_000, quantity=Decimal(3), unit_price_minor=-2_000, tax_minor=-495)
    kept = charge(1_000, unit_price_minor=1_000, tax_minor=83)
    returned = charge(-500, quantity=Decimal(-1), unit_price_minor=500)
    note = document(
        given,
        kept,
        returned,
        header=header(invoice_type="credit_note", total_minor=-5_912),
    )

    sent = ready(note, client(payment_terms="unheard of"))

    assert [line.amount for line in sent.lines] == [Decimal(60), Decimal(-10), Decimal(5)]
    assert [(line.quantity, line.unit_price) for line in sent.lines] == [
        (3, Decimal(20)),
        (1, Decimal(-10)),
        (1, Decimal(5)),
    ]
    assert (sent.total_minor, sent.tax_minor) == (5_912, 412)
    assert (sent.term_id, sent.due_date) == (None, None)


def test_a_credit_note_over_a_positive_amount_is_refused(
    document: Make, header: Make, client: Make
) -> None:
    note = document(header=header(invoice_type="credit_note"))

    assert "positive amount" in refused(note, client()).problems[0]
