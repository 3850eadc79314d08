"""Payments out that staff dismissed: they stay out of QuickBooks when what held them is gone."""

from __future__ import annotations

from decimal import Decimal

import pytest

from qbo_sync_dagster.domain.catalogue import Action
from qbo_sync_dagster.sandbox.algapsa import payments
from tests.scenarios.conftest import Books
from tests.scenarios.credit_steps import settle
from tests.scenarios.deciding import decide

NO_INVOICE = "Payment push keeps failing — invoice not mapped in QBO"
NO_CUSTOMER = "Payment push keeps failing — customer not mapped in QBO"
UNPAIRED = "Payments from before the sync don't pair"


def received(world) -> list[Decimal]:
    found = world.quickbooks.list(world.company.realm, "Payment")
    return [Decimal(str(each["TotalAmt"])) for each in found]


def unmapped(world) -> tuple[Books, str]:
    """An invoice of a client that is not linked, and 40.00 that AlgaPSA received on it."""
    world.in_ledger("DELETE FROM links WHERE kind = 'client'")
    invoice = world.invoice(10_000)
    row = world.record_in_algapsa(invoice, 4_000)
    world.cycle()
    return invoice, row


def test_a_dismissed_payment_is_not_sent_after_its_invoice(world) -> None:
    invoice, _ = unmapped(world)
    settle(world, NO_INVOICE, Action.DISMISS)

    world.link_everything()
    for _ in range(2):
        world.cycle()

    assert len(world.in_quickbooks(invoice)) == 1
    assert received(world) == []
    assert world.operations() == {}
    assert world.titles() == []


def test_a_dismissed_payment_raises_nothing_else_as_long_as_it_is_the_same(world) -> None:
    invoice = world.exported(10_000)
    world.in_ledger("DELETE FROM links WHERE kind = 'client'")
    row = world.record_in_algapsa(invoice, 4_000)
    world.cycle()
    settle(world, NO_CUSTOMER, Action.DISMISS)
    world.cycle()
    assert world.titles() == []

    world.do(payments.reverse_payment, row)
    world.record_in_algapsa(invoice, 4_000)
    world.cycle()

    assert world.titles() == [NO_CUSTOMER]


def test_a_dismissed_payment_is_sent_once_staff_say_push(world) -> None:
    invoice, row = unmapped(world)
    settle(world, NO_INVOICE, Action.DISMISS)
    world.link_everything()
    customer = world.company.customers[world.clients[0]]
    lines = [(world.company.item, Decimal(100))]
    entered = world.quickbooks.invoice(
        world.company.realm,
        customer,
        lines,
        DocNumber=invoice.number,
        TxnDate=world.today.isoformat(),
    )
    world.link(("invoice", invoice.invoice_id, entered["Id"]))
    world.cycle()
    assert world.titles() == [UNPAIRED]

    settle(world, UNPAIRED, Action.PUSH, row)
    world.cycle()

    assert received(world) == [40]
    assert world.titles() == []


@pytest.mark.parametrize("hindrance", ["closed books", "refusal"])
def test_a_dismissed_reversal_is_not_sent_when_what_held_it_is_gone(world, hindrance) -> None:
    realm = world.company.realm
    invoice = world.exported(10_000)
    row = world.record_in_algapsa(invoice, 4_000)
    world.cycle()
    if hindrance == "refusal":
        world.quickbooks.fault("fault:6000", realm=realm, kind="delete", times=99)
    else:
        world.quickbooks.set(realm, book_close_date=world.today.isoformat())
    world.do(payments.reverse_payment, row)
    for _ in range(5):
        world.cycle()
    [told] = world.open()
    assert told.kind == ("push_failing" if hindrance == "refusal" else "closed_period")

    decide(world, told.number, Action.DISMISS)
    world.quickbooks.clear_faults(realm)
    world.quickbooks.set(realm, book_close_date="")
    for _ in range(2):
        world.cycle()

    assert received(world) == [40]
    assert world.operations() == {}
    assert world.titles() == []
