"""Payments out and people: the same money on both sides, reversals, refunds, drift, decisions."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest

from qbo_sync_dagster.actions.cases import Choice
from qbo_sync_dagster.actions.errors import ActionRefusedError
from qbo_sync_dagster.actions.resolving import Resolution, resolve
from qbo_sync_dagster.domain.catalogue import Action
from qbo_sync_dagster.sandbox.algapsa import payments

SAME = "Same payment on both sides?"
SETTLED = "QuickBooks payment targets an already-settled invoice"
REFUND = "Refund to record in QuickBooks"
REVERSAL = "Payment reversal to record in QuickBooks"
DRIFT = "Applied payment was changed outside the sync"
UNKNOWN = "QuickBooks payment references an unknown invoice"


def pushed(world) -> list[dict]:
    """QuickBooks' payments, oldest first."""
    found = world.quickbooks.list(world.company.realm, "Payment")
    return sorted(found, key=lambda item: int(item["Id"]))


def amounts(world) -> list[Decimal]:
    return [Decimal(str(each["TotalAmt"])) for each in pushed(world)]


def balance(world, invoice) -> Decimal:
    [found] = world.in_quickbooks(invoice)
    return Decimal(str(found["Balance"]))


def act(world, title: str, action: Action, target: str = "") -> str:
    choice = Choice(world.exception(title).number, "Ada", "as the bank statement shows")
    return resolve(world.engine, Resolution(action, choice, target))


def same_money(world) -> tuple[Any, str]:
    """An invoice with the same cheque of 40.00 on both sides."""
    invoice = world.exported(10_000)
    world.record_in_algapsa(invoice, 4_000)
    payment = world.pay((invoice, "40.00"))
    world.cycle()
    assert world.titles() == [SAME]
    assert amounts(world) == [40]
    return invoice, payment


def test_the_same_cheque_on_both_sides_holds_the_push_too(world) -> None:
    invoice, payment = same_money(world)

    world.cycle()

    assert [state for label, state in world.operations().items()] == ["held"]
    assert world.changes()[payment, 0] == "parked"
    assert world.rows(invoice) == [4_000]


def test_matched_payments_are_one_and_nothing_moves(world) -> None:
    invoice, payment = same_money(world)

    act(world, SAME, Action.MATCH)
    before = world.stands()
    world.cycle()

    assert world.stands() == before
    assert world.rows(invoice) == [4_000]
    assert list(world.links("payment").values()) == [payment]
    assert world.operations() == {}
    assert world.titles() == []


def test_both_real_applies_one_and_pushes_the_other(world) -> None:
    invoice, _ = same_money(world)

    act(world, SAME, Action.BOTH_REAL)
    world.cycle()

    assert world.rows(invoice) == [4_000, 4_000]
    assert amounts(world) == [40, 40]
    assert balance(world, invoice) == 20
    assert world.titles() == []


def test_both_real_beyond_the_invoice_stays_unapplied_where_it_does_not_fit(world) -> None:
    invoice = world.exported(10_000)
    world.record_in_algapsa(invoice, 10_000)
    world.pay((invoice, "100.00"))
    world.cycle()
    assert world.titles() == [SETTLED]

    act(world, SETTLED, Action.BOTH_REAL)
    world.cycle()
    world.cycle()

    assert amounts(world) == [100, 100]
    assert Decimal(str(pushed(world)[1]["UnappliedAmt"])) == 100
    assert world.rows(invoice) == [10_000]
    assert world.titles() == []


def test_payments_of_other_amounts_cannot_be_matched(world) -> None:
    invoice = world.exported(10_000)
    own = world.record_in_algapsa(invoice, 10_000)
    world.pay((invoice, "90.00"))
    world.cycle()

    with pytest.raises(ActionRefusedError, match="Only equal amounts"):
        act(world, SETTLED, Action.MATCH, own)


def test_matched_with_the_quickbooks_payment_itself_it_says_what_to_name(world) -> None:
    invoice, payment = same_money(world)
    [row] = world.payment_rows(invoice)

    with pytest.raises(ActionRefusedError, match="name the payment of AlgaPSA") as refused:
        act(world, SAME, Action.MATCH, payment)

    assert f"Named there: {row.payment_id}." in str(refused.value)
    assert world.links("payment") == {}
    assert world.titles() == [SAME]


def test_one_cheque_matches_a_payment_of_each_invoice(world) -> None:
    first, second = world.invoice(10_000), world.invoice(10_000)
    world.cycle()
    rows = [world.record_in_algapsa(each, 4_000) for each in (first, second)]
    payment = world.pay((first, "40.00"), (second, "40.00"))
    world.cycle()

    act(world, SAME, Action.MATCH, rows[0])
    world.cycle()
    act(world, SAME, Action.MATCH, rows[1])
    world.cycle()

    assert world.links("payment") == dict.fromkeys(rows, payment)
    assert (world.rows(first), world.rows(second)) == ([4_000], [4_000])
    assert amounts(world) == [80]
    assert world.titles() == []


def test_a_reversed_payment_is_deleted_in_quickbooks(world) -> None:
    invoice = world.exported(10_000)
    own = world.record_in_algapsa(invoice, 4_000)
    world.cycle()

    world.do(payments.reverse_payment, own)
    for _ in range(3):
        world.cycle()

    assert pushed(world) == []
    assert balance(world, invoice) == 100
    assert world.rows(invoice) == [4_000, -4_000]
    assert world.operations() == {}
    assert world.titles() == []


def test_a_payment_reversed_before_it_was_pushed_is_never_sent(world) -> None:
    invoice = world.exported(10_000)
    own = world.record_in_algapsa(invoice, 4_000)
    world.do(payments.reverse_payment, own)

    world.cycle()

    assert pushed(world) == []
    assert world.operations() == {}
    assert world.titles() == []


def test_a_deposited_payment_is_left_and_its_reversal_told(world) -> None:
    invoice = world.exported(10_000)
    own = world.record_in_algapsa(invoice, 4_000)
    world.cycle()
    [payment] = pushed(world)
    world.quickbooks.deposit(world.company.realm, payment["Id"])

    world.do(payments.reverse_payment, own)
    world.cycle()
    world.forget()
    world.cycle()

    assert world.titles() == [REVERSAL]
    assert amounts(world) == [40]
    assert world.metered() == 1

    world.quickbooks.undeposit(world.company.realm, payment["Id"])
    act(world, REVERSAL, Action.RETRY)
    world.cycle()

    assert pushed(world) == []
    assert world.titles() == []


def test_a_refund_never_edits_the_receipt_and_is_recorded_by_staff(world) -> None:
    invoice = world.exported(10_000)
    own = world.record_in_algapsa(invoice, 10_000)
    world.cycle()

    world.do(payments.refund_payment, own, 2_500)
    world.cycle()

    assert world.titles() == [REFUND]
    assert world.exception(REFUND).amounts == {"refund": 2_500}
    assert amounts(world) == [100]

    act(world, REFUND, Action.RECORD_REFUND, "RefundReceipt 88")
    world.cycle()

    assert world.titles() == []
    assert amounts(world) == [100]


def test_a_receipt_reduced_by_its_refund_is_the_refund_and_no_drift(world) -> None:
    invoice = world.exported(10_000)
    own = world.record_in_algapsa(invoice, 10_000)
    world.cycle()
    [payment] = pushed(world)
    world.do(payments.refund_payment, own, 2_500)
    world.cycle()

    world.repay(payment["Id"], (invoice, "75.00"), total="75.00")
    world.cycle()
    world.cycle()

    assert world.titles() == []
    assert world.rows(invoice) == [10_000, -2_500]


def test_a_pushed_payment_changed_in_quickbooks_is_drift_and_algapsa_keeps_its_own(world) -> None:
    invoice = world.exported(10_000)
    world.record_in_algapsa(invoice, 4_000)
    world.cycle()
    [payment] = pushed(world)

    world.repay(payment["Id"], (invoice, "30.00"), total="30.00")
    world.cycle()

    assert world.titles() == [DRIFT]
    assert world.rows(invoice) == [4_000]
    assert amounts(world) == [30]

    act(world, DRIFT, Action.ACCEPT)
    world.cycle()
    world.cycle()

    assert world.titles() == []
    assert amounts(world) == [30]


def test_re_export_brings_a_changed_payment_back(world) -> None:
    invoice = world.exported(10_000)
    world.record_in_algapsa(invoice, 4_000)
    world.cycle()
    [payment] = pushed(world)
    world.repay(payment["Id"], (invoice, "30.00"), total="30.00")
    world.cycle()

    act(world, DRIFT, Action.RE_EXPORT)
    world.cycle()
    world.cycle()

    assert amounts(world) == [40]
    assert [each["Id"] for each in pushed(world)] == [payment["Id"]]
    assert balance(world, invoice) == 60
    assert world.titles() == []


def test_a_re_export_that_a_refund_made_needless_ends_quietly_where_books_are_closed(world) -> None:
    invoice = world.exported(10_000)
    own = world.record_in_algapsa(invoice, 10_000)
    world.cycle()
    [payment] = pushed(world)
    world.repay(payment["Id"], (invoice, "90.00"), total="90.00")
    world.cycle()
    act(world, DRIFT, Action.RE_EXPORT)

    world.do(payments.refund_payment, own, 1_000)
    world.quickbooks.set(world.company.realm, book_close_date=world.today.isoformat())
    world.cycle()
    world.cycle()

    assert world.titles() == []
    assert world.operations() == {}
    assert amounts(world) == [90]


def test_a_deleted_payment_is_made_again_only_when_staff_choose_it(world) -> None:
    invoice = world.exported(10_000)
    world.record_in_algapsa(invoice, 4_000)
    world.cycle()
    [payment] = pushed(world)

    world.quickbooks.delete(world.company.realm, "Payment", payment["Id"])
    world.cycle()
    world.cycle()

    assert world.titles() == [DRIFT]
    assert pushed(world) == []
    assert world.rows(invoice) == [4_000]

    act(world, DRIFT, Action.RE_EXPORT)
    world.cycle()
    world.cycle()

    assert amounts(world) == [40]
    assert world.titles() == []


def test_an_accepted_deletion_is_never_made_again(world) -> None:
    invoice = world.exported(10_000)
    world.record_in_algapsa(invoice, 4_000)
    world.cycle()
    [payment] = pushed(world)
    world.quickbooks.delete(world.company.realm, "Payment", payment["Id"])
    world.cycle()

    act(world, DRIFT, Action.ACCEPT)
    world.cycle()
    world.cycle()

    assert pushed(world) == []
    assert world.titles() == []


def test_an_invoice_that_is_not_from_algapsa_frees_the_payments_other_lines(world) -> None:
    invoice = world.exported(10_000)
    other = world.history(5_000)
    world.pay((invoice, "100.00"), (other, "50.00"))
    world.cycle()
    assert world.titles() == [UNKNOWN]

    act(world, UNKNOWN, Action.NOT_FROM_ALGAPSA)
    world.cycle()

    assert world.rows(invoice) == [10_000]
    assert world.titles() == []
