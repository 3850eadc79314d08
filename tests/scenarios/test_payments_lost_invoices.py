"""Payments in whose invoice goes away in QuickBooks: they are read back and planned at once."""

from __future__ import annotations

import pytest

GONE = "Exported invoice was voided or deleted in QuickBooks"


@pytest.mark.parametrize("edition", ["community", "enterprise"])
@pytest.mark.parametrize("act", ["void", "delete"])
@pytest.mark.parametrize("delivered", [True, False], ids=["delivered", "not delivered"])
def test_payment_loses_its_invoice_and_is_taken_back_in_the_same_cycle(
    world, spoil, act: str, delivered: bool
) -> None:
    first, second = world.invoice(10_000), world.invoice(5_000)
    world.cycle()
    payment = world.pay((first, "100.00"), (second, "50.00"))
    world.receive()
    assert world.state(first).status == "paid"
    getattr(world.quickbooks, act)(world.company.realm, "Invoice", world.quickbooks_id(first))
    if not delivered:
        # As if QuickBooks had changed the payment without a new token or time.
        spoil("Payment", payment, at="2026-01-01", SyncToken="0")

    world.receive()

    assert world.rows(first) == [10_000, -10_000]
    assert world.rows(second) == [5_000]
    assert world.state(first).status == "sent"
    assert world.titles() == [GONE]


def test_what_was_taken_back_is_not_taken_back_again(world) -> None:
    invoice = world.exported(10_000)
    world.pay((invoice, "100.00"))
    world.receive()
    world.quickbooks.void(world.company.realm, "Invoice", world.quickbooks_id(invoice))
    world.receive()

    again = world.receive()

    assert again.rows_written == 0
    assert world.rows(invoice) == [10_000, -10_000]


def test_payment_taken_off_an_invoice_is_seen_on_the_invoice_too(world, spoil) -> None:
    invoice = world.exported(10_000)
    payment = world.pay((invoice, "100.00"))
    world.receive()
    world.quickbooks.unapply(world.company.realm, payment)
    spoil("Payment", payment, at="2026-01-01")

    world.receive()

    assert world.rows(invoice) == [10_000, -10_000]
    assert world.titles() == []


def test_payment_that_could_not_be_read_back_is_read_later(world, spoil) -> None:
    realm = world.company.realm
    invoice = world.exported(10_000)
    payment = world.pay((invoice, "100.00"))
    world.receive()
    world.quickbooks.void(realm, "Invoice", world.quickbooks_id(invoice))
    spoil("Payment", payment, at="2026-01-01", SyncToken="0")
    world.quickbooks.fault("503", realm=realm, kind="query", entity="Payment", times=50)
    assert world.cycle().outcome == "failed"
    world.quickbooks.fault("503", realm=realm, times=50)
    assert world.cycle().outcome == "failed"
    world.quickbooks.clear_faults()

    world.receive()

    assert world.rows(invoice) == [10_000, -10_000]
    assert world.titles() == [GONE]
