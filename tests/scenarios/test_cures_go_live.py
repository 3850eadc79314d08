"""What is dated before go-live and came later: sent only because staff chose it, and only once."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal
from typing import TYPE_CHECKING

from qbo_sync_dagster.domain.catalogue import Action
from qbo_sync_dagster.sandbox.algapsa import payments
from tests.scenarios.deciding import closed, decide

if TYPE_CHECKING:
    from tests.scenarios.conftest import World

EARLY = "Dated before go-live"
TAKEN = "Already in QuickBooks"


def test_an_invoice_from_before_go_live_is_exported_because_staff_chose_it(world: World) -> None:
    day = world.today - timedelta(days=40)
    invoice = world.invoice(day=day)
    world.cycle()
    assert world.titles() == [EARLY]
    assert world.in_quickbooks(invoice) == []

    decide(world, EARLY, Action.EXPORT)
    world.cycle()
    before = world.stands()
    world.cycle()

    [shown] = world.in_quickbooks(invoice)
    assert shown["TxnDate"] == day.isoformat()
    assert world.stands() == before
    assert world.titles() == []
    assert closed(world, EARLY) == ("resolved", "Avery")


def test_one_that_quickbooks_has_already_is_not_sent_a_second_time(world: World) -> None:
    day = world.today - timedelta(days=40)
    invoice = world.draft(10_000, day=day)
    world.quickbooks.invoice(
        world.company.realm,
        world.company.customers[world.clients[1]],
        [(world.company.item, Decimal(100))],
        DocNumber=invoice.number,
        TxnDate=day.isoformat(),
    )
    world.finalize(invoice)
    world.cycle()

    decide(world, EARLY, Action.EXPORT)
    world.cycle()

    assert len(world.in_quickbooks(invoice)) == 1
    assert world.titles() == [TAKEN]


def test_the_choice_for_one_invoice_sends_no_other_one_from_before_go_live(world: World) -> None:
    day = world.today - timedelta(days=40)
    chosen, other = world.invoice(day=day), world.invoice(day=day)
    world.cycle()
    number = next(each.number for each in world.open() if chosen.invoice_id in each.record)

    decide(world, number, Action.EXPORT)
    world.cycle()

    assert len(world.in_quickbooks(chosen)) == 1
    assert world.in_quickbooks(other) == []
    assert world.titles() == [EARLY]


def test_a_payment_from_before_go_live_is_pushed_because_staff_chose_it(world: World) -> None:
    invoice = world.exported(10_000)
    day = world.today - timedelta(days=40)
    world.do(payments.record_payment, payments.Payment(invoice.invoice_id, 4_000, day))
    world.cycle()
    assert world.titles() == [EARLY]

    decide(world, EARLY, Action.EXPORT)
    world.cycle()
    before = world.stands()
    world.cycle()

    [payment] = world.quickbooks.list(world.company.realm, "Payment")
    assert (payment["TxnDate"], Decimal(str(payment["TotalAmt"]))) == (day.isoformat(), 40)
    assert world.stands() == before
    assert world.rows(invoice) == [4_000]
    assert world.titles() == []
