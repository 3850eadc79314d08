"""A pushed payment of which QuickBooks left a part unapplied: told once, and how each cure ends."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest

from qbo_sync_dagster.actions.cases import Choice
from qbo_sync_dagster.actions.resolving import Resolution, resolve
from qbo_sync_dagster.domain.catalogue import Action
from qbo_sync_dagster.sandbox.algapsa import payments
from qbo_sync_dagster.sync import sending

LONG_ENOUGH = timedelta(minutes=3)
UNAPPLIED = "Pushed payment was not applied to its invoice in QuickBooks"
SETTLED = "QuickBooks payment targets an already-settled invoice"
DRIFT = "Applied payment was changed outside the sync"


def ours(world) -> dict[str, Any]:
    [found] = [
        each
        for each in world.quickbooks.list(world.company.realm, "Payment")
        if "[sync:" in str(each.get("PrivateNote"))
    ]
    return found


def balance(world, invoice) -> Decimal:
    [found] = world.in_quickbooks(invoice)
    return Decimal(str(found["Balance"]))


def act(world, action: Action, title: str = UNAPPLIED) -> str:
    choice = Choice(world.exception(title).number, "Ada", "as the bank statement shows")
    return resolve(world.engine, Resolution(action, choice))


def settled(world) -> None:
    """Two more cycles move nothing on either side."""
    before = world.stands()
    for _ in range(2):
        assert world.cycle().outcome == "succeeded"
    assert world.stands() == before
    assert world.operations() == {}


@pytest.fixture
def half_applied(world, monkeypatch) -> tuple[Any, str, str]:
    """An invoice of 100.00, our payment of 40.00, and one of 80.00 that a bookkeeper enters at the
    very moment of sending: (invoice, AlgaPSA's row, the bookkeeper's payment)."""
    invoice = world.exported(10_000)
    row = world.record_in_algapsa(invoice, 4_000)
    entered: list[str] = []
    ask = sending._ask

    def enter_first(*args: Any) -> Any:
        if not entered:
            entered.append(world.pay((invoice, "80.00")))
        return ask(*args)

    with monkeypatch.context() as patch:
        patch.setattr(sending, "_ask", enter_first)
        world.cycle()
    return invoice, row, entered[0]


def test_what_quickbooks_left_unapplied_is_told_with_its_payment(world, half_applied) -> None:
    _, row, _ = half_applied

    told = world.exception(UNAPPLIED)

    assert ours(world)["UnappliedAmt"] == Decimal(20)
    assert "20.00 of it was not applied to the invoice there" in told.what_happened
    assert told.record == f"payment:{row}"
    assert {(each["kind"], each["id"]) for each in told.records} >= {
        ("payment", row),
        ("Payment", ours(world)["Id"]),
    }


def test_it_is_one_exception_and_no_drift_however_often_it_is_polled(world, half_applied) -> None:
    invoice, _, _ = half_applied

    for _ in range(3):
        world.cycle()

    assert world.titles() == [UNAPPLIED, SETTLED]
    assert world.rows(invoice) == [4_000]
    assert ours(world)["UnappliedAmt"] == Decimal(20)


def test_applied_by_a_bookkeeper_it_closes_by_itself(world, half_applied) -> None:
    invoice, _, theirs = half_applied
    world.cycle()

    world.repay(theirs, (invoice, "60.00"))
    world.repay(ours(world)["Id"], (invoice, "40.00"))
    world.cycle()

    assert world.titles() == []
    assert world.rows(invoice) == [4_000, 6_000]
    assert (balance(world, invoice), ours(world)["UnappliedAmt"]) == (0, 0)
    settled(world)


def test_retry_looks_again_and_never_sends_a_second_payment(world, half_applied) -> None:
    invoice, _, _ = half_applied

    assert "looked at again" in act(world, Action.RETRY)
    world.cycle()

    assert UNAPPLIED in world.titles()
    assert len(world.quickbooks.list(world.company.realm, "Payment")) == 2
    assert world.rows(invoice) == [4_000]
    settled(world)


def test_dismissed_it_is_not_told_again_and_nothing_moves(world, half_applied) -> None:
    invoice, _, _ = half_applied

    act(world, Action.DISMISS)
    world.cycle()

    assert world.titles() == [SETTLED]
    assert world.rows(invoice) == [4_000]
    settled(world)


def test_taken_back_in_algapsa_the_whole_payment_goes(world, half_applied) -> None:
    invoice, row, theirs = half_applied
    world.do(payments.reverse_payment, row)

    world.cycle()
    world.cycle()

    [left] = world.quickbooks.list(world.company.realm, "Payment")
    assert left["Id"] == theirs
    assert world.rows(invoice) == [4_000, -4_000, 8_000]
    assert world.titles() == []
    settled(world)


def test_money_that_is_taken_off_the_invoice_later_is_drift(world, half_applied) -> None:
    world.quickbooks.unapply(world.company.realm, ours(world)["Id"])

    world.cycle()

    assert DRIFT in world.titles()


def test_unapplied_in_an_answer_that_was_lost_is_told_as_well(world, monkeypatch) -> None:
    invoice = world.exported(10_000)
    world.record_in_algapsa(invoice, 4_000)
    entered: list[str] = []
    ask = sending._ask

    def enter_first(*args: Any) -> Any:
        if not entered:
            entered.append(world.pay((invoice, "80.00")))
        return ask(*args)

    world.quickbooks.fault("timeout_after_commit", realm=world.company.realm, kind="create")
    world.quickbooks.fault("timeout_after_commit", realm=world.company.realm, kind="batch")
    with monkeypatch.context() as patch:
        patch.setattr(sending, "_ask", enter_first)
        world.cycle()
    world.quickbooks.clear_faults(world.company.realm)
    world.later(LONG_ENOUGH)

    world.cycle()

    assert world.titles() == [UNAPPLIED, SETTLED]
    assert world.rows(invoice) == [4_000]
    settled(world)


def test_applied_and_taken_off_again_is_drift(world, half_applied) -> None:
    invoice, _, theirs = half_applied
    world.repay(theirs, (invoice, "60.00"))
    world.repay(ours(world)["Id"], (invoice, "40.00"))
    world.cycle()
    assert world.titles() == []

    world.repay(ours(world)["Id"], (invoice, "20.00"), total="40.00")
    world.cycle()

    assert world.titles() == [DRIFT]


def test_payments_that_exceed_their_invoice_together_never_both_go(world) -> None:
    invoice = world.exported(10_000)
    for _ in range(2):
        world.record_in_algapsa(invoice, 6_000)

    world.cycle()
    world.cycle()

    assert ours(world)["UnappliedAmt"] == 0
    assert balance(world, invoice) == 40
    assert world.titles() == ["Same payment on both sides?"]
    assert list(world.operations().values()) == ["held"]
