"""Invoices out: what a finalized invoice becomes in QuickBooks."""

from __future__ import annotations


def test_a_finalized_invoice_is_in_quickbooks_after_one_cycle(world) -> None:
    invoice = world.invoice(12_345)

    end = world.cycle()

    assert end.outcome == "succeeded"
    [found] = world.in_quickbooks(invoice)
    assert str(found["TotalAmt"]) == "123.45"
    assert world.links() == {invoice.invoice_id: found["Id"]}


def test_a_second_cycle_has_nothing_to_do_and_makes_one_metered_call(world) -> None:
    world.exported()
    world.cycle()
    world.forget()

    end = world.cycle()

    assert end.sentence == "Nothing to do"
    assert (end.health.quickbooks_writes, end.health.algapsa_writes) == (0, 0)
    assert world.metered() == 1
