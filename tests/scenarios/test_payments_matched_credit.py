"""Credit that AlgaPSA applied and a payment that QuickBooks has: the same money, or both real."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest

from qbo_sync_dagster.actions.cases import Choice
from qbo_sync_dagster.actions.errors import ActionRefusedError
from qbo_sync_dagster.actions.resolving import Resolution, resolve
from qbo_sync_dagster.domain.catalogue import Action
from qbo_sync_dagster.sandbox.algapsa import credit
from qbo_sync_dagster.sandbox.algapsa.charges import Charge

SAME = "Same payment on both sides?"
DRIFT = "Applied payment was changed outside the sync"


def act(world, title: str, action: Action, target: str = "") -> str:
    choice = Choice(world.exception(title).number, "Ada", "as the client says")
    return resolve(world.engine, Resolution(action, choice, target))


def balance(world, invoice) -> Decimal:
    [found] = world.in_quickbooks(invoice)
    return Decimal(str(found["Balance"]))


def settled(world, *titles: str) -> None:
    """Three more cycles move nothing on either side."""
    before = world.stands()
    for _ in range(3):
        assert world.cycle().outcome == "succeeded"
    assert world.stands() == before
    assert world.operations() == {}
    assert world.titles() == list(titles)


def memos(world) -> list[Decimal]:
    found = world.quickbooks.list(world.company.realm, "CreditMemo")
    return [Decimal(str(each["RemainingCredit"])) for each in found]


@pytest.fixture
def held(world) -> tuple[Any, str, str]:
    """(invoice, transaction, payment): 25.00 of a credit note that AlgaPSA applied, and a payment
    of 25.00 in QuickBooks, held until staff say what they are."""
    invoice = world.exported(10_000)
    charge = Charge("Refund", -2_500, service_id=world.service)
    world.invoice(charges=(charge,))
    world.cycle()
    applied = world.do(credit.apply_credit, invoice.invoice_id)
    payment = world.pay((invoice, "25.00"))
    world.cycle()
    assert world.titles() == [SAME]
    return invoice, applied.transaction_id, payment


def test_while_it_is_open_neither_side_moves(world, held) -> None:
    invoice, transaction, _ = held

    world.cycle()

    told = world.exception(SAME)
    assert ("credit_application", transaction) in {
        (each["kind"], each["id"]) for each in told.records
    }
    assert world.rows(invoice) == []
    assert balance(world, invoice) == 75
    assert list(world.operations().values()) == ["held"]


@pytest.mark.parametrize("is_named", [False, True])
def test_matched_the_credit_is_neither_pushed_nor_the_payment_applied(
    world, held, is_named
) -> None:
    invoice, transaction, payment = held

    told = act(world, SAME, Action.MATCH, transaction if is_named else "")
    world.cycle()

    assert "same money" in told
    assert world.rows(invoice) == []
    assert balance(world, invoice) == 75
    assert memos(world) == [25]
    [(key, linked)] = world.links("credit_application").items()
    assert (key.partition(":")[0], linked) == (transaction, payment)
    settled(world)
    assert world.rows(invoice) == []


def test_both_real_they_settle_the_invoice_together(world, held) -> None:
    invoice, _, _ = held

    act(world, SAME, Action.BOTH_REAL)
    world.cycle()

    assert world.rows(invoice) == [2_500]
    assert balance(world, invoice) == 50
    assert memos(world) == [0]
    settled(world)


def test_a_matched_payment_that_quickbooks_takes_back_is_drift(world, held) -> None:
    invoice, _, payment = held
    act(world, SAME, Action.MATCH)
    world.cycle()

    world.quickbooks.delete(world.company.realm, "Payment", payment)
    world.cycle()

    assert world.titles() == [DRIFT]
    assert world.rows(invoice) == []
    assert memos(world) == [25]


def test_a_matched_credit_that_algapsa_takes_back_is_drift(world, held) -> None:
    invoice, _, _ = held
    act(world, SAME, Action.MATCH)
    world.cycle()

    world.do(credit.reverse_credit, invoice.invoice_id)
    world.cycle()
    world.cycle()

    assert world.titles() == [DRIFT]
    assert world.rows(invoice) == []
    assert balance(world, invoice) == 75


def test_credit_that_was_taken_back_meanwhile_is_not_matched(world, held) -> None:
    invoice, _, _ = held
    world.do(credit.reverse_credit, invoice.invoice_id)

    with pytest.raises(ActionRefusedError, match="took that application of credit back"):
        act(world, SAME, Action.MATCH)

    world.cycle()
    assert world.rows(invoice) == [2_500]
    settled(world)


def test_a_payment_raised_by_the_credit_is_matched_by_its_increase(world) -> None:
    invoice = world.exported(10_000)
    charge = Charge("Refund", -2_500, service_id=world.service)
    world.invoice(charges=(charge,))
    payment = world.pay((invoice, "30.00"))
    world.cycle()
    world.do(credit.apply_credit, invoice.invoice_id)
    world.repay(payment, (invoice, "55.00"))
    world.cycle()

    act(world, SAME, Action.MATCH)
    world.cycle()

    assert world.rows(invoice) == [3_000]
    assert balance(world, invoice) == 45
    assert memos(world) == [25]
    settled(world)
    assert world.rows(invoice) == [3_000]


def test_a_matched_payment_that_is_raised_is_matched_with_more_credit(world, held) -> None:
    invoice, _, payment = held
    act(world, SAME, Action.MATCH)
    charge = Charge("Refund", -2_500, service_id=world.service)
    world.invoice(charges=(charge,))
    world.cycle()
    world.do(credit.apply_credit, invoice.invoice_id)
    world.repay(payment, (invoice, "50.00"))
    world.cycle()

    act(world, SAME, Action.MATCH)
    world.cycle()

    assert world.rows(invoice) == []
    assert balance(world, invoice) == 50
    assert memos(world) == [25, 25]
    settled(world)
