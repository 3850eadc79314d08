"""Voids: what AlgaPSA voids is voided in QuickBooks, once, and never while anything hangs on it."""

from __future__ import annotations

import uuid
from datetime import timedelta
from typing import Any

import pytest

from qbo_sync_dagster.actions.cases import Choice
from qbo_sync_dagster.actions.re_exporting import re_export, void_in_quickbooks
from qbo_sync_dagster.sandbox.algapsa import edits, invoices
from qbo_sync_dagster.sandbox.algapsa.charges import Charge

FAILING = "Invoice void keeps failing in accounting"
CLOSED = "Dated in a closed QuickBooks period"
CHANGED = "Exported invoice was changed in QuickBooks"
LONG_ENOUGH = timedelta(minutes=3)


def _void(world, invoice) -> None:
    world.do(invoices.void_invoice, invoice.invoice_id)


def _shown(world, quickbooks_id: str) -> dict[str, Any]:
    return world.quickbooks.get(world.company.realm, "Invoice", quickbooks_id)


def _is_voided(world, quickbooks_id: str) -> bool:
    shown = _shown(world, quickbooks_id)
    return shown["TotalAmt"] == 0 and shown["PrivateNote"].startswith("Voided")


def _quiet(world) -> None:
    """Nothing is open or waits, and an idle cycle costs one call and changes nothing."""
    assert world.operations() == {}
    assert world.titles() == []
    world.cycle()
    before = world.stands()
    world.forget()
    world.cycle()
    assert world.metered() == 1
    assert world.stands() == before
    assert world.titles() == []


def test_a_voided_invoice_is_voided_in_quickbooks_and_its_return_by_poll_is_silent(world) -> None:
    invoice = world.exported()
    found = world.quickbooks_id(invoice)

    _void(world, invoice)
    assert world.cycle().outcome == "succeeded"

    assert _is_voided(world, found)
    assert world.links() == {invoice.invoice_id: found}
    _quiet(world)


def test_a_note_written_over_the_mark_of_a_void_is_nobodys_decision(world) -> None:
    invoice = world.exported()
    found = world.quickbooks_id(invoice)
    _void(world, invoice)
    world.cycle()

    world.quickbooks.edit(world.company.realm, "Invoice", found, PrivateNote="Called on Monday")
    world.cycle()
    assert world.titles() == []


def test_a_voided_credit_note_is_deleted(world) -> None:
    note = world.invoice(charges=(Charge("Goodwill", -2_000, service_id=world.service),))
    world.cycle()
    [memo] = world.quickbooks.list(world.company.realm, "CreditMemo")

    _void(world, note)
    assert world.cycle().outcome == "succeeded"

    assert world.quickbooks.list(world.company.realm, "CreditMemo") == []
    [gone] = world.quickbooks.deleted(world.company.realm, "CreditMemo")
    assert gone["Id"] == memo["Id"]
    _quiet(world)


def test_several_voids_read_their_objects_in_one_query_and_go_in_one_batch(world) -> None:
    several = [world.invoice(1_000 * n) for n in (1, 2, 3)]
    world.cycle()
    found = [world.quickbooks_id(each) for each in several]
    for each in several:
        _void(world, each)
    world.forget()

    world.cycle()

    counts = world.quickbooks.call_counts(world.company.realm)
    assert (counts["query"], counts["batch"]) == (1, 1)
    assert all(_is_voided(world, each) for each in found)
    _quiet(world)


def test_a_cancel_by_the_bulk_operation_is_a_void_too(world) -> None:
    invoice = world.exported()
    found = world.quickbooks_id(invoice)

    world.do(invoices.bulk_cancel, [invoice.invoice_id])
    world.cycle()

    assert _is_voided(world, found)


def test_a_paid_invoice_is_not_voided_until_the_payment_is_gone(world) -> None:
    invoice = world.exported()
    found = world.quickbooks_id(invoice)
    _void(world, invoice)
    payment = world.pay((invoice, "40.00"))

    world.cycle()

    assert not _is_voided(world, found)
    told = world.exception(FAILING)
    assert "40.00" in told.what_happened
    assert world.operations() == {f"Invoice {invoice.number}": "errored"}
    world.cycle()
    world.forget()
    world.cycle()
    assert world.metered() == 1
    world.quickbooks.delete(world.company.realm, "Payment", payment)
    world.cycle()
    assert _is_voided(world, found)
    assert FAILING not in world.titles()
    assert world.operations() == {}


def test_an_applied_credit_memo_is_not_deleted(world) -> None:
    note = world.invoice(charges=(Charge("Goodwill", -2_000, service_id=world.service),))
    other = world.exported()
    realm = world.company.realm
    [memo] = world.quickbooks.list(realm, "CreditMemo")
    customer = world.company.customers[world.clients[0]]
    world.quickbooks.apply_credit(realm, customer, world.quickbooks_id(other), memo["Id"], 5)
    _void(world, note)

    world.cycle()

    assert world.quickbooks.deleted(realm, "CreditMemo") == []
    assert FAILING in world.titles()


def test_an_invoice_changed_in_quickbooks_is_not_voided_over_that_change(world) -> None:
    invoice = world.exported()
    found = world.quickbooks_id(invoice)
    _void(world, invoice)
    world.quickbooks.edit(world.company.realm, "Invoice", found, DocNumber="X-1")

    world.cycle()

    assert not _is_voided(world, found)
    assert "X-1" in world.exception(FAILING).what_happened
    world.quickbooks.edit(world.company.realm, "Invoice", found, DocNumber=invoice.number)
    world.cycle()
    assert _is_voided(world, found)
    _quiet(world)


def test_an_invoice_that_is_gone_on_both_sides_needs_no_void(world) -> None:
    invoice = world.exported()
    world.quickbooks.delete(world.company.realm, "Invoice", world.quickbooks_id(invoice))
    _void(world, invoice)

    world.cycle()

    _quiet(world)


def test_an_invoice_that_bookkeepers_voided_too_is_left_alone(world) -> None:
    invoice = world.exported()
    found = world.quickbooks_id(invoice)
    world.quickbooks.void(world.company.realm, "Invoice", found)
    _void(world, invoice)
    world.forget()

    world.cycle()

    assert world.quickbooks.call_counts(world.company.realm)["void"] == 0
    _quiet(world)


def test_a_void_before_the_export_cancels_it(world) -> None:
    invoice = world.invoice()
    world.quickbooks.fault("503", realm=world.company.realm, kind="create", times=5)
    world.do(invoices.void_invoice, invoice.invoice_id)

    world.cycle()

    assert world.quickbooks.list(world.company.realm, "Invoice") == []
    assert world.operations() == {}


def test_a_void_waits_for_an_export_in_doubt_and_then_voids_what_arrived(world) -> None:
    invoice = world.invoice()
    world.quickbooks.fault("timeout_after_commit", realm=world.company.realm, kind="create")
    world.cycle()
    _void(world, invoice)

    world.later(LONG_ENOUGH)
    world.cycle()

    [found] = world.quickbooks.list(world.company.realm, "Invoice")
    assert _is_voided(world, found["Id"])
    _quiet(world)


@pytest.mark.parametrize("effect", ["timeout_after_commit", "timeout_before"])
def test_a_lost_answer_is_settled_from_the_object(world, effect) -> None:
    invoice = world.exported()
    found = world.quickbooks_id(invoice)
    _void(world, invoice)
    world.quickbooks.fault(effect, realm=world.company.realm, kind="void")
    world.cycle()
    assert world.operations() == {f"Invoice {invoice.number}": "posting"}

    world.later(LONG_ENOUGH)
    world.cycle()

    assert _is_voided(world, found)
    _quiet(world)


def test_a_lost_answer_to_a_deletion_is_settled_by_its_absence(world) -> None:
    note = world.invoice(charges=(Charge("Goodwill", -2_000, service_id=world.service),))
    world.cycle()
    _void(world, note)
    world.quickbooks.fault("timeout_after_commit", realm=world.company.realm, kind="delete")
    world.cycle()

    world.later(LONG_ENOUGH)
    world.cycle()

    assert world.quickbooks.list(world.company.realm, "CreditMemo") == []
    _quiet(world)


def test_a_change_by_others_while_a_void_is_in_doubt_is_drift(world) -> None:
    invoice = world.exported()
    found = world.quickbooks_id(invoice)
    _void(world, invoice)
    world.quickbooks.fault("timeout_before", realm=world.company.realm, kind="void")
    world.cycle()
    world.quickbooks.edit(world.company.realm, "Invoice", found, DocNumber="X-1")

    world.later(LONG_ENOUGH)
    world.cycle()

    assert not _is_voided(world, found)
    assert {CHANGED, FAILING} <= set(world.titles())


def test_closed_books_hold_a_void_at_no_attempt_cost(world) -> None:
    invoice = world.exported()
    found = world.quickbooks_id(invoice)
    _void(world, invoice)
    world.quickbooks.set(world.company.realm, book_close_date=world.today.isoformat())
    world.forget()

    world.cycle()

    assert world.titles() == [CLOSED]
    assert world.operations() == {f"Invoice {invoice.number}": "held"}
    assert world.quickbooks.call_counts(world.company.realm)["void"] == 0
    assert world.in_ledger("SELECT attempt, faults FROM operations WHERE state = 'held'") == [
        (1, 0)
    ]
    world.quickbooks.set(world.company.realm, book_close_date="")
    world.cycle()
    assert _is_voided(world, found)
    _quiet(world)


def test_a_void_that_quickbooks_refuses_is_told(world) -> None:
    invoice = world.exported()
    _void(world, invoice)
    world.quickbooks.fault("fault:6000", realm=world.company.realm, kind="void")

    world.cycle()

    assert world.titles() == [FAILING]
    assert world.operations() == {f"Invoice {invoice.number}": "errored"}


def test_a_dismissed_void_is_left_alone(world) -> None:
    invoice = world.exported()
    _void(world, invoice)
    payment = world.pay((invoice, "40.00"))
    world.cycle()
    world.dismiss(FAILING)
    world.in_ledger("UPDATE operations SET state = 'cancelled' WHERE kind = 'void_document'")
    world.quickbooks.delete(world.company.realm, "Payment", payment)

    world.cycle()

    assert not _is_voided(world, world.quickbooks_id(invoice))
    assert FAILING not in world.titles()
    assert world.operations() == {}


def test_an_invoice_that_was_void_before_it_was_linked_is_told_and_not_voided(world) -> None:
    invoice = world.history()
    world.do(invoices.bulk_cancel, [invoice.invoice_id])
    found = world.quickbooks_id(invoice)

    world.link(("invoice", invoice.invoice_id, found))
    world.cycle()
    world.cycle()

    assert not _is_voided(world, found)
    assert "Exported invoice was voided in AlgaPSA" in world.titles()


def test_a_void_waits_for_a_removal_from_the_same_invoice_whose_answer_is_missing(world) -> None:
    invoice = world.exported()
    found = world.quickbooks_id(invoice)
    row = str(uuid.uuid4())
    world.in_ledger(
        "INSERT INTO links (realm, kind, algapsa_id, quickbooks_id, origin, invoice_id)"
        " VALUES (:realm, 'payment', :row, '900', 'exported', :invoice)",
        realm=world.company.realm,
        row=row,
        invoice=invoice.invoice_id,
    )
    world.in_ledger(
        "INSERT INTO operations (realm, kind, record_id, label, state)"
        " VALUES (:realm, 'change_payment', :row, 'Payment', 'posting')",
        realm=world.company.realm,
        row=row,
    )
    _void(world, invoice)
    world.cycle()
    assert not _is_voided(world, found)
    assert world.operations()[f"Invoice {invoice.number}"] == "queued"

    world.in_ledger("UPDATE operations SET state = 'done' WHERE kind = 'change_payment'")
    world.cycle()

    assert _is_voided(world, found)


def test_staff_void_what_algapsa_deleted_and_nobody_asks_again(world) -> None:
    invoice = world.exported()
    found = world.quickbooks_id(invoice)
    world.do(invoices.delete_invoice, invoice.invoice_id, by_sql=True)
    world.cycle()
    told = world.exception("Exported invoice was deleted in AlgaPSA")

    void_in_quickbooks(world.engine.ledger, Choice(told.number, "Staff"))
    world.cycle()

    assert _is_voided(world, found)
    _quiet(world)


def test_what_staff_void_there_and_algapsa_still_has_stays_told(world) -> None:
    invoice = world.exported()
    found = world.quickbooks_id(invoice)
    [item, *_] = world.do(edits.charge_ids, invoice.invoice_id)
    world.do(edits.reprice_charge, invoice.invoice_id, item, 12_000)
    world.cycle()
    told = world.exception("Exported invoice was changed in AlgaPSA")

    void_in_quickbooks(world.engine.ledger, Choice(told.number, "Staff"))
    for _ in range(2):
        world.cycle()
        assert _is_voided(world, found)
        assert world.titles() == ["Exported invoice was changed in AlgaPSA"]


def test_a_voided_invoice_that_is_finalized_again_is_told_and_re_exported_in_place(world) -> None:
    invoice = world.exported()
    found = world.quickbooks_id(invoice)
    world.do(invoices.reopen_invoice, invoice.invoice_id, by_sql=True, today=world.today)
    world.cycle()
    told = world.exception("Exported invoice was reopened in AlgaPSA")
    void_in_quickbooks(world.engine.ledger, Choice(told.number, "Staff"))
    world.cycle()
    assert _is_voided(world, found)
    assert world.titles() == []

    world.finalize(invoice)
    world.cycle()
    told = world.exception("Exported invoice was changed in AlgaPSA")
    re_export(world.engine.ledger, Choice(told.number, "Staff"))
    world.cycle()

    assert _shown(world, found)["TotalAmt"] == 100
    _quiet(world)
