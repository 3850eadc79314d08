"""The judge of the simulated year is not blind: what nothing names, or stands twice, stops it."""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal
from random import Random

import pytest
import sqlalchemy as sa

from benchmarks.year.acts import bill
from benchmarks.year.day import Day
from benchmarks.year.invariants import (
    BrokenPromiseError,
    check_nothing_silent,
    check_nothing_twice,
)
from benchmarks.year.provider import Company, Provider, open_provider

NUMBER = "INV-000001"


@pytest.fixture(scope="module")
def provider() -> Iterator[Provider]:
    """A provider whose first company has one exported and paid invoice."""
    with open_provider() as opened:
        bill(Day(opened, Random(1)))  # noqa: S311  (no secret)
        company = opened.companies[0]
        assert opened.cycle(company).outcome == "succeeded"
        [invoice] = opened.objects(company, "Invoice").values()
        lines = [(invoice["Id"], Decimal(invoice["Balance"]))]
        customer = invoice["CustomerRef"]["value"]
        opened.quickbooks.record_payment(company.realm, customer, lines, ref="CHQ 1")
        assert opened.cycle(company).outcome == "succeeded"
        yield opened


@pytest.fixture
def company(provider: Provider) -> Company:
    """The company with the invoice; its books agree."""
    check_nothing_silent(provider, provider.companies[0])
    check_nothing_twice(provider)
    return provider.companies[0]


def test_a_total_that_differs_without_a_name_is_found(provider: Provider, company: Company) -> None:
    with provider.owner.begin() as connection:
        connection.execute(sa.text("UPDATE invoices SET total_amount = total_amount + 1"))
    with pytest.raises(BrokenPromiseError, match=f"total of {NUMBER}"):
        check_nothing_silent(provider, company)
    with provider.owner.begin() as connection:
        connection.execute(sa.text("UPDATE invoices SET total_amount = total_amount - 1"))


def test_a_payment_that_differs_without_a_name_is_found(
    provider: Provider, company: Company
) -> None:
    with provider.owner.begin() as connection:
        connection.execute(sa.text("UPDATE invoice_payments SET amount = amount - 1"))
    with pytest.raises(BrokenPromiseError, match=f"payment .* on {NUMBER}"):
        check_nothing_silent(provider, company)
    with provider.owner.begin() as connection:
        connection.execute(sa.text("UPDATE invoice_payments SET amount = amount + 1"))


def test_an_accepted_total_names_no_more_than_was_accepted(
    provider: Provider, company: Company
) -> None:
    _shift(provider, total=-1, paid=-1, accepted=1)
    check_nothing_silent(provider, company)
    _shift(provider, total=0, paid=-1, accepted=0)
    with pytest.raises(BrokenPromiseError, match=f"payment .* on {NUMBER}"):
        check_nothing_silent(provider, company)
    _shift(provider, total=1, paid=2, accepted=-1)


def _shift(provider: Provider, *, total: int, paid: int, accepted: int) -> None:
    with provider.owner.begin() as connection:
        change = sa.text("UPDATE invoices SET total_amount = total_amount + :by")
        connection.execute(change, {"by": total})
        change = sa.text("UPDATE invoice_payments SET amount = amount + :by")
        connection.execute(change, {"by": paid})
    with provider.engine.ledger.begin() as connection:
        change = sa.text(
            "UPDATE links SET accepted_minor = accepted_minor + :by,"
            " difference_minor = difference_minor + :by WHERE kind = 'invoice'"
        )
        connection.execute(change, {"by": accepted})


def test_a_change_in_quickbooks_that_no_cycle_has_seen_is_found(
    provider: Provider, company: Company
) -> None:
    [payment] = provider.objects(company, "Payment").values()
    _pay(provider, company, payment["TotalAmt"] - 1)
    with pytest.raises(BrokenPromiseError, match=f"payment .* on {NUMBER}.*unseen in QuickBooks"):
        check_nothing_silent(provider, company)
    _pay(provider, company, payment["TotalAmt"])
    provider.cycle(company)


def test_a_change_that_waits_and_that_nobody_was_told_of_is_found(
    provider: Provider, company: Company
) -> None:
    [invoice] = provider.objects(company, "Invoice").values()
    [line, *_] = invoice["Line"]
    priced = ("Qty", "UnitPrice")
    sold = line["SalesItemLineDetail"].items()
    detail = {key: value for key, value in sold if key not in priced}
    raised = {**line, "Amount": line["Amount"] + 1, "SalesItemLineDetail": detail}
    provider.quickbooks.edit(company.realm, "Invoice", invoice["Id"], Line=[raised])
    provider.cycle(company)
    check_nothing_silent(provider, company)

    with provider.engine.ledger.begin() as connection:
        connection.execute(sa.text("UPDATE exceptions SET state = 'resolved'"))
    with pytest.raises(BrokenPromiseError, match=f"total of {NUMBER}.*drift 100"):
        check_nothing_silent(provider, company)

    provider.quickbooks.edit(company.realm, "Invoice", invoice["Id"], Line=[line])
    provider.cycle(company)


def _pay(provider: Provider, company: Company, amount: Decimal) -> None:
    [payment] = provider.objects(company, "Payment").values()
    [invoice] = provider.objects(company, "Invoice").values()
    lines = [(invoice["Id"], amount)]
    provider.quickbooks.edit_payment(company.realm, payment["Id"], lines)


def test_a_payment_applied_twice_is_found(provider: Provider, company: Company) -> None:
    copy = """
        INSERT INTO invoice_payments (tenant, payment_id, invoice_id, amount, payment_method,
            payment_date, status, metadata)
        SELECT tenant, gen_random_uuid(), invoice_id, amount, payment_method, payment_date, 'copy',
            metadata
        FROM invoice_payments
    """
    with provider.owner.begin() as connection:
        connection.execute(sa.text(copy))
    with pytest.raises(BrokenPromiseError, match="payments"):
        check_nothing_twice(provider)
    with provider.owner.begin() as connection:
        connection.execute(sa.text("DELETE FROM invoice_payments WHERE status = 'copy'"))


def test_a_document_made_twice_is_found(provider: Provider, company: Company) -> None:
    other = provider.companies[1]
    [item, *_] = other.items.values()
    [customer, *_] = other.customers.values()
    lines = [(item, Decimal(1))]
    made = provider.quickbooks.invoice(other.realm, customer, lines, DocNumber=NUMBER)
    with pytest.raises(BrokenPromiseError, match=f"documents: .*{NUMBER}"):
        check_nothing_twice(provider)
    provider.quickbooks.delete(other.realm, "Invoice", str(made["Id"]))
