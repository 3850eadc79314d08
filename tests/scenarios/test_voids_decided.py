"""Voids that QuickBooks does not take: what staff decide, and what the next cycle makes of it."""

from __future__ import annotations

from datetime import timedelta

import pytest

from qbo_sync_dagster.actions.errors import ActionRefusedError
from qbo_sync_dagster.domain.catalogue import Action
from qbo_sync_dagster.sandbox.algapsa import invoices
from qbo_sync_dagster.sandbox.algapsa.charges import Charge
from tests.scenarios.conftest import Books, World
from tests.scenarios.credit_steps import settle, settled

FAILING = "Invoice void keeps failing in accounting"
CLOSED = "Dated in a closed QuickBooks period"
LONG_ENOUGH = timedelta(minutes=3)


@pytest.fixture
def paid(world: World) -> tuple[World, Books, str, str]:
    """A voided invoice with a payment in QuickBooks: its id there and the payment's."""
    invoice = world.exported(10_000)
    found = world.quickbooks_id(invoice)
    world.do(invoices.void_invoice, invoice.invoice_id)
    payment = world.pay((invoice, "40.00"))
    world.cycle()
    assert FAILING in world.titles()
    return world, invoice, found, payment


def _is_voided(world: World, found: str) -> bool:
    return world.quickbooks.get(world.company.realm, "Invoice", found)["TotalAmt"] == 0


def _state_of_link(world: World, invoice: Books) -> str:
    query = "SELECT state FROM links WHERE algapsa_id = :id"
    [(state,)] = world.in_ledger(query, id=invoice.invoice_id)
    return str(state)


def test_once_the_payment_is_unapplied_a_retry_voids_the_invoice(paid) -> None:
    world, _, found, payment = paid
    world.quickbooks.unapply(world.company.realm, payment)

    settle(world, FAILING, Action.RETRY)
    assert FAILING in world.titles()
    world.cycle()

    assert _is_voided(world, found)
    assert FAILING not in world.titles()
    assert world.operations() == {}


def test_a_retry_while_the_payment_still_stands_voids_nothing(paid) -> None:
    world, _, found, _ = paid

    settle(world, FAILING, Action.RETRY)
    world.cycle()

    assert not _is_voided(world, found)
    assert "40.00" in world.exception(FAILING).what_happened


def test_an_accepted_refusal_keeps_the_invoice_for_good_and_under_its_amount(paid) -> None:
    world, invoice, found, payment = paid

    settle(world, FAILING, Action.ACCEPT)
    world.cycle()
    world.quickbooks.delete(world.company.realm, "Payment", payment)
    world.cycle()

    assert not _is_voided(world, found)
    assert _state_of_link(world, invoice) == "accepted"
    assert world.in_ledger("SELECT amount_minor FROM decisions WHERE kind = 'accepted'") == [
        (10_000,)
    ]
    assert FAILING not in world.titles()
    assert world.operations() == {}


def test_a_dismissed_void_is_neither_sent_nor_told_again_as_the_invoice_is(paid) -> None:
    world, invoice, found, payment = paid

    settle(world, FAILING, Action.DISMISS)
    world.cycle()
    world.quickbooks.delete(world.company.realm, "Payment", payment)
    world.cycle()

    assert not _is_voided(world, found)
    assert FAILING not in world.titles()
    assert world.operations() == {}
    assert _state_of_link(world, invoice) == "live"


def test_closed_books_are_accepted_and_the_invoice_stays_there(world: World) -> None:
    invoice = world.exported(10_000)
    found = world.quickbooks_id(invoice)
    world.quickbooks.set(world.company.realm, book_close_date=world.today.isoformat())
    world.do(invoices.void_invoice, invoice.invoice_id)
    world.cycle()
    with pytest.raises(ActionRefusedError, match="Only what is to be created"):
        settle(world, CLOSED, Action.RE_DATE)

    settle(world, CLOSED, Action.ACCEPT)
    world.quickbooks.set(world.company.realm, book_close_date="")
    world.cycle()

    assert not _is_voided(world, found)
    assert _state_of_link(world, invoice) == "accepted"
    assert world.titles() == []
    settled(world)


def test_books_that_close_between_reading_and_sending_hold_the_void(world: World) -> None:
    invoice = world.exported(10_000)
    found = world.quickbooks_id(invoice)
    world.do(invoices.void_invoice, invoice.invoice_id)
    world.quickbooks.fault("fault:6210", realm=world.company.realm, kind="void")

    world.cycle()

    assert world.titles() == [CLOSED]
    assert world.operations() == {f"Invoice {invoice.number}": "held"}
    assert world.in_ledger("SELECT faults FROM operations WHERE kind = 'void_document'") == [(0,)]
    world.cycle()
    assert _is_voided(world, found)
    assert world.titles() == []
    settled(world)


@pytest.mark.parametrize("fault", ["fault:5010", "fault:610"])
def test_what_moved_between_reading_and_sending_is_read_anew(world: World, fault: str) -> None:
    invoice = world.exported(10_000)
    found = world.quickbooks_id(invoice)
    world.do(invoices.void_invoice, invoice.invoice_id)
    world.quickbooks.fault(fault, realm=world.company.realm, kind="void")

    world.cycle()
    world.cycle()

    assert _is_voided(world, found)
    assert world.titles() == []
    settled(world)


def test_a_refused_void_goes_again_when_staff_retry(world: World) -> None:
    invoice = world.exported(10_000)
    found = world.quickbooks_id(invoice)
    world.do(invoices.void_invoice, invoice.invoice_id)
    world.quickbooks.fault("fault:6000", realm=world.company.realm, kind="void")
    world.cycle()
    world.cycle()
    assert not _is_voided(world, found)

    settle(world, FAILING, Action.RETRY)
    world.cycle()

    assert _is_voided(world, found)
    assert world.titles() == []
    settled(world)


def test_a_credit_note_whose_memo_is_in_use_goes_once_it_is_free(world: World) -> None:
    charge = Charge("Goodwill", -2_000, service_id=world.service)
    made, other = world.invoice(charges=(charge,)), world.exported(10_000)
    realm = world.company.realm
    [memo] = world.quickbooks.list(realm, "CreditMemo")
    customer = world.company.customers[world.clients[0]]
    used = world.quickbooks.apply_credit(
        realm, customer, world.quickbooks_id(other), memo["Id"], 20
    )
    world.do(invoices.void_invoice, made.invoice_id)
    world.cycle()
    assert "20.00" in world.exception(FAILING).what_happened

    world.quickbooks.delete(realm, "Payment", used["Id"])
    settle(world, FAILING, Action.RETRY)
    world.cycle()

    assert world.quickbooks.list(realm, "CreditMemo") == []
    assert world.titles() == []
    settled(world)


def test_a_batch_of_voids_whose_answer_is_lost_voids_each_once(world: World) -> None:
    several = [world.invoice(1_000 * n) for n in (1, 2)]
    world.cycle()
    found = [world.quickbooks_id(each) for each in several]
    for each in several:
        world.do(invoices.void_invoice, each.invoice_id)
    world.quickbooks.fault("timeout_after_commit", realm=world.company.realm, kind="batch")
    world.cycle()
    assert set(world.operations().values()) == {"posting"}
    world.forget()

    world.later(LONG_ENOUGH)
    world.cycle()

    assert all(_is_voided(world, each) for each in found)
    assert world.quickbooks.call_counts(world.company.realm)["batch"] == 0
    assert world.titles() == []
    settled(world)
