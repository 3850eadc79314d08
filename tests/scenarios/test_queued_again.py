"""Operations that are withdrawn and queued again: each send is an attempt of its own."""

from __future__ import annotations

from qbo_sync_dagster.sandbox.algapsa import invoices


def _refused(world):
    """An invoice that QuickBooks refused."""
    world.quickbooks.fault("fault:2020", realm=world.company.realm, kind="create")
    invoice = world.invoice()
    world.cycle()
    assert world.operations() == {f"Invoice {invoice.number}": "errored"}
    return invoice


def test_a_refused_invoice_that_is_reopened_and_finalized_again_is_sent(world) -> None:
    invoice = _refused(world)
    world.do(invoices.reopen_invoice, invoice.invoice_id, today=world.today)
    world.cycle()
    world.finalize(invoice)

    end = world.cycle()

    assert end.outcome == "succeeded"
    assert len(world.in_quickbooks(invoice)) == 1
    assert world.titles() == []


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
