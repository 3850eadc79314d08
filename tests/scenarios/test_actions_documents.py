"""Decisions about documents, end to end: raised by what people did, settled by what they decide."""

from __future__ import annotations

from datetime import date, timedelta
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import pytest

from qbo_sync_dagster.actions.cases import Choice
from qbo_sync_dagster.actions.errors import ActionRefusedError
from qbo_sync_dagster.actions.resolving import Resolution, resolve
from qbo_sync_dagster.domain.catalogue import Action
from qbo_sync_dagster.sandbox.algapsa import edits, invoices

if TYPE_CHECKING:
    from tests.scenarios.conftest import Books, World

CHANGED = "Exported invoice was changed in QuickBooks"
GONE = "Exported invoice was voided or deleted in QuickBooks"
IN_ALGAPSA = "Exported invoice was changed in AlgaPSA"
DELETED = "Exported invoice was deleted in AlgaPSA"
CLOSED = "Dated in a closed QuickBooks period"
NOT_READY = "Scheduled accounting export failed validation"
TAKEN = "Already in QuickBooks"


def settle(world: World, title: str, action: Action, target: str = "") -> str:
    """What an accountant decides about the one open exception of this title."""
    choice = Choice(world.exception(title).number, "Avery", "as agreed with the client")
    return resolve(world.engine, Resolution(action, choice, target))


def closed(world: World, title: str) -> tuple[str, str]:
    """State and closer of the exception of this title that was closed last."""
    query = (
        "SELECT state, closed_by FROM exceptions WHERE title = :title AND state <> 'open' "
        "ORDER BY number DESC LIMIT 1"
    )
    [(state, by)] = world.in_ledger(query, title=title)
    return state, by


def edit_amount(world: World, invoice: Books, amount: str) -> None:
    """A bookkeeper changes the only line of an invoice."""
    [shown] = world.in_quickbooks(invoice)
    [line] = [each for each in shown["Line"] if each["DetailType"] == "SalesItemLineDetail"]
    detail = {**line["SalesItemLineDetail"], "Qty": 1, "UnitPrice": Decimal(amount)}
    changed = {**line, "Amount": Decimal(amount), "SalesItemLineDetail": detail}
    world.quickbooks.edit(world.company.realm, "Invoice", shown["Id"], Line=[changed])


def close_books(world: World) -> date:
    """QuickBooks' books are closed through the day before yesterday; returns the day before it."""
    closing = world.today - timedelta(days=2)
    world.quickbooks.set(world.company.realm, book_close_date=closing.isoformat())
    return closing - timedelta(days=1)


def test_accepted_drift_stays_accepted_and_its_difference_is_named(world: World) -> None:
    invoice = world.exported(10_000)
    edit_amount(world, invoice, "125.00")
    world.cycle()
    settle(world, CHANGED, Action.ACCEPT)
    world.forget()
    world.cycle()

    assert world.titles() == []
    assert closed(world, CHANGED) == ("resolved", "Avery")
    assert world.in_ledger("SELECT accepted_minor, drift FROM links WHERE kind = 'invoice'") == [
        (2_500, None)
    ]
    [shown] = world.in_quickbooks(invoice)
    assert Decimal(str(shown["TotalAmt"])) == Decimal("125")
    assert world.metered() == 1


def test_a_payment_capped_at_an_accepted_difference_is_topped_up_once_it_is_gone(
    world: World,
) -> None:
    invoice = world.exported(10_000)
    edit_amount(world, invoice, "125.00")
    world.cycle()
    settle(world, CHANGED, Action.ACCEPT)
    world.pay((invoice, "125.00"))
    world.cycle()
    assert world.rows(invoice) == [10_000]

    [item] = world.do(edits.charge_ids, invoice.invoice_id)
    world.do(edits.reprice_charge, invoice.invoice_id, item, 12_500)
    world.cycle()
    settle(world, IN_ALGAPSA, Action.ACCEPT)
    world.cycle()

    assert sum(world.rows(invoice)) == 12_500
    assert world.state(invoice).status == "paid"
    assert world.titles() == []


def test_drift_that_is_changed_back_in_quickbooks_closes_by_itself(world: World) -> None:
    invoice = world.exported(10_000)
    edit_amount(world, invoice, "125.00")
    world.cycle()
    assert world.titles() == [CHANGED]
    edit_amount(world, invoice, "100.00")
    world.cycle()

    assert world.titles() == []
    assert closed(world, CHANGED) == ("resolved", "sync")


def test_what_changes_after_it_was_accepted_is_drift_again(world: World) -> None:
    invoice = world.exported(10_000)
    edit_amount(world, invoice, "125.00")
    world.cycle()
    settle(world, CHANGED, Action.ACCEPT)
    edit_amount(world, invoice, "130.00")
    world.cycle()

    assert "125.00 -> 130.00" in world.exception(CHANGED).what_happened


def test_drift_that_moved_on_in_a_cycle_is_not_accepted_by_what_was_seen_before(
    world: World,
) -> None:
    invoice = world.exported(10_000)
    edit_amount(world, invoice, "125.00")
    world.cycle()
    seen = world.exception(CHANGED).number
    edit_amount(world, invoice, "130.00")
    world.cycle()

    told = resolve(world.engine, Resolution(Action.ACCEPT, Choice(seen, "Avery", "fine")))

    # The exception itself moved on with the document: it is accepted as it is told now.
    assert "30.00 more than AlgaPSA" in told


@pytest.mark.parametrize("act", ["void", "delete"])
def test_an_accepted_loss_is_never_exported_again(world: World, act: str) -> None:
    invoice = world.exported(10_000)
    identity = world.quickbooks_id(invoice)
    getattr(world.quickbooks, act)(world.company.realm, "Invoice", identity)
    world.cycle()
    settle(world, GONE, Action.ACCEPT)
    before = world.stands()
    world.later(timedelta(hours=1))
    world.cycle()
    world.cycle()

    assert world.titles() == []
    assert world.operations() == {}
    assert world.stands() == before
    assert world.in_ledger("SELECT state, accepted_minor FROM links WHERE kind = 'invoice'") == [
        ("accepted", -10_000)
    ]


def test_an_accepted_loss_may_be_linked_to_the_invoice_that_took_its_place(world: World) -> None:
    invoice = world.exported(10_000)
    world.quickbooks.delete(world.company.realm, "Invoice", world.quickbooks_id(invoice))
    world.cycle()
    settle(world, GONE, Action.ACCEPT)
    customer = world.company.customers[world.clients[0]]
    made = world.quickbooks.invoice(
        world.company.realm,
        customer,
        [(world.company.item, Decimal(100))],
        DocNumber=invoice.number,
        TxnDate=world.today.isoformat(),
    )
    world.link(("invoice", invoice.invoice_id, str(made["Id"])))
    world.cycle()

    assert world.links() == {invoice.invoice_id: str(made["Id"])}
    assert world.titles() == []


def test_payments_on_an_invoice_that_only_quickbooks_has_are_foreign(world: World) -> None:
    invoice, other = world.exported(10_000), world.exported(5_000)
    identity = world.quickbooks_id(invoice)
    world.do(invoices.delete_invoice, invoice.invoice_id, by_sql=True)
    early = world.pay((invoice, "30.00"))
    world.cycle()
    assert DELETED in world.titles()
    told = settle(world, DELETED, Action.ACCEPT)
    assert "100.00 more than AlgaPSA" in told
    late = world.pay((invoice, "70.00"), (other, "50.00"), total="120.00")
    world.cycle()
    before = world.stands()
    world.cycle()

    assert world.titles() == []
    assert world.stands() == before
    states = {each: state for (each, _), state in world.changes().items()}
    assert states == {early: "known", late: "applied"}
    assert world.rows(other) == [5_000]
    assert world.in_ledger(
        "SELECT kind, record, amount_minor, decided_by FROM decisions ORDER BY kind"
    ) == [
        ("accepted", f"invoice:{invoice.invoice_id}", 10_000, "Avery"),
        ("not_from_algapsa", f"quickbooks_invoice:{identity}", 0, "Avery"),
    ]


def test_a_change_in_algapsa_may_stay_there(world: World) -> None:
    invoice = world.exported(10_000)
    _change_in_algapsa(world, invoice)
    world.cycle()
    settle(world, IN_ALGAPSA, Action.ACCEPT)
    before = world.stands()
    world.cycle()

    assert world.titles() == []
    assert world.stands() == before


def test_a_change_in_algapsa_that_is_changed_back_closes_by_itself(world: World) -> None:
    invoice = world.exported(10_000)
    undo = _change_in_algapsa(world, invoice)
    world.cycle()
    assert world.titles() == [IN_ALGAPSA]
    undo()
    world.cycle()

    assert world.titles() == []


def _change_in_algapsa(world: World, invoice: Books) -> Any:
    def set_number(number: str) -> None:
        world.do(edits.renumber_invoice, invoice.invoice_id, number)

    set_number("INV-CHANGED")
    return lambda: set_number(invoice.number)


def test_closed_books_are_gone_round_by_the_first_open_day(world: World) -> None:
    invoice = world.invoice(day=close_books(world))
    world.cycle()
    settle(world, CLOSED, Action.RE_DATE)
    world.cycle()

    [shown] = world.in_quickbooks(invoice)
    assert shown["TxnDate"] == (world.today - timedelta(days=1)).isoformat()
    assert closed(world, CLOSED) == ("resolved", "Avery")
    world.cycle()
    assert world.titles() == []


def test_a_re_dated_invoice_whose_answer_was_lost_is_recognised(world: World) -> None:
    invoice = world.invoice(day=close_books(world))
    world.cycle()
    settle(world, CLOSED, Action.RE_DATE)
    world.quickbooks.fault("timeout_after_commit", realm=world.company.realm, kind="create")
    world.cycle()
    world.later(timedelta(minutes=15))
    world.cycle()

    assert len(world.in_quickbooks(invoice)) == 1
    assert world.links() == {invoice.invoice_id: world.quickbooks_id(invoice)}
    assert world.titles() == []


def _re_dated(world: World) -> Books:
    """An invoice that staff had booked on the first open day, exported."""
    invoice = world.invoice(day=close_books(world))
    world.cycle()
    settle(world, CLOSED, Action.RE_DATE)
    world.cycle()
    return invoice


@pytest.mark.parametrize("number", ["", "X-77"], ids=["as sent", "renumbered"])
def test_a_re_dated_invoice_whose_link_was_lost_is_taken_back_without_drift_of_its_date(
    world: World, number: str
) -> None:
    invoice = _re_dated(world)
    identity = world.quickbooks_id(invoice)
    world.in_ledger("DELETE FROM links WHERE kind = 'invoice'")
    world.in_ledger("DELETE FROM postings")
    world.in_ledger("DELETE FROM operations")
    changes = {"DocNumber": number} if number else {"PrivateNote": "seen"}
    world.quickbooks.edit(world.company.realm, "Invoice", identity, **changes)
    world.cycle()

    assert world.links() == {invoice.invoice_id: identity}
    assert len(world.quickbooks.list(world.company.realm, "Invoice")) == 1
    assert world.titles() == ([CHANGED] if number else [])
    assert all("date" not in each.what_happened.casefold() for each in world.open())


def test_what_is_sent_of_a_re_dated_invoice_later_keeps_its_day(world: World) -> None:
    invoice = _re_dated(world)
    identity = world.quickbooks_id(invoice)
    [item] = world.do(edits.charge_ids, invoice.invoice_id)
    world.do(edits.reprice_charge, invoice.invoice_id, item, 12_000)
    world.cycle()
    assert "date" not in world.exception(IN_ALGAPSA).what_happened.casefold()
    settle(world, IN_ALGAPSA, Action.RE_EXPORT)
    world.cycle()

    shown = world.quickbooks.get(world.company.realm, "Invoice", identity)
    assert shown["TxnDate"] == (world.today - timedelta(days=1)).isoformat()
    assert shown["TotalAmt"] == 120
    assert world.titles() == []


def test_a_dismissed_export_is_neither_sent_nor_pending_until_it_changes(world: World) -> None:
    invoice = world.invoice(client=1)
    world.in_ledger(
        "DELETE FROM links WHERE kind = 'client' AND algapsa_id = :id", id=world.clients[1]
    )
    world.cycle()
    settle(world, NOT_READY, Action.DISMISS)
    assert world.operations() == {}
    world.link(("client", world.clients[1], world.company.customers[world.clients[1]]))
    world.cycle()

    assert world.in_quickbooks(invoice) == []
    assert world.operations() == {}
    world.do(edits.renumber_invoice, invoice.invoice_id, "INV-NEW")
    world.cycle()
    assert world.in_quickbooks(type(invoice)(invoice.invoice_id, "INV-NEW"))


def test_a_client_that_was_missing_is_linked_from_the_exception(world: World) -> None:
    invoice = world.invoice(client=1)
    client = world.clients[1]
    world.in_ledger("DELETE FROM links WHERE kind = 'client' AND algapsa_id = :id", id=client)
    world.cycle()
    settle(world, NOT_READY, Action.LINK_CLIENT, world.company.customers[client])
    world.cycle()

    assert len(world.in_quickbooks(invoice)) == 1
    assert world.titles() == []


def test_a_number_that_is_taken_is_linked_from_the_exception(world: World) -> None:
    invoice = world.draft(10_000)
    made = world.quickbooks.invoice(
        world.company.realm,
        world.company.customers[world.clients[1]],
        [(world.company.item, Decimal(100))],
        DocNumber=invoice.number,
    )
    world.finalize(invoice)
    world.cycle()
    settle(world, TAKEN, Action.LINK_INVOICE)
    world.cycle()

    assert world.links() == {invoice.invoice_id: str(made["Id"])}
    assert TAKEN not in world.titles()


def test_an_action_that_makes_no_sense_is_refused(world: World) -> None:
    invoice = world.exported(10_000)
    edit_amount(world, invoice, "125.00")
    world.cycle()

    with pytest.raises(ActionRefusedError, match="does not settle"):
        settle(world, CHANGED, Action.SEND_AGAIN)
