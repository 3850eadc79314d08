"""Operations that are withdrawn or looked at again: each send is an attempt of its own."""

from __future__ import annotations

from qbo_sync_dagster.sandbox.algapsa import invoices

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


def _enter(world, **properties):
    """An invoice that a bookkeeper enters for the first client."""
    company = world.company
    customer = company.customers[world.clients[0]]
    made = world.quickbooks.invoice(
        company.realm, customer, [(company.item, "80.00")], **properties
    )
    return str(made["Id"])


def test_a_taken_number_stays_one_exception_while_others_come_and_go_there(world) -> None:
    draft = world.draft()
    theirs = _enter(world, DocNumber=draft.number)
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
