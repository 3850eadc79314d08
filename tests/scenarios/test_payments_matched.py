"""Payments entered on both sides and matched: what later changes of one side come to."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest
import sqlalchemy as sa

from qbo_sync_dagster.actions.cases import Choice
from qbo_sync_dagster.actions.errors import ActionRefusedError
from qbo_sync_dagster.actions.resolving import Resolution, resolve
from qbo_sync_dagster.domain.catalogue import Action
from qbo_sync_dagster.sandbox.algapsa import payments

SAME = "Same payment on both sides?"
DRIFT = "Applied payment was changed outside the sync"


def act(world, title: str, action: Action, target: str = "") -> str:
    choice = Choice(world.exception(title).number, "Ada", "as the bank statement shows")
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


@pytest.fixture
def matched(world) -> tuple[Any, str, str]:
    """(invoice, AlgaPSA's row, QuickBooks' payment): 40.00 of 100.00 on both sides, matched."""
    invoice = world.exported(10_000)
    row = world.record_in_algapsa(invoice, 4_000)
    payment = world.pay((invoice, "40.00"))
    world.cycle()
    act(world, SAME, Action.MATCH)
    world.cycle()
    assert world.titles() == []
    return invoice, row, payment


def test_a_matched_payment_that_quickbooks_reduces_is_told_and_nothing_moves(
    world, matched
) -> None:
    invoice, _, payment = matched
    world.repay(payment, (invoice, "30.00"))

    world.cycle()

    assert world.titles() == [DRIFT]
    assert world.rows(invoice) == [4_000]
    settled(world, DRIFT)
    assert world.rows(invoice) == [4_000]


@pytest.mark.parametrize("end", ["delete", "void", "unapply"])
def test_a_matched_payment_that_ends_in_quickbooks_is_told_and_nothing_moves(
    world, matched, end
) -> None:
    invoice, _, payment = matched
    _end(world, payment, end)

    world.cycle()

    assert world.titles() == [DRIFT]
    assert world.rows(invoice) == [4_000]
    settled(world, DRIFT)
    assert world.rows(invoice) == [4_000]


def _end(world, payment: str, end: str) -> None:
    realm = world.company.realm
    if end == "unapply":
        world.quickbooks.unapply(realm, payment)
    elif end == "void":
        world.quickbooks.void(realm, "Payment", payment)
    else:
        world.quickbooks.delete(realm, "Payment", payment)


@pytest.mark.parametrize(
    ("amount", "rows"), [("30.00", [4_000, -4_000, 3_000]), ("60.00", [4_000, -4_000, 6_000])]
)
def test_following_quickbooks_brings_a_changed_payment_to_algapsa(
    world, matched, amount, rows
) -> None:
    invoice, row, payment = matched
    world.repay(payment, (invoice, amount))
    world.cycle()

    act(world, DRIFT, Action.APPLY)
    world.cycle()

    assert world.rows(invoice) == rows
    assert balance(world, invoice) == 100 - Decimal(amount)
    assert world.links("payment") == {row: payment}
    settled(world)
    assert world.rows(invoice) == rows


@pytest.mark.parametrize("end", ["delete", "void", "unapply"])
def test_following_quickbooks_takes_an_ended_payment_back_by_a_row_of_ours(
    world, matched, end
) -> None:
    invoice, _, payment = matched
    _end(world, payment, end)
    world.cycle()

    told = act(world, DRIFT, Action.APPLY)
    world.cycle()

    assert "next cycle" in told
    assert world.rows(invoice) == [4_000, -4_000]
    assert world.state(invoice).status == "sent"
    assert balance(world, invoice) == 100
    settled(world)
    assert world.rows(invoice) == [4_000, -4_000]


def test_a_payment_entered_anew_after_its_end_was_followed_is_other_money(world, matched) -> None:
    invoice, _, payment = matched
    _end(world, payment, "delete")
    world.cycle()
    act(world, DRIFT, Action.APPLY)
    world.cycle()

    world.pay((invoice, "40.00"))
    world.cycle()

    assert world.rows(invoice) == [4_000, -4_000, 4_000]
    assert balance(world, invoice) == 60
    settled(world)


def test_a_change_after_one_that_was_followed_is_told_anew(world, matched) -> None:
    invoice, _, payment = matched
    world.repay(payment, (invoice, "30.00"))
    world.cycle()
    act(world, DRIFT, Action.APPLY)
    world.cycle()

    world.repay(payment, (invoice, "20.00"))
    world.cycle()

    assert world.titles() == [DRIFT]
    assert world.rows(invoice) == [4_000, -4_000, 3_000]

    act(world, DRIFT, Action.APPLY)
    world.cycle()

    assert world.rows(invoice) == [4_000, -4_000, 3_000, -3_000, 2_000]
    settled(world)


def test_what_does_not_fit_the_invoice_is_not_followed(world, matched) -> None:
    invoice, _, payment = matched
    world.record_in_algapsa(invoice, 5_000)
    world.cycle()
    world.repay(payment, (invoice, "50.00"), total="70.00")
    world.cycle()
    act(world, DRIFT, Action.APPLY)

    world.cycle()

    assert world.rows(invoice) == [4_000, 5_000, -4_000, 5_000]
    settled(world)


def test_followed_back_to_what_algapsa_holds_it_is_matched_again(world, matched) -> None:
    invoice, _, payment = matched
    world.repay(payment, (invoice, "30.00"))
    world.cycle()

    world.repay(payment, (invoice, "40.00"))
    world.cycle()

    assert world.rows(invoice) == [4_000]
    settled(world)


def test_accepted_the_change_stays_quickbooks_own(world, matched) -> None:
    invoice, _, payment = matched
    world.repay(payment, (invoice, "30.00"))
    world.cycle()

    act(world, DRIFT, Action.ACCEPT)
    world.cycle()

    assert world.rows(invoice) == [4_000]
    settled(world)


def test_accepted_what_algapsa_took_back_stands_under_the_decision(world, matched) -> None:
    invoice, row, _ = matched
    world.do(payments.reverse_payment, row)
    world.cycle()

    act(world, DRIFT, Action.ACCEPT)

    query = "SELECT record, amount_minor FROM decisions WHERE kind = 'accepted'"
    assert world.in_ledger(query) == [(f"payment:{row}", 4_000)]
    assert world.rows(invoice) == [4_000, -4_000]
    settled(world)


def test_matched_again_a_corrected_payment_is_one_with_algapsas(world, matched) -> None:
    invoice, row, payment = matched
    world.do(payments.reverse_payment, row)
    world.cycle()
    assert world.titles() == [DRIFT]

    _end(world, payment, "delete")
    world.cycle()

    assert world.rows(invoice) == [4_000, -4_000]


def test_a_change_of_algapsas_own_is_not_quickbooks_to_follow(world, matched) -> None:
    _, row, _ = matched
    world.do(payments.reverse_payment, row)
    world.cycle()

    with pytest.raises(ActionRefusedError, match="QuickBooks did not change"):
        act(world, DRIFT, Action.APPLY)


def test_what_is_left_of_a_payment_is_matched_once_and_for_all(world) -> None:
    invoice = world.exported(10_000)
    row = world.record_in_algapsa(invoice, 4_000)
    world.do(payments.reverse_payment, row, 1_000)
    world.pay((invoice, "30.00"))
    world.cycle()

    act(world, SAME, Action.MATCH)

    settled(world)
    assert world.rows(invoice) == [4_000, -1_000]


def test_reduced_on_both_sides_it_is_matched_again(world, matched) -> None:
    invoice, row, payment = matched
    world.do(payments.reverse_payment, row, 1_000)
    world.repay(payment, (invoice, "30.00"))
    world.cycle()
    [number, *_] = [each.number for each in world.open() if each.record == f"payment:{payment}"]
    choice = Choice(number, "Ada", "as the bank statement shows")

    resolve(world.engine, Resolution(Action.MATCH, choice, row))

    settled(world)
    assert world.rows(invoice) == [4_000, -1_000]


def test_quickbooks_is_not_followed_beside_what_algapsa_took_back(world, matched) -> None:
    invoice, row, payment = matched
    world.do(payments.reverse_payment, row, 1_000)
    world.repay(payment, (invoice, "20.00"))
    world.cycle()
    [number] = [each.number for each in world.open() if each.record == f"payment:{payment}"]

    with pytest.raises(ActionRefusedError, match="took a part of its payment back itself"):
        resolve(world.engine, Resolution(Action.APPLY, Choice(number, "Ada", "bank"), ""))

    world.cycle()
    assert world.rows(invoice) == [4_000, -1_000]


def test_what_algapsa_takes_back_after_the_decision_is_not_taken_back_twice(world, matched) -> None:
    invoice, row, payment = matched
    world.repay(payment, (invoice, "20.00"))
    world.cycle()
    act(world, DRIFT, Action.APPLY)
    world.do(payments.reverse_payment, row, 1_000)

    world.cycle()

    assert world.rows(invoice) == [4_000, -1_000]
    assert set(world.titles()) == {DRIFT}


def test_a_payment_that_we_pushed_is_never_followed(world) -> None:
    invoice = world.exported(10_000)
    world.record_in_algapsa(invoice, 4_000)
    world.cycle()
    [payment] = world.quickbooks.list(world.company.realm, "Payment")
    world.repay(payment["Id"], (invoice, "30.00"))
    world.cycle()

    with pytest.raises(ActionRefusedError, match="came from AlgaPSA"):
        act(world, DRIFT, Action.APPLY)

    assert world.rows(invoice) == [4_000]


def test_what_algapsa_holds_of_a_matched_payment_is_accepted_only_as_it_was_told(
    world, matched
) -> None:
    invoice, row, _ = matched
    world.do(payments.reverse_payment, row)
    world.cycle()
    with world.owner.begin() as connection:
        connection.execute(sa.text("UPDATE invoice_payments SET amount = -1000 WHERE amount < 0"))

    with pytest.raises(ActionRefusedError, match="changed again"):
        act(world, DRIFT, Action.ACCEPT)
    world.cycle()
    act(world, DRIFT, Action.ACCEPT)

    assert world.rows(invoice) == [4_000, -1_000]
    settled(world)
