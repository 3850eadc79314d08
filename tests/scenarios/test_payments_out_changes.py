"""Pushed payments that change again: sent once more by choice, or taken back beside a refund."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import sqlalchemy as sa

from qbo_sync_dagster.actions.cases import Choice
from qbo_sync_dagster.actions.resolving import Resolution, resolve
from qbo_sync_dagster.domain.catalogue import Action
from qbo_sync_dagster.sandbox.algapsa import payments

REFUND = "Refund to record in QuickBooks"
DRIFT = "Applied payment was changed outside the sync"
UNAPPLIED = "Pushed payment was not applied to its invoice in QuickBooks"
REVERSAL = "Payment reversal to record in QuickBooks"


def _act(world, title: str, action: Action, target: str = "") -> str:
    choice = Choice(world.exception(title).number, "Ada", "as the bank statement shows")
    return resolve(world.engine, Resolution(action, choice, target))


def _pushed(world) -> dict[str, Decimal]:
    """QuickBooks' payments by id."""
    found = world.quickbooks.list(world.company.realm, "Payment")
    return {str(each["Id"]): Decimal(str(each["TotalAmt"])) for each in found}


def _balance(world, invoice) -> Decimal:
    [found] = world.in_quickbooks(invoice)
    return Decimal(str(found["Balance"]))


def _push(world, cents: int) -> tuple[Any, str, str]:
    """An invoice of 100.00 with a payment that AlgaPSA took: invoice, its row, its payment."""
    invoice = world.exported(10_000)
    row = world.record_in_algapsa(invoice, cents)
    world.cycle()
    [payment] = _pushed(world)
    return invoice, row, payment


def _reverse_part(world, row: str, cents: int) -> None:
    """AlgaPSA takes a part of a payment back, as an edit of its provider does."""
    statement = """
        INSERT INTO invoice_payments (payment_id, tenant, invoice_id, amount, payment_method,
            payment_date, reference_number, status)
        SELECT gen_random_uuid(), tenant, invoice_id, :amount, payment_method, now(),
            'reversal:' || payment_id, 'reversed'
        FROM invoice_payments WHERE payment_id = :row
    """
    with world.owner.begin() as connection:
        connection.execute(sa.text(statement), {"amount": -cents, "row": row})


def _rests(world) -> None:
    """Nothing moves any more, and an idle cycle costs one call."""
    before = world.stands()
    world.cycle()
    world.forget()
    world.cycle()
    assert world.metered() == 1
    assert world.stands() == before
    assert world.operations() == {}


def test_a_payment_sent_again_after_an_accepted_reduction_is_whole_on_its_invoice(world) -> None:
    invoice, _, payment = _push(world, 4_000)
    world.repay(payment, (invoice, "30.00"), total="30.00")
    world.cycle()
    _act(world, DRIFT, Action.ACCEPT)
    world.cycle()
    world.repay(payment, (invoice, "20.00"), total="20.00")
    world.cycle()

    _act(world, DRIFT, Action.RE_EXPORT)
    world.cycle()

    assert _pushed(world) == {payment: 40}
    assert _balance(world, invoice) == 60
    assert world.titles() == []
    _rests(world)


def test_only_the_reversal_that_quickbooks_lacks_is_told(world) -> None:
    _, row, payment = _push(world, 10_000)
    _reverse_part(world, row, 3_000)
    world.cycle()
    assert _pushed(world) == {payment: 70}
    world.quickbooks.deposit(world.company.realm, payment)

    _reverse_part(world, row, 2_000)
    world.cycle()

    told = world.exception(REVERSAL)
    assert told.amounts == {"payment": 5_000, "taken back": 2_000}
    assert "AlgaPSA took 20.00 of it back" in told.what_happened


def test_a_reversal_recorded_otherwise_leaves_those_before_and_after_it_carried(world) -> None:
    _, row, payment = _push(world, 10_000)
    _reverse_part(world, row, 3_000)
    world.cycle()
    world.quickbooks.deposit(world.company.realm, payment)
    _reverse_part(world, row, 2_000)
    world.cycle()

    _act(world, REVERSAL, Action.RECORD_REFUND, "JournalEntry 12")
    world.cycle()

    assert world.in_ledger("SELECT amount_minor FROM decisions") == [(2_000,)]
    assert _pushed(world) == {payment: 70}

    world.quickbooks.undeposit(world.company.realm, payment)
    _reverse_part(world, row, 1_000)
    world.cycle()

    assert _pushed(world) == {payment: 60}
    assert world.titles() == []


def test_what_comes_back_to_a_payment_that_was_accepted_unapplied_is_told(world) -> None:
    _, _, payment = _push(world, 4_000)
    world.repay(payment, TotalAmt=Decimal(30), Line=[])
    world.cycle()
    _act(world, DRIFT, Action.ACCEPT)
    world.cycle()
    world.repay(payment, TotalAmt=Decimal(20))
    world.cycle()

    _act(world, DRIFT, Action.RE_EXPORT)
    world.cycle()
    world.cycle()

    assert _pushed(world) == {payment: 40}
    assert world.titles() == [UNAPPLIED]
    assert "10.00 of it was not applied" in world.exception(UNAPPLIED).what_happened


def test_a_payment_that_was_accepted_unapplied_is_still_told_by_its_invoice(world) -> None:
    invoice, _, payment = _push(world, 4_000)
    world.repay(payment, TotalAmt=Decimal(40), Line=[])
    world.cycle()
    _act(world, DRIFT, Action.ACCEPT)
    world.cycle()

    world.repay(payment, TotalAmt=Decimal(30), Line=[])
    world.cycle()

    assert f"on invoice {invoice.number}, " in world.exception(DRIFT).what_happened


def test_a_payment_is_never_sent_again_onto_an_invoice_that_others_have_paid(world) -> None:
    invoice, _, payment = _push(world, 10_000)
    world.repay(payment, (invoice, "10.00"), total="10.00")
    cash = world.pay((invoice, "70.00"))
    world.cycle()
    _act(world, DRIFT, Action.RE_EXPORT)
    before = world.stands()

    world.cycle()

    assert world.stands() == before
    assert world.operations() == {}
    told = world.exception(DRIFT).what_happened
    assert told.endswith(
        "It was not sent again: Its invoice has only 20.00 open in QuickBooks, and 90.00 of the "
        "payment would have to go there."
    )
    _rests(world)
    assert world.exception(DRIFT).what_happened == told

    world.quickbooks.delete(world.company.realm, "Payment", cash)
    world.cycle()
    _act(world, DRIFT, Action.RE_EXPORT)
    world.cycle()

    assert _pushed(world) == {payment: 100}
    assert _balance(world, invoice) == 0
    assert DRIFT not in world.titles()


def test_a_changed_payment_is_told_by_the_numbers_and_names_that_people_know(world) -> None:
    invoice, _, payment = _push(world, 4_000)
    other = world.exported(5_000)
    world.repay(payment, (invoice, "10.00"), (other, "30.00"), total="40.00")
    world.cycle()

    told = world.exception(DRIFT)
    assert told.what_happened == (
        f"The payment of 40.00 on invoice {invoice.number}, which came from AlgaPSA, was changed "
        f"in QuickBooks. On invoice {invoice.number}: 40.00 -> 10.00; on invoice {other.number}: "
        "0.00 -> 30.00. AlgaPSA keeps its payment as it is."
    )
    assert [record["label"] for record in told.records] == [
        f"Payment {payment}",
        f"Payment on invoice {invoice.number}",
        f"Invoice {invoice.number}",
    ]


def test_two_payments_sent_again_share_the_room_of_their_invoice(world) -> None:
    invoice = world.exported(10_000)
    world.record_in_algapsa(invoice, 5_000)
    world.record_in_algapsa(invoice, 5_000)
    world.cycle()
    first, second = _pushed(world)
    for payment in (first, second):
        world.repay(payment, (invoice, "10.00"), total="10.00")
    world.pay((invoice, "40.00"))
    world.cycle()
    for each in world.open():
        if each.title == DRIFT:
            choice = Choice(each.number, "Ada", "both cheques cleared")
            resolve(world.engine, Resolution(Action.RE_EXPORT, choice))

    world.cycle()

    amounts = _pushed(world)
    assert sorted([amounts[first], amounts[second]]) == [10, 50]
    assert _balance(world, invoice) == 0
    assert "only 0.00 open" in world.exception(DRIFT).what_happened


def test_a_deposited_payment_is_not_sent_again_and_says_why(world) -> None:
    invoice, _, payment = _push(world, 4_000)
    world.repay(payment, (invoice, "30.00"), total="30.00")
    world.cycle()
    world.quickbooks.deposit(world.company.realm, payment)
    _act(world, DRIFT, Action.RE_EXPORT)

    world.cycle()

    assert _pushed(world) == {payment: 30}
    assert world.titles() == [DRIFT]
    assert "It was not sent again: it was deposited" in world.exception(DRIFT).what_happened
    _rests(world)


def test_closed_books_are_told_on_the_payment_that_was_to_be_sent_again(world) -> None:
    invoice, _, payment = _push(world, 4_000)
    world.repay(payment, (invoice, "30.00"), total="30.00")
    world.cycle()
    _act(world, DRIFT, Action.RE_EXPORT)
    world.quickbooks.set(world.company.realm, book_close_date=world.today.isoformat())

    world.cycle()

    assert _pushed(world) == {payment: 30}
    assert world.titles() == [DRIFT]
    assert "QuickBooks has closed its period" in world.exception(DRIFT).what_happened
    world.quickbooks.set(world.company.realm, book_close_date="")
    _act(world, DRIFT, Action.RE_EXPORT)
    world.cycle()
    assert _pushed(world) == {payment: 40}
    assert world.titles() == []


def test_a_receipt_reduced_by_its_refund_is_taken_back_whole_when_it_bounces(world) -> None:
    invoice, row, payment = _push(world, 10_000)
    world.do(payments.refund_payment, row, 2_500)
    world.repay(payment, (invoice, "75.00"), total="75.00")
    world.cycle()
    assert world.titles() == []

    world.do(payments.reverse_payment, row)
    world.cycle()

    assert _pushed(world) == {}
    assert _balance(world, invoice) == 100
    world.cycle()
    assert world.titles() == [REFUND]
    _rests(world)


def test_what_a_receipt_was_reduced_by_for_a_refund_never_comes_back_with_a_reversal(world) -> None:
    invoice, row, payment = _push(world, 10_000)
    world.do(payments.refund_payment, row, 2_500)
    world.repay(payment, (invoice, "75.00"), total="75.00")
    world.cycle()

    _reverse_part(world, row, 2_000)
    world.cycle()

    assert _pushed(world) == {payment: 55}
    assert _balance(world, invoice) == 45
    assert world.titles() == []
    _rests(world)


def test_a_receipt_refunded_as_far_as_it_stands_is_removed_and_never_pushed_again(world) -> None:
    invoice, row, payment = _push(world, 10_000)
    world.do(payments.refund_payment, row, 2_500)
    world.repay(payment, (invoice, "75.00"), total="75.00")
    world.cycle()

    _reverse_part(world, row, 7_500)
    world.cycle()
    world.cycle()

    assert _pushed(world) == {}
    assert _balance(world, invoice) == 100
    assert world.titles() == []
    _rests(world)


def test_a_refund_recorded_by_deleting_the_receipt_stands_when_part_of_it_bounces(world) -> None:
    _, row, payment = _push(world, 10_000)
    world.do(payments.refund_payment, row, 10_000)
    world.quickbooks.delete(world.company.realm, "Payment", payment)
    world.cycle()
    assert world.titles() == []

    _reverse_part(world, row, 1_000)
    world.cycle()

    assert _pushed(world) == {}
    assert DRIFT not in world.titles()
    _rests(world)


def test_a_reversal_takes_only_what_was_not_accepted_to_be_less_in_quickbooks(world) -> None:
    invoice, row, payment = _push(world, 4_000)
    world.repay(payment, (invoice, "30.00"), total="30.00")
    world.cycle()
    _act(world, DRIFT, Action.ACCEPT)

    _reverse_part(world, row, 500)
    world.cycle()
    assert _pushed(world) == {payment: 30}
    _rests(world)

    _reverse_part(world, row, 1_500)
    world.cycle()
    assert _pushed(world) == {payment: 20}
    assert world.titles() == []
    _rests(world)


def test_a_payment_that_pays_several_invoices_with_consent_is_left_to_staff_when_it_bounces(
    world,
) -> None:
    invoice, row, payment = _push(world, 10_000)
    other = world.exported(5_000)
    world.repay(payment, (invoice, "60.00"), (other, "40.00"), total="100.00")
    world.cycle()
    _act(world, DRIFT, Action.ACCEPT)
    world.cycle()

    _reverse_part(world, row, 1_000)
    end = world.cycle()

    assert end.outcome == "succeeded"
    assert _pushed(world) == {payment: 100}
    assert world.titles() == ["Payment reversal to record in QuickBooks"]
    assert "it pays several invoices there" in world.open()[0].what_happened
    before = world.stands()
    world.cycle()
    assert world.stands() == before
