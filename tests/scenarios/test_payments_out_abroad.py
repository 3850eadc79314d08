"""Payments out in a foreign currency: each carries its currency and the rate of its invoice."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import sqlalchemy as sa

from qbo_sync_dagster.sandbox.algapsa import credit, payments
from qbo_sync_dagster.sandbox.algapsa.charges import Charge

EUROS = 3


def rated(world, cents: int = 10_000, basis_points: int | None = 11_000) -> Any:
    """An exported invoice in euros that AlgaPSA gave this rate, in ten-thousandths."""
    invoice = world.draft(cents, client=EUROS, currency="EUR")
    statement = "UPDATE invoices SET exchange_rate_basis_points = :rate WHERE invoice_id = :id"
    with world.owner.begin() as connection:
        values = {"rate": basis_points, "id": invoice.invoice_id}
        connection.execute(sa.text(statement), values)
    world.finalize(invoice)
    assert world.cycle().outcome == "succeeded"
    return invoice


def only_payment(world) -> dict[str, Any]:
    [payment] = world.quickbooks.list(world.company.realm, "Payment")
    return payment


def settled(world) -> None:
    """Another cycle finds nothing to do."""
    before = world.stands()
    assert world.cycle().outcome == "succeeded"
    assert world.stands() == before
    assert world.operations() == {}
    assert world.titles() == []


def test_a_pushed_payment_in_euros_carries_the_rate_that_algapsa_gave_its_invoice(
    many_currencies,
) -> None:
    world = many_currencies
    invoice = rated(world)
    world.record_in_algapsa(invoice, 4_000)

    world.cycle()

    payment = only_payment(world)
    assert payment["CurrencyRef"]["value"] == "EUR"
    assert payment["ExchangeRate"] == Decimal("1.1")
    assert payment["TotalAmt"] == Decimal(40)
    assert world.rows(invoice) == [4_000]
    settled(world)


def test_without_a_rate_of_algapsas_the_one_that_quickbooks_gave_the_invoice_goes(
    many_currencies,
) -> None:
    world = many_currencies
    invoice = rated(world, basis_points=None)
    world.record_in_algapsa(invoice, 4_000)

    world.cycle()

    assert only_payment(world)["ExchangeRate"] == Decimal("1.08")
    settled(world)


def test_a_partial_reversal_in_euros_keeps_currency_and_rate(many_currencies) -> None:
    world = many_currencies
    invoice = rated(world)
    own = world.record_in_algapsa(invoice, 4_000)
    world.cycle()
    world.quickbooks.set(world.company.realm, exchange_rates={"EUR": "1.25"})

    with world.owner.begin() as connection:
        bounced = payments.reverse_payment(connection, world.tenant, own)
        statement = "UPDATE invoice_payments SET amount = -1500 WHERE payment_id = :id"
        connection.execute(sa.text(statement), {"id": bounced})
    world.forget()
    world.cycle()

    payment = only_payment(world)
    assert payment["TotalAmt"] == Decimal(25)
    assert (payment["CurrencyRef"]["value"], payment["ExchangeRate"]) == ("EUR", Decimal("1.1"))
    settled(world)


def test_a_reversal_of_euros_takes_the_whole_payment_back(many_currencies) -> None:
    world = many_currencies
    invoice = rated(world)
    own = world.record_in_algapsa(invoice, 4_000)
    world.cycle()

    world.do(payments.reverse_payment, own)
    world.cycle()

    assert world.quickbooks.list(world.company.realm, "Payment") == []
    assert world.rows(invoice) == [4_000, -4_000]
    settled(world)


def test_a_credit_application_in_euros_carries_the_rate_of_its_invoice(many_currencies) -> None:
    world = many_currencies
    invoice = rated(world)
    charge = Charge("Refund", -3_000, service_id=world.service)
    world.invoice(charges=(charge,), client=EUROS, currency="EUR")
    world.do(credit.apply_credit, invoice.invoice_id)

    world.cycle()

    applied = only_payment(world)
    assert applied["TotalAmt"] == Decimal(0)
    assert applied["CurrencyRef"]["value"] == "EUR"
    assert applied["ExchangeRate"] == Decimal("1.1")
    settled(world)


def test_euros_on_both_sides_are_held_as_the_same_money(many_currencies) -> None:
    world = many_currencies
    invoice = rated(world)
    world.record_in_algapsa(invoice, 4_000)
    world.pay((invoice, "40.00"), client=EUROS)

    world.cycle()

    assert world.titles() == ["Same payment on both sides?"]
    assert len(world.quickbooks.list(world.company.realm, "Payment")) == 1
    assert world.rows(invoice) == [4_000]
