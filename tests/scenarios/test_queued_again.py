"""Operations that are withdrawn or looked at again: each send is an attempt of its own."""

from __future__ import annotations

import pytest

from qbo_sync_dagster.actions.errors import LinkFileError
from qbo_sync_dagster.sandbox.algapsa import edits, invoices
from qbo_sync_dagster.sync.outcome import Stage

TAKEN = "Already in QuickBooks"


def test_an_invoice_withdrawn_before_it_was_ever_sent_goes_out_later(world) -> None:
    world.quickbooks.fault("503", realm=world.company.realm, times=20)
    invoice = world.invoice()
    world.cycle()
    world.quickbooks.clear_faults()
    world.do(invoices.reopen_invoice, invoice.invoice_id, today=world.today)
    world.cycle()
    world.finalize(invoice)

    end = world.cycle()

    assert end.outcome == "succeeded"
    assert len(world.in_quickbooks(invoice)) == 1


def _enter(world, number=None):
    """An invoice that a bookkeeper enters for the first client."""
    company = world.company
    customer = company.customers[world.clients[0]]
    named = {"DocNumber": number} if number else {}
    made = world.quickbooks.invoice(company.realm, customer, [(company.item, "80.00")], **named)
    return str(made["Id"])


def test_a_taken_number_stays_one_exception_while_others_come_and_go_there(world) -> None:
    draft = world.draft()
    theirs = _enter(world, draft.number)
    world.cycle()
    world.finalize(draft)
    world.cycle()
    number = world.exception(TAKEN).number

    for _ in range(2):
        _enter(world)
        world.cycle()

    assert world.exception(TAKEN).number == number
    assert world.links() == {}
    assert [found["Id"] for found in world.in_quickbooks(draft)] == [theirs]


def test_an_invoice_linked_by_staff_at_the_moment_of_sending_is_not_created(world) -> None:
    draft = world.draft()
    theirs = _enter(world)
    world.cycle()
    world.finalize(draft)
    other = world.invoice(client=1)
    events = world.events()
    for event in events:
        if getattr(event, "stage", None) is Stage.OUTBOUND_OPERATIONS:
            break

    world.link(("invoice", draft.invoice_id, theirs))
    *_, end = events

    assert end.outcome == "succeeded"
    assert world.in_quickbooks(draft) == []
    assert len(world.in_quickbooks(other)) == 1
    assert world.links()[draft.invoice_id] == theirs


def test_an_invoice_whose_answer_is_awaited_cannot_be_linked_to_something_else(world) -> None:
    theirs = _enter(world)
    world.cycle()
    invoice = world.invoice()
    world.quickbooks.fault("timeout_after_commit", realm=world.company.realm, kind="create")
    world.cycle()

    with pytest.raises(LinkFileError) as refused:
        world.link(("invoice", invoice.invoice_id, theirs))
    assert "after the next cycle" in refused.value.problems[0]

    world.cycle()
    assert world.links() == {invoice.invoice_id: world.quickbooks_id(invoice)}
    assert world.operations() == {}


def test_a_voided_invoice_of_that_number_is_never_taken_for_the_one_to_be_sent(world) -> None:
    world.quickbooks.fault("fault:2020", realm=world.company.realm, kind="create")
    invoice = world.invoice()
    world.cycle()
    world.quickbooks.void(world.company.realm, "Invoice", _enter(world, invoice.number))
    [item] = world.do(edits.charge_ids, invoice.invoice_id)
    world.do(edits.reprice_charge, invoice.invoice_id, item, 12_000)

    end = world.cycle()

    assert end.outcome == "succeeded"
    assert world.links() == {}
    assert TAKEN in world.titles()
