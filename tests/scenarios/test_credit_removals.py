"""Credit that AlgaPSA took back leaves QuickBooks, too, unless somebody was there before."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest

from qbo_sync_dagster.domain.catalogue import Action
from qbo_sync_dagster.sandbox.algapsa import invoices
from tests.scenarios.conftest import Books, World
from tests.scenarios.credit_steps import (
    apply,
    balance,
    linking,
    note,
    remaining,
    settle,
    settled,
    take_back,
)

FAILING = "Credit application keeps failing in accounting"
CLOSED = "Dated in a closed QuickBooks period"
LONG_ENOUGH = timedelta(minutes=3)
LOOKED_AT_AGAIN = timedelta(hours=1)


@pytest.fixture
def applied(world: World) -> tuple[World, Books, str]:
    """An invoice with credit of a note on both sides, and the payment that links the two."""
    invoice = world.exported(10_000)
    note(world)
    apply(world, invoice)
    world.cycle()
    [made] = linking(world)
    return world, invoice, str(made["Id"])


def _lose(world: World, effect: str) -> None:
    """One cycle in which the answer to the deletion is lost."""
    world.quickbooks.fault(effect, realm=world.company.realm, kind="delete", entity="Payment")
    world.cycle()
    assert "posting" in world.operations().values()


def _lowered(world: World, payment: str, to: str) -> None:
    """A bookkeeper lets the payment apply another amount."""
    shown = world.quickbooks.get(world.company.realm, "Payment", payment)
    lines = [{**line, "Amount": Decimal(to)} for line in shown["Line"]]
    world.quickbooks.edit(world.company.realm, "Payment", payment, Line=lines)


def _gone(world: World, invoice: Books) -> None:
    """The credit is off the invoice on both sides, and nothing is left to do or to tell."""
    assert linking(world) == []
    assert balance(world, invoice) == Decimal(100)
    assert remaining(world) == [Decimal(30)]
    assert world.links("credit_application") == {}
    assert world.titles() == []
    settled(world)


def test_one_that_bookkeepers_deleted_too_needs_no_removal(applied) -> None:
    world, invoice, payment = applied
    world.quickbooks.delete(world.company.realm, "Payment", payment)
    take_back(world, invoice)
    world.forget()

    world.cycle()

    assert world.quickbooks.call_counts(world.company.realm)["delete"] == 0
    _gone(world, invoice)


def test_one_whose_lines_bookkeepers_removed_needs_no_removal(applied) -> None:
    world, invoice, payment = applied
    world.quickbooks.unapply(world.company.realm, payment)
    take_back(world, invoice)

    world.cycle()

    assert balance(world, invoice) == Decimal(100)
    assert world.links("credit_application") == {}
    assert world.titles() == []
    settled(world)


def test_one_that_a_bookkeeper_changed_is_left_to_people_and_goes_once_it_is_gone(applied) -> None:
    world, invoice, payment = applied
    _lowered(world, payment, "20")
    take_back(world, invoice)

    world.cycle()

    assert [each["Id"] for each in linking(world)] == [payment]
    told = world.exception(FAILING)
    assert "changed the payment there" in told.what_happened
    assert invoice.number in told.what_happened
    world.quickbooks.delete(world.company.realm, "Payment", payment)
    settle(world, FAILING, Action.RETRY)
    world.cycle()
    _gone(world, invoice)


def test_one_that_was_put_right_again_is_removed_by_itself(applied) -> None:
    world, invoice, payment = applied
    _lowered(world, payment, "20")
    take_back(world, invoice)
    world.cycle()
    _lowered(world, payment, "30")

    world.later(LOOKED_AT_AGAIN)
    world.cycle()

    _gone(world, invoice)


def test_one_that_is_to_stay_in_quickbooks_is_dismissed(applied) -> None:
    world, invoice, payment = applied
    _lowered(world, payment, "20")
    take_back(world, invoice)
    world.cycle()

    settle(world, FAILING, Action.DISMISS)
    world.cycle()

    assert [each["Id"] for each in linking(world)] == [payment]
    assert (world.titles(), world.operations()) == ([], {})
    settled(world)


@pytest.mark.parametrize("effect", ["timeout_after_commit", "timeout_before"])
def test_a_lost_answer_is_settled_from_the_payment(applied, effect) -> None:
    world, invoice, _ = applied
    take_back(world, invoice)
    _lose(world, effect)

    world.later(LONG_ENOUGH)
    world.cycle()

    _gone(world, invoice)


def test_one_that_a_bookkeeper_deleted_while_the_answer_was_missing(applied) -> None:
    world, invoice, payment = applied
    take_back(world, invoice)
    _lose(world, "timeout_before")
    world.quickbooks.delete(world.company.realm, "Payment", payment)

    world.later(LONG_ENOUGH)
    world.cycle()

    _gone(world, invoice)


def test_one_that_a_bookkeeper_changed_while_the_answer_was_missing_is_not_removed(
    applied,
) -> None:
    world, invoice, payment = applied
    take_back(world, invoice)
    _lose(world, "timeout_before")
    _lowered(world, payment, "20")

    world.later(LONG_ENOUGH)
    world.cycle()
    world.cycle()

    assert [each["Id"] for each in linking(world)] == [payment]
    assert FAILING in world.titles()


def test_closed_books_hold_a_removal_until_they_are_open(applied) -> None:
    world, invoice, payment = applied
    world.quickbooks.set(world.company.realm, book_close_date=world.today.isoformat())
    take_back(world, invoice)
    world.forget()

    world.cycle()
    world.cycle()

    assert world.quickbooks.call_counts(world.company.realm)["delete"] == 0
    assert [each["Id"] for each in linking(world)] == [payment]
    assert world.titles() == [CLOSED]
    assert set(world.operations().values()) == {"held"}
    assert world.in_ledger("SELECT faults FROM operations WHERE kind = 'remove_credit'") == [(0,)]
    world.quickbooks.set(world.company.realm, book_close_date="")
    world.cycle()
    _gone(world, invoice)


def test_a_payment_that_cannot_be_read_is_not_taken_for_gone(applied, spoil) -> None:
    world, invoice, payment = applied
    restore = spoil("Payment", payment, TotalAmt="much")
    take_back(world, invoice)

    world.cycle()

    assert len(world.links("credit_application")) == 1
    assert len(world.operations()) == 1
    assert FAILING in world.titles()
    restore()
    world.later(LOOKED_AT_AGAIN)
    world.cycle()
    assert FAILING not in world.titles()
    assert linking(world) == []
    assert balance(world, invoice) == Decimal(100)


@pytest.mark.parametrize("effect", ["timeout_before", "timeout_after_commit"])
def test_a_void_waits_for_a_removal_from_its_invoice_whose_answer_is_missing(
    applied, effect
) -> None:
    world, invoice, _ = applied
    found = world.quickbooks_id(invoice)
    take_back(world, invoice)
    world.do(invoices.void_invoice, invoice.invoice_id)
    _lose(world, effect)
    assert world.operations()[f"Invoice {invoice.number}"] == "queued"
    assert world.titles() == []

    world.later(LONG_ENOUGH)
    world.cycle()

    shown: dict[str, Any] = world.quickbooks.get(world.company.realm, "Invoice", found)
    assert shown["TotalAmt"] == 0
    assert world.titles() == []
    settled(world)


@pytest.mark.parametrize("effect", ["timeout_before", "timeout_after_commit"])
def test_a_credit_note_is_not_deleted_before_its_credit_is_known_to_be_free(
    world: World, effect
) -> None:
    invoice = world.exported(10_000)
    made = note(world)
    apply(world, invoice)
    world.cycle()
    take_back(world, invoice)
    world.do(invoices.void_invoice, made.invoice_id)
    _lose(world, effect)
    assert world.titles() == []

    world.later(LONG_ENOUGH)
    world.cycle()

    assert world.quickbooks.list(world.company.realm, "CreditMemo") == []
    assert balance(world, invoice) == Decimal(100)
    assert world.titles() == []
    settled(world)
