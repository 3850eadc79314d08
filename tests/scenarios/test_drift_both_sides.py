"""An exported invoice that people change on both sides until both say the same again."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from qbo_sync_dagster.sandbox.algapsa import edits

CHANGED_HERE = "Exported invoice was changed in AlgaPSA"
CHANGED_THERE = "Exported invoice was changed in QuickBooks"


def _reprice_in_algapsa(world, invoice, cents: int) -> None:
    [item] = world.do(edits.charge_ids, invoice.invoice_id)
    world.do(edits.reprice_charge, invoice.invoice_id, item, cents)


def _reprice_in_quickbooks(world, invoice, amount: str, **changes: Any) -> None:
    [found] = world.in_quickbooks(invoice)
    [line] = [item for item in found["Line"] if item["DetailType"] == "SalesItemLineDetail"]
    detail = {**line["SalesItemLineDetail"], "UnitPrice": Decimal(amount)}
    line = {**line, "Amount": Decimal(amount), "SalesItemLineDetail": detail}
    world.quickbooks.edit(world.company.realm, "Invoice", found["Id"], Line=[line], **changes)


def test_the_same_correction_on_both_sides_settles_it(world) -> None:
    invoice = world.exported(10_000)
    _reprice_in_algapsa(world, invoice, 12_000)
    world.cycle()
    assert world.titles() == [CHANGED_HERE]

    _reprice_in_quickbooks(world, invoice, "120.00")
    end = world.cycle()

    assert world.titles() == []
    assert end.health.drift == 0
    world.pay((invoice, "120.00"))
    world.cycle()
    assert world.state(invoice).status == "paid"


def test_what_both_sides_agree_on_now_is_what_later_drift_is_held_against(world) -> None:
    invoice = world.exported(10_000)
    _reprice_in_algapsa(world, invoice, 12_000)
    _reprice_in_quickbooks(world, invoice, "120.00")
    world.cycle()
    assert world.titles() == []

    _reprice_in_quickbooks(world, invoice, "100.00")
    world.cycle()

    assert world.titles() == [CHANGED_THERE]
    assert "Total: 120.00 -> 100.00" in world.exception(CHANGED_THERE).what_happened


def test_two_different_corrections_stay_two_exceptions(world) -> None:
    invoice = world.exported(10_000)
    _reprice_in_algapsa(world, invoice, 12_000)
    _reprice_in_quickbooks(world, invoice, "110.00")

    world.cycle()

    assert world.titles() == [CHANGED_HERE, CHANGED_THERE]


def test_the_same_total_on_another_day_is_no_agreement(world) -> None:
    invoice = world.exported(10_000)
    _reprice_in_algapsa(world, invoice, 12_000)
    _reprice_in_quickbooks(world, invoice, "120.00", DueDate="2031-01-31")

    world.cycle()

    assert world.titles() == [CHANGED_HERE, CHANGED_THERE]


def test_a_new_number_on_both_sides_settles_it(world) -> None:
    invoice = world.exported()
    identity = world.quickbooks_id(invoice)
    world.do(edits.renumber_invoice, invoice.invoice_id, "INV-9001")
    world.quickbooks.edit(world.company.realm, "Invoice", identity, DocNumber="INV-9001")

    world.cycle()

    assert world.titles() == []
    assert world.links() == {invoice.invoice_id: identity}
