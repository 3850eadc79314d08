"""A QuickBooks payment that staff leave unapplied, and AlgaPSA's own payment on that invoice."""

from __future__ import annotations

from qbo_sync_dagster.actions.cases import Choice
from qbo_sync_dagster.actions.resolving import Resolution, resolve
from qbo_sync_dagster.domain.catalogue import Action
from qbo_sync_dagster.sandbox.algapsa import credit
from qbo_sync_dagster.sandbox.algapsa.charges import Charge

from .conftest import World

SETTLED = "QuickBooks payment targets an already-settled invoice"
GONE = "Exported invoice was voided or deleted in QuickBooks"
PUSH = "Payment push keeps failing in accounting"
SAME = "Same payment on both sides?"


def dismiss(world: World, title: str) -> None:
    number = world.exception(title).number
    resolve(world.engine, Resolution(Action.DISMISS, Choice(number, "Avery", "seen"), ""))


def payments(world: World) -> list[str]:
    return [str(each["TotalAmt"]) for each in world.quickbooks.list(world.company.realm, "Payment")]


def test_a_payment_held_by_one_that_staff_leave_unapplied_is_told_of_itself(world: World) -> None:
    invoice = world.exported(10_000)
    world.record_in_algapsa(invoice, 10_000)
    world.pay((invoice, "60.00"))
    world.cycle()
    assert world.titles() == [SETTLED]

    dismiss(world, SETTLED)
    world.cycle()

    assert world.titles() == [SAME]
    assert "staff left unapplied" in world.exception(SAME).what_happened
    assert len(payments(world)) == 1


def test_a_payment_told_apart_from_the_one_left_unapplied_is_sent(world: World) -> None:
    invoice = world.exported(10_000)
    world.record_in_algapsa(invoice, 10_000)
    world.pay((invoice, "60.00"))
    world.cycle()
    dismiss(world, SETTLED)
    world.cycle()

    number = world.exception(SAME).number
    resolve(world.engine, Resolution(Action.BOTH_REAL, Choice(number, "Avery", "two cheques"), ""))
    world.cycle()

    assert sorted(payments(world)) == ["100", "60"]
    assert SAME not in world.titles()


def test_a_payment_of_the_same_amount_is_matched_with_the_one_left_unapplied(world: World) -> None:
    invoice = world.exported(20_000)
    world.record_in_algapsa(invoice, 10_000)
    world.pay((invoice, "100.00"))
    world.cycle()
    dismiss(world, SAME)
    world.cycle()

    number = world.exception(SAME).number
    resolve(world.engine, Resolution(Action.MATCH, Choice(number, "Avery", "one cheque"), ""))
    end = world.cycle()

    assert (end.health.pending, world.titles(), payments(world)) == (0, [], ["100"])
    assert world.rows(invoice) == [10_000]


def test_once_both_are_left_alone_nothing_is_pending_and_nothing_is_sent(world: World) -> None:
    invoice = world.exported(20_000)
    world.record_in_algapsa(invoice, 10_000)
    world.pay((invoice, "100.00"))
    world.cycle()
    dismiss(world, SAME)
    world.cycle()

    dismiss(world, SAME)
    for _ in range(2):
        end = world.cycle()

    assert (end.health.pending, world.titles(), len(payments(world))) == (0, [], 1)


def test_a_payment_left_alone_is_told_again_once_the_other_one_changes(world: World) -> None:
    invoice = world.exported(10_000)
    world.record_in_algapsa(invoice, 10_000)
    paid = world.pay((invoice, "60.00"))
    world.cycle()
    dismiss(world, SETTLED)
    world.cycle()

    world.repay(paid, (invoice, "50.00"), total="50.00")
    world.cycle()

    assert world.titles() == [SETTLED]


def test_credit_that_a_payment_left_unapplied_may_be_is_not_sent(world: World) -> None:
    _credit_and_payment_left_alone(world)

    for _ in range(2):
        end = world.cycle()

    assert (end.health.pending, world.titles(), payments(world)) == (0, [], ["30"])


def test_credit_is_sent_once_the_payment_that_was_left_unapplied_is_gone(world: World) -> None:
    paid = _credit_and_payment_left_alone(world)
    world.cycle()

    world.quickbooks.delete(world.company.realm, "Payment", paid)
    world.cycle()

    assert (world.titles(), payments(world)) == ([], ["0"])


def _credit_and_payment_left_alone(world: World) -> str:
    invoice = world.exported(10_000)
    world.invoice(charges=(Charge("Goodwill", -3_000, service_id=world.service),))
    world.cycle()
    world.do(credit.apply_credit, invoice.invoice_id, 3_000)
    paid = world.pay((invoice, "30.00"))
    world.cycle()
    assert world.titles() == [SAME]
    dismiss(world, SAME)
    return paid


def test_a_payment_on_an_invoice_that_staff_leave_voided_is_told_of_itself(world: World) -> None:
    invoice = world.exported(10_000)
    world.quickbooks.void(world.company.realm, "Invoice", world.quickbooks_id(invoice))
    world.cycle()
    world.record_in_algapsa(invoice, 10_000)
    world.cycle()
    assert world.titles() == [GONE]

    dismiss(world, GONE)
    world.cycle()

    assert world.titles() == [PUSH]
    dismiss(world, PUSH)
    assert (world.cycle().health.pending, world.titles(), payments(world)) == (0, [], [])
