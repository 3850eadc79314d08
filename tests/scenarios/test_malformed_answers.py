"""Documents that cannot be read, and damaged answers to writes: told or settled, never doubled."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

UNREADABLE = "QuickBooks sent a record that can't be read"
LONG_ENOUGH = timedelta(minutes=3)


def _fault(world, effect: str, **options: object) -> None:
    world.quickbooks.fault(effect, realm=world.company.realm, **options)


def _numbers(world) -> list[str]:
    found = world.quickbooks.list(world.company.realm, "Invoice")
    return sorted(item["DocNumber"] for item in found)


def _in_step(world, *books: Any) -> None:
    assert _numbers(world) == sorted(each.number for each in books)
    assert world.links() == {each.invoice_id: world.quickbooks_id(each) for each in books}
    assert world.operations() == {}
    assert world.titles() == []


@pytest.mark.parametrize(
    "fields",
    [
        {"TotalAmt": None},
        {"TotalAmt": "100.00"},
        {"TotalAmt": 10**30},
        {"TotalAmt": 100.001},
        {"CustomerRef": None},
        {"SyncToken": None},
        {"TxnDate": "yesterday"},
        {"Line": "none"},
        {"DocNumber": "x" * 100_000},
    ],
    ids=lambda fields: "-".join(f"{key}={str(value)[:9]}" for key, value in fields.items()),
)
def test_a_linked_invoice_that_cannot_be_read_is_told_alone(world, spoil, fields) -> None:
    bad, paid = world.invoice(10_000), world.invoice(5_000, client=1)
    world.cycle()
    made = world.links()
    mend = spoil("Invoice", world.quickbooks_id(bad), **fields)
    world.pay((paid, "50.00"), client=1)
    new = world.invoice(client=2)

    end = world.cycle()

    assert end.outcome == "succeeded", end.sentence
    assert world.titles() == [UNREADABLE]
    assert made[bad.invoice_id] in world.exception(UNREADABLE).what_happened
    assert world.rows(paid) == [5_000]
    assert world.links() == made | {new.invoice_id: world.quickbooks_id(new)}

    mend()
    world.quickbooks.edit(
        world.company.realm, "Invoice", made[bad.invoice_id], PrivateNote="saved again"
    )
    assert world.cycle().outcome == "succeeded"
    assert world.titles() == []


@pytest.mark.parametrize("effect", ["unknown_fields", "huge_text:FutureText"])
@pytest.mark.parametrize("kind", ["cdc", "query", "create", "batch", "read"])
def test_fields_that_nobody_knows_change_nothing(world, effect, kind) -> None:
    books = [world.invoice(1_000 * n) for n in range(1, 2 if kind == "create" else 4)]
    _fault(world, effect, kind=kind, times=20)

    end = world.cycle()

    assert end.outcome == "succeeded", end.sentence
    _in_step(world, *books)


@pytest.mark.parametrize("field", ["TotalAmt", "CustomerRef", "TxnDate", "SyncToken"])
@pytest.mark.parametrize("count", [1, 3])
def test_a_created_invoice_whose_answer_lacks_a_field_is_linked_and_read_back(
    world, field, count
) -> None:
    books = [world.invoice(1_000 * n) for n in range(1, count + 1)]
    _fault(world, f"omit_field:{field}", kind="create" if count == 1 else "batch")

    assert world.cycle().outcome == "succeeded"

    assert len(world.links()) == count
    world.cycle()
    _in_step(world, *books)


@pytest.mark.parametrize("count", [1, 3])
@pytest.mark.parametrize("field", ["Id", "Invoice"])
def test_a_created_invoice_whose_answer_does_not_name_it_is_in_doubt_and_adopted(
    world, field, count
) -> None:
    books = [world.invoice(1_000 * n) for n in range(1, count + 1)]
    _fault(world, f"omit_field:{field}", kind="create" if count == 1 else "batch")
    world.cycle()
    assert world.links() == {}
    assert set(world.operations().values()) == {"posting"}
    world.later(LONG_ENOUGH)
    world.forget()

    world.cycle()

    counts = world.quickbooks.call_counts(world.company.realm)
    assert counts["create"] + counts["batch"] == 0
    _in_step(world, *books)


@pytest.mark.parametrize("field", ["time", "CDCResponse", "QueryResponse"])
def test_a_poll_without_its_envelope_never_passes_for_no_changes(world, field) -> None:
    paid = world.exported(10_000)
    world.pay((paid, "100.00"))
    cursor = world.cursor
    _fault(world, f"omit_field:{field}", kind="cdc", times=10)

    end = world.cycle()

    assert end.outcome == "failed"
    assert world.cursor == cursor
    world.quickbooks.clear_faults()
    world.cycle()
    assert world.rows(paid) == [10_000]


@pytest.mark.parametrize("field", ["QueryResponse", "time", "DocNumber"])
def test_a_damaged_look_up_of_numbers_never_lets_a_second_invoice_out(world, field) -> None:
    draft = world.draft()
    company = world.company
    world.quickbooks.invoice(
        company.realm,
        company.customers[world.clients[1]],
        [(company.item, "1.00")],
        DocNumber=draft.number,
    )
    world.cycle()
    world.finalize(draft)
    _fault(world, f"omit_field:{field}", kind="query", entity="Invoice", times=10)

    world.cycle()

    assert _numbers(world) == [draft.number]
    assert world.links() == {}


def test_preferences_that_cannot_be_read_let_nothing_out(world) -> None:
    invoice = world.invoice()
    _fault(world, "malformed_json", kind="read", times=10)

    world.cycle()

    assert _numbers(world) == []
    world.quickbooks.clear_faults()
    world.cycle()
    _in_step(world, invoice)
