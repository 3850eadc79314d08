"""Invoices out: a company's defaults stand in where AlgaPSA's term or region has no link."""

from __future__ import annotations

NOT_READY = "Scheduled accounting export failed validation"


def test_a_term_without_a_link_is_told_and_a_default_term_cures_it(world) -> None:
    world.in_ledger("DELETE FROM links WHERE kind = 'payment_term'")
    invoice = world.invoice()
    world.cycle()
    assert world.titles() == [NOT_READY]

    world.configure(default_term=world.company.term)
    world.cycle()

    [found] = world.in_quickbooks(invoice)
    assert found["SalesTermRef"]["value"] == world.company.term
    assert world.titles() == []
