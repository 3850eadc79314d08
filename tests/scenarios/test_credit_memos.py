"""Credit notes: each becomes one CreditMemo over the positive amount, whatever happens."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest
import sqlalchemy as sa

from qbo_sync_dagster.sandbox.algapsa import edits, invoices
from qbo_sync_dagster.sandbox.algapsa.charges import Charge

LONG_ENOUGH = timedelta(minutes=3)
TAKEN = "Already in QuickBooks"
TOTAL = "Invoice total differs in QuickBooks"
CHANGED = "Exported invoice was changed in QuickBooks"
TAX = {"tax_region": "US-WA", "tax_rate": Decimal("8.25")}


def _note(world, cents: int = 2_000, **options: Any) -> tuple[str, str]:
    """A finalized credit note over one service: AlgaPSA's id and its number."""
    charges = options.pop("charges", None) or (
        Charge("Goodwill", -cents, service_id=world.service),
    )
    made = world.invoice(charges=charges, **options)
    [[number]] = _rows(world, "SELECT invoice_number FROM invoices WHERE invoice_id = :id", made)
    return made.invoice_id, number


def _rows(world, statement: str, made) -> list[Any]:
    with world.owner.connect() as connection:
        return list(connection.execute(sa.text(statement), {"id": made.invoice_id}))


def _memos(world) -> list[dict[str, Any]]:
    return world.quickbooks.list(world.company.realm, "CreditMemo")


def _line(world, amount: str) -> list[dict[str, Any]]:
    """The one line of a credit memo as a bookkeeper retypes it."""
    detail = {"ItemRef": {"value": world.company.item}, "Qty": 1, "UnitPrice": Decimal(amount)}
    return [
        {
            "DetailType": "SalesItemLineDetail",
            "Amount": Decimal(amount),
            "Description": "Goodwill",
            "SalesItemLineDetail": detail,
        }
    ]


def _in_step(world, note: tuple[str, str]) -> None:
    """It stands once, linked; nothing is open or waits, and idling costs one call."""
    [memo] = _memos(world)
    assert memo["DocNumber"] == note[1]
    assert world.links("credit_memo") == {note[0]: memo["Id"]}
    assert world.operations() == {}
    assert world.titles() == []
    world.cycle()
    world.forget()
    world.cycle()
    assert world.metered() == 1
    assert len(_memos(world)) == 1


def test_a_credit_note_is_exported_as_a_credit_memo_over_positive_amounts(world) -> None:
    note = _note(
        world,
        charges=(
            Charge("Goodwill", -2_000, quantity=Decimal(3), service_id=world.service, **TAX),
            Charge("Less an hour kept", 1_000, service_id=world.service, **TAX),
        ),
    )

    assert world.cycle().outcome == "succeeded"

    [memo] = _memos(world)
    sales = [line for line in memo["Line"] if line["DetailType"] == "SalesItemLineDetail"]
    lines = sorted(sales, key=lambda line: -line["Amount"])
    assert [line["Amount"] for line in lines] == [Decimal(60), Decimal(-10)]
    assert lines[0]["SalesItemLineDetail"]["Qty"] == 3
    assert lines[0]["SalesItemLineDetail"]["UnitPrice"] == 20
    assert lines[0]["SalesItemLineDetail"]["TaxCodeRef"]["value"] == "TAX"
    assert memo["TxnTaxDetail"]["TotalTax"] == Decimal("4.12")
    assert memo["TotalAmt"] == Decimal("54.12")
    assert memo["CustomerRef"]["value"] == world.company.customers[world.clients[0]]
    assert world.quickbooks.list(world.company.realm, "Invoice") == []
    _in_step(world, note)


def test_invoices_and_credit_notes_share_a_batch(world) -> None:
    invoices = [world.invoice(1_000), world.invoice(2_000)]
    note = _note(world)

    assert world.cycle().outcome == "succeeded"

    assert all(world.in_quickbooks(invoice) for invoice in invoices)
    _in_step(world, note)


@pytest.mark.parametrize("effect", ["timeout_after_commit", "timeout_before"])
def test_a_lost_answer_makes_no_second_credit_memo(world, effect) -> None:
    note = _note(world)
    world.quickbooks.fault(effect, realm=world.company.realm, kind="create")
    world.cycle()
    assert set(world.operations().values()) == {"posting"}

    world.later(LONG_ENOUGH)
    world.cycle()

    _in_step(world, note)


def test_a_number_that_an_invoice_bears_stops_the_credit_note(world) -> None:
    note = _note(world)
    world.quickbooks.set(world.company.realm, custom_txn_numbers=False)
    customer = world.company.customers[world.clients[0]]
    world.quickbooks.invoice(
        world.company.realm, customer, [(world.company.item, Decimal(20))], DocNumber=note[1]
    )

    world.cycle()

    assert _memos(world) == []
    assert world.titles() == [TAKEN]
    assert world.links("credit_memo") == {}
    told = world.exception(TAKEN)
    assert ("quickbooks", "Invoice") in {(r["side"], r["kind"]) for r in told.records}


def test_a_restored_ledger_recognises_its_credit_memo(world) -> None:
    note = _note(world)
    world.cycle()
    world.in_ledger("DELETE FROM postings")
    world.in_ledger("DELETE FROM operations")
    world.in_ledger("DELETE FROM links WHERE kind = 'credit_memo'")
    world.in_ledger("DELETE FROM inbound_changes")

    world.cycle()

    _in_step(world, note)


def test_a_credit_note_voided_before_it_is_sent_is_not_sent(world) -> None:
    note = _note(world)
    world.do(invoices.void_invoice, note[0])

    world.cycle()

    assert _memos(world) == []
    assert world.operations() == {}


def test_a_changed_credit_memo_is_drift_and_a_note_on_it_is_not(world) -> None:
    note = _note(world)
    world.cycle()
    realm, [memo] = world.company.realm, _memos(world)
    world.quickbooks.edit(realm, "CreditMemo", memo["Id"], PrivateNote="seen")
    world.cycle()
    assert world.titles() == []

    world.quickbooks.edit(realm, "CreditMemo", memo["Id"], Line=_line(world, "15"))
    world.cycle()

    told = world.exception(CHANGED)
    assert note[1] in told.what_happened
    assert "Credit note" in told.what_happened
    assert told.amounts == {"exported total": 2_000, "QuickBooks total": 1_500}
    world.quickbooks.edit(realm, "CreditMemo", memo["Id"], Line=_line(world, "20"))
    world.cycle()
    assert world.operations() == {}


def test_a_total_that_quickbooks_computes_differently_is_told(world) -> None:
    _note(world, charges=(Charge("Goodwill", -2_000, service_id=world.service, **TAX),))
    world.quickbooks.set(world.company.realm, automated_sales_tax=True, sales_tax_percent="0")

    world.cycle()

    told = world.exception(TOTAL)
    assert told.amounts == {"AlgaPSA total": 2_165, "QuickBooks total": 2_000}


def test_a_credit_note_without_a_linked_service_names_what_is_missing(world) -> None:
    note = _note(world)
    world.in_ledger("DELETE FROM links WHERE kind = 'service'")

    world.cycle()

    told = world.exception("Scheduled accounting export failed validation")
    assert note[1] in told.what_happened
    world.link(("service", world.service, world.company.item))
    world.cycle()
    _in_step(world, note)


def test_payment_terms_are_not_needed_for_a_credit_note(world) -> None:
    note = _note(world)
    world.in_ledger("DELETE FROM links WHERE kind = 'payment_term'")

    world.cycle()

    _in_step(world, note)


def test_a_credit_note_in_a_closed_period_waits(world) -> None:
    note = _note(world)
    world.quickbooks.set(world.company.realm, book_close_date=world.today.isoformat())
    world.cycle()
    assert world.titles() == ["Dated in a closed QuickBooks period"]
    assert _memos(world) == []

    world.quickbooks.set(world.company.realm, book_close_date="")
    world.cycle()

    _in_step(world, note)


def test_a_credit_note_that_changes_after_export_is_told(world) -> None:
    note = _note(world)
    world.cycle()

    world.do(edits.renumber_invoice, note[0], "CM-999")
    world.cycle()

    assert world.titles() == ["Exported invoice was changed in AlgaPSA"]
    [memo] = _memos(world)
    assert memo["DocNumber"] == note[1]
