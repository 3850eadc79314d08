"""Drift: an exported invoice that QuickBooks shows otherwise than it was agreed on."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest

CHANGED = "Exported invoice was changed in QuickBooks"
GONE = "Exported invoice was voided or deleted in QuickBooks"


def _edit(world, invoice, **changes: Any):
    return world.quickbooks.edit(
        world.company.realm, "Invoice", world.quickbooks_id(invoice), **changes
    )


def _line(world, invoice, **changes: Any):
    """The invoice's one line with other content."""
    [found] = world.in_quickbooks(invoice)
    [line] = [item for item in found["Line"] if item["DetailType"] == "SalesItemLineDetail"]
    detail = {**line["SalesItemLineDetail"], **changes.pop("detail", {})}
    kept = {name: value for name, value in detail.items() if value is not None}
    return {**line, "SalesItemLineDetail": kept, **changes}


def test_a_total_edited_in_quickbooks_is_told_field_by_field(world) -> None:
    invoice = world.exported(10_000)
    line = _line(world, invoice, Amount=Decimal(120), detail={"UnitPrice": Decimal(120)})
    _edit(world, invoice, Line=[line])

    end = world.cycle()

    told = world.exception(CHANGED)
    assert world.titles() == [CHANGED]
    assert told.what_happened == (
        f"Invoice {invoice.number} was changed in QuickBooks. Total: 100.00 -> 120.00; "
        "line 1: quantity 1, item Managed endpoint, amount 100.00 -> "
        "quantity 1, item Managed endpoint, amount 120.00."
    )
    assert told.amounts == {"exported total": 10_000, "QuickBooks total": 12_000}
    assert end.health.drift == 1
    assert end.sentence == "1 drift found"


def test_nothing_is_written_to_either_side_because_of_drift(world) -> None:
    invoice = world.exported(10_000)
    before = world.state(invoice)
    _edit(world, invoice, DocNumber="CHANGED-1")

    end = world.cycle()

    assert (end.health.quickbooks_writes, end.health.algapsa_writes) == (0, 0)
    assert world.state(invoice) == before
    found = world.quickbooks.list(world.company.realm, "Invoice")
    assert [item["DocNumber"] for item in found] == ["CHANGED-1"]


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"DocNumber": "X-77"}, "Number: INV-000001 -> X-77"),
        ({"DueDate": "2031-01-31"}, "Due date: "),
        ({"TxnDate": "2031-01-01", "DueDate": "2031-01-31"}, "Date: "),
    ],
)
def test_number_and_dates_edited_in_quickbooks_are_drift(world, changes, told) -> None:
    invoice = world.exported()
    _edit(world, invoice, **changes)

    world.cycle()

    assert world.titles() == [CHANGED]
    assert told in world.exception(CHANGED).what_happened


def test_another_customer_is_drift(world) -> None:
    invoice = world.exported()
    other = world.company.customers[world.clients[1]]
    _edit(world, invoice, CustomerRef={"value": other})

    world.cycle()

    told = world.exception(CHANGED)
    assert "Customer: Quarry Lane Dental -> Birch & Vale Law" in told.what_happened
    # Two equal totals say nothing about what changed.
    assert told.amounts == {}


def test_item_class_and_quantity_of_a_line_are_drift(world) -> None:
    realm = world.company.realm
    invoice = world.exported()
    other = world.quickbooks.item(realm, "Other income")["Id"]
    klass = world.quickbooks.create(realm, "Class", {"Name": "Projects"})["Id"]
    detail = {
        "ItemRef": {"value": other},
        "ClassRef": {"value": klass},
        "Qty": Decimal(2),
        "UnitPrice": Decimal(50),
    }
    _edit(world, invoice, Line=[_line(world, invoice, detail=detail)])

    world.cycle()

    told = world.exception(CHANGED).what_happened
    assert "-> quantity 2, item Other income, amount 100.00, class Projects" in told
    assert "total" not in told


def test_drift_clears_itself_when_it_is_changed_back(world) -> None:
    invoice = world.exported()
    made = _edit(world, invoice, DocNumber="X-77")
    world.cycle()
    assert world.titles() == [CHANGED]

    world.quickbooks.edit(world.company.realm, "Invoice", made["Id"], DocNumber=invoice.number)
    end = world.cycle()

    assert world.titles() == []
    assert end.health.drift == 0


def test_a_second_change_refreshes_the_one_exception(world) -> None:
    invoice = world.exported()
    made = _edit(world, invoice, DocNumber="X-77")
    world.cycle()
    number = world.exception(CHANGED).number

    world.quickbooks.edit(world.company.realm, "Invoice", made["Id"], DocNumber="X-78")
    world.cycle()

    assert world.exception(CHANGED).number == number
    assert "X-78" in world.exception(CHANGED).what_happened


def test_a_note_an_address_or_a_balance_that_moves_is_no_drift(world) -> None:
    invoice = world.exported()
    _edit(world, invoice, PrivateNote="called on Monday", BillAddr={"Line1": "1 Main Street"})
    world.pay((invoice, "40.00"))

    end = world.cycle()

    assert world.titles() == []
    assert end.health.drift == 0
    assert world.state(invoice).paid == 4_000


def test_an_invoice_voided_in_quickbooks_is_told(world) -> None:
    invoice = world.exported()
    world.quickbooks.void(world.company.realm, "Invoice", world.quickbooks_id(invoice))

    world.cycle()

    assert world.titles() == [GONE]
    assert "was voided in QuickBooks" in world.exception(GONE).what_happened
    assert world.exception(GONE).amounts == {"exported total": 10_000, "QuickBooks total": 0}
    assert world.state(invoice).status == "sent"


def test_an_invoice_deleted_in_quickbooks_is_told_and_not_sent_again(world) -> None:
    invoice = world.exported()
    world.quickbooks.delete(world.company.realm, "Invoice", world.quickbooks_id(invoice))

    world.cycle()
    world.later(timedelta(minutes=15))
    end = world.cycle()

    assert world.titles() == [GONE]
    assert "was deleted in QuickBooks" in world.exception(GONE).what_happened
    assert world.quickbooks.list(world.company.realm, "Invoice") == []
    assert end.health.pending == 0
    assert world.state(invoice).status == "sent"


def test_an_invoice_changed_and_then_deleted_is_told_as_gone_only(world) -> None:
    invoice = world.exported()
    made = _edit(world, invoice, DocNumber="X-77")
    world.cycle()
    assert world.titles() == [CHANGED]

    world.quickbooks.delete(world.company.realm, "Invoice", made["Id"])
    world.cycle()

    assert world.titles() == [GONE]


def test_dismissed_drift_is_not_raised_again_until_it_changes(world) -> None:
    invoice = world.exported()
    made = _edit(world, invoice, DocNumber="X-77")
    world.cycle()
    world.dismiss(CHANGED)
    world.quickbooks.edit(world.company.realm, "Invoice", made["Id"], PrivateNote="seen")
    world.cycle()
    assert world.titles() == []

    world.quickbooks.edit(world.company.realm, "Invoice", made["Id"], DocNumber="X-78")
    world.cycle()

    assert world.titles() == [CHANGED]


def test_an_invoice_that_was_never_ours_is_no_concern(world) -> None:
    company = world.company
    customer = company.customers[world.clients[0]]
    made = world.quickbooks.invoice(company.realm, customer, [(company.item, "80.00")])
    world.cycle()
    world.quickbooks.edit(company.realm, "Invoice", made["Id"], PrivateNote="later")

    end = world.cycle()

    assert world.titles() == []
    assert end.sentence == "Nothing to do"


def test_drift_of_one_invoice_does_not_touch_the_others(world) -> None:
    changed, other = world.exported(), world.exported(5_000, client=1)
    _edit(world, changed, DocNumber="X-77")
    fresh = world.invoice(client=2)
    world.pay((other, "50.00"), client=1)

    world.cycle()

    assert world.titles() == [CHANGED]
    assert world.state(other).status == "paid"
    assert len(world.in_quickbooks(fresh)) == 1
