"""A difference of totals that a setting accepts later, after people saw it."""

from __future__ import annotations

from decimal import Decimal

TOTAL = "Invoice total differs in QuickBooks"


def _five_cents_more(world):
    """An invoice of 100.00 that is 100.05 in QuickBooks, linked, with a payment that waits."""
    realm = world.company.realm
    invoice = world.history(10_000)
    found = world.quickbooks_id(invoice)
    line = world.quickbooks.get(realm, "Invoice", found)["Line"][0]
    world.quickbooks.edit(realm, "Invoice", found, Line=[{**line, "Amount": Decimal("100.05")}])
    world.link(("invoice", invoice.invoice_id, found))
    world.pay((invoice, "100.05"))
    world.cycle()
    assert world.titles() == [TOTAL]
    assert world.rows(invoice) == []
    return invoice


def test_raising_the_setting_settles_it_and_frees_the_payments(world) -> None:
    invoice = _five_cents_more(world)

    world.configure(accepted_cents=5)
    end = world.cycle()

    assert end.outcome == "succeeded"
    assert world.titles() == []
    assert world.rows(invoice) == [10_000]


def test_a_setting_below_the_difference_accepts_no_part_of_it(world) -> None:
    invoice = _five_cents_more(world)

    world.configure(accepted_cents=4)
    world.cycle()

    assert world.titles() == [TOTAL]
    assert world.rows(invoice) == []


def test_lowering_the_setting_takes_no_acceptance_back(world) -> None:
    world.configure(accepted_cents=5)
    invoice = world.history(10_000)
    found = world.quickbooks_id(invoice)
    line = world.quickbooks.get(world.company.realm, "Invoice", found)["Line"][0]
    world.quickbooks.edit(
        world.company.realm, "Invoice", found, Line=[{**line, "Amount": Decimal("100.05")}]
    )
    world.link(("invoice", invoice.invoice_id, found))
    world.cycle()

    world.configure(accepted_cents=0)
    world.cycle()

    assert world.titles() == []
