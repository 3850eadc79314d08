"""Invoices out: a number that QuickBooks has already is never sent a second time."""

from __future__ import annotations

from decimal import Decimal

import pytest

from qbo_sync_dagster.sandbox.algapsa import edits

TAKEN = "Already in QuickBooks"


def _entered_there(world, number, amount="80.00", client=0):
    """An invoice that a bookkeeper enters in QuickBooks."""
    company = world.company
    made = world.quickbooks.invoice(
        company.realm,
        company.customers[world.clients[client]],
        [(company.item, amount)],
        DocNumber=number,
        # The day there is not always the day in UTC.
        TxnDate=world.today.isoformat(),
    )
    return str(made["Id"])


def _history(world, number, client=1):
    """An invoice from before the company was connected, which no poll brings."""
    identity = _entered_there(world, number, client=client)
    world.cycle()
    return identity


def test_a_number_in_use_there_is_not_sent_and_both_records_are_named(world) -> None:
    draft = world.draft()
    theirs = _history(world, draft.number)
    world.finalize(draft)

    end = world.cycle()

    assert end.outcome == "succeeded"
    assert [found["Id"] for found in world.in_quickbooks(draft)] == [theirs]
    assert world.titles() == [TAKEN]
    references = {(item["side"], item["id"]) for item in world.exception(TAKEN).records}
    assert references == {("algapsa", draft.invoice_id), ("quickbooks", theirs)}
    assert world.links() == {}


def test_the_number_is_looked_up_where_the_company_takes_duplicates_too(world) -> None:
    world.quickbooks.set(world.company.realm, custom_txn_numbers=False)
    draft = world.draft()
    theirs = _history(world, draft.number)
    world.finalize(draft)

    world.cycle()

    assert [found["Id"] for found in world.in_quickbooks(draft)] == [theirs]
    assert world.titles() == [TAKEN]


def test_a_number_differs_only_in_letter_case_and_is_taken_all_the_same(world) -> None:
    draft = world.draft(number="INV-X1")
    _history(world, "inv-x1")
    world.finalize(draft)

    world.cycle()

    assert world.titles() == [TAKEN]
    assert len(world.quickbooks.list(world.company.realm, "Invoice")) == 1


def test_it_goes_out_by_itself_once_renumbered_in_algapsa(world) -> None:
    draft = world.draft(number="A-100")
    theirs = _history(world, "A-100")
    world.finalize(draft)
    world.cycle()

    world.do(edits.renumber_invoice, draft.invoice_id, "A-100-B")
    world.cycle()

    found = world.quickbooks.list(world.company.realm, "Invoice")
    assert {item["DocNumber"]: item["Id"] != theirs for item in found} == {
        "A-100": False,
        "A-100-B": True,
    }
    assert world.titles() == []


def test_it_goes_out_by_itself_once_the_other_one_is_renumbered_in_quickbooks(world) -> None:
    draft = world.draft()
    theirs = _history(world, draft.number)
    world.finalize(draft)
    world.cycle()

    world.quickbooks.edit(world.company.realm, "Invoice", theirs, DocNumber="OLD-1")
    world.cycle()

    [found] = world.in_quickbooks(draft)
    assert found["Id"] != theirs
    assert world.links() == {draft.invoice_id: found["Id"]}
    assert world.titles() == []


def test_it_goes_out_by_itself_once_the_other_one_is_deleted_in_quickbooks(world) -> None:
    draft = world.draft()
    theirs = _history(world, draft.number)
    world.finalize(draft)
    world.cycle()

    world.quickbooks.delete(world.company.realm, "Invoice", theirs)
    world.cycle()

    assert len(world.in_quickbooks(draft)) == 1
    assert world.titles() == []


def test_linking_the_two_settles_it_and_nothing_is_created(world) -> None:
    draft = world.draft(8_000, client=1)
    theirs = _history(world, draft.number)
    world.finalize(draft)
    world.cycle()

    world.link(("invoice", draft.invoice_id, theirs))
    end = world.cycle()

    assert world.links() == {draft.invoice_id: theirs}
    assert world.titles() == []
    assert (end.health.pending, end.health.errored) == (0, 0)
    assert len(world.in_quickbooks(draft)) == 1


def test_a_number_taken_between_look_up_and_send_is_the_same_exception(world) -> None:
    invoice = world.invoice()
    world.quickbooks.fault("fault:6140", realm=world.company.realm, kind="create")

    world.cycle()

    assert world.titles() == [TAKEN]
    assert world.operations() == {f"Invoice {invoice.number}": "errored"}
    assert world.in_quickbooks(invoice) == []


def test_one_taken_number_of_a_batch_does_not_hold_back_the_others(world) -> None:
    taken = world.draft()
    _history(world, taken.number)
    world.finalize(taken)
    others = [world.invoice(), world.invoice(client=2)]

    end = world.cycle()

    assert [len(world.in_quickbooks(each)) for each in others] == [1, 1]
    assert world.titles() == [TAKEN]
    assert (end.health.errored, end.health.quickbooks_writes) == (1, 2)


def test_an_unreadable_hit_does_not_hold_back_numbers_that_are_free(world) -> None:
    world.quickbooks.set(world.company.realm, custom_txn_numbers=False)
    draft = world.draft()
    _history(world, draft.number)
    world.finalize(draft)
    free = [world.invoice(client=2), world.invoice(client=2)]
    world.quickbooks.fault(
        "omit_field:DocNumber", realm=world.company.realm, kind="query", entity="Invoice", times=9
    )

    world.cycle()

    assert len(world.in_quickbooks(draft)) == 1
    assert [len(world.in_quickbooks(each)) for each in free] == [1, 1]
    assert world.titles() == [TAKEN]


@pytest.mark.parametrize("number", ["O'Dowd-7", "A\\B-1", "50% & more", "Nº 9 – ü"])
def test_a_number_of_unusual_characters_is_looked_up_and_sent_as_it_is(world, number) -> None:
    draft = world.draft(number=number)
    _history(world, f"{number}x")
    world.finalize(draft)

    world.cycle()
    assert len(world.in_quickbooks(draft)) == 1
    assert world.titles() == []

    other = world.draft(number=f"{number}x")
    world.finalize(other)
    world.cycle()

    assert world.titles() == [TAKEN]


def test_an_invoice_entered_there_for_the_same_customer_and_number_is_taken_as_it(world) -> None:
    invoice = world.invoice(8_000)
    theirs = _entered_there(world, invoice.number)

    world.cycle()

    assert world.links() == {invoice.invoice_id: theirs}
    assert len(world.in_quickbooks(invoice)) == 1
    assert world.in_quickbooks(invoice)[0]["TotalAmt"] == Decimal(80)
    assert world.titles() == []
