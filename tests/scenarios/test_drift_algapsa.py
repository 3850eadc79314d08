"""Drift on AlgaPSA's side: an exported invoice that AlgaPSA no longer shows as exported."""

from __future__ import annotations

from datetime import timedelta

import pytest
import sqlalchemy as sa

from qbo_sync_dagster.sandbox.algapsa import edits, invoices
from qbo_sync_dagster.sandbox.algapsa.charges import Charge
from qbo_sync_dagster.sandbox.algapsa.errors import AlgaRefusedError
from qbo_sync_dagster.sandbox.algapsa.tenants import Service, create_service
from qbo_sync_dagster.sync.outcome import Stage

CHANGED = "Exported invoice was changed in AlgaPSA"
REOPENED = "Exported invoice was reopened in AlgaPSA"
DELETED = "Exported invoice was deleted in AlgaPSA"


def _total_there(world):
    [found] = world.quickbooks.list(world.company.realm, "Invoice")
    return int(found["TotalAmt"] * 100)


def test_an_edited_invoice_is_told_with_both_totals_and_nothing_is_sent(world) -> None:
    invoice = world.exported(10_000)
    [item] = world.do(edits.charge_ids, invoice.invoice_id)
    world.do(edits.reprice_charge, invoice.invoice_id, item, 12_000)

    end = world.cycle()

    told = world.exception(CHANGED)
    assert world.titles() == [CHANGED]
    assert told.amounts == {"QuickBooks total": 10_000, "AlgaPSA total": 12_000}
    assert (_total_there(world), end.health.quickbooks_writes) == (10_000, 0)


def test_both_versions_are_told_line_by_line_with_names_and_no_call_of_their_own(world) -> None:
    invoice = world.exported(10_000)
    [item] = world.do(edits.charge_ids, invoice.invoice_id)
    world.do(edits.reprice_charge, invoice.invoice_id, item, 12_000)
    world.do(edits.move_to_client, invoice.invoice_id, world.clients[1])
    world.quickbooks.edit(
        world.company.realm, "Invoice", world.quickbooks_id(invoice), DueDate="2027-01-31"
    )
    world.cycle()
    world.forget()

    results, _ = world.stages()

    assert world.metered() == 1
    told = world.exception(CHANGED).what_happened
    assert "Customer: Quarry Lane Dental -> Birch & Vale Law; total: 100.00 -> 120.00" in told
    assert (
        "line 1: quantity 1, item Managed endpoint, amount 100.00 -> quantity 1, item Managed "
        "endpoint, amount 120.00"
    ) in told
    assert "It was changed in QuickBooks as well. Due date: " in told
    lines = {line.field: line for line in results[Stage.DRIFT_REPORT].lines}
    assert list(lines) == ["customer", "due date", "total", "line 1"]
    assert (lines["total"].agreed, lines["total"].in_algapsa) == ("100.00", "120.00")
    assert lines["total"].shown == "unchanged"
    assert (lines["due date"].in_algapsa, lines["due date"].shown) == ("unchanged", "2027-01-31")


def test_a_version_that_quickbooks_could_not_take_is_told_with_what_it_lacks(world) -> None:
    invoice = world.exported(10_000)
    charge = Charge("Cloud backup", 100, service_id=world.do(create_service, Service("Backup", 9)))
    world.do(edits.add_charge, invoice.invoice_id, charge)
    world.do(edits.retotal, invoice.invoice_id)

    world.cycle()

    told = world.exception(CHANGED).what_happened
    assert "Its total is 101.00 there and 100.00 in QuickBooks." in told
    assert 'Service "Backup" is not linked to a QuickBooks item: link it.' in told


def test_a_change_of_words_only_is_told_as_that(world) -> None:
    invoice = world.exported(10_000)
    statement = "UPDATE invoices SET po_number = 'PO-77' WHERE invoice_id = :id"
    with world.owner.begin() as connection:
        connection.execute(sa.text(statement), {"id": invoice.invoice_id})

    world.cycle()

    assert "the PO number" in world.exception(CHANGED).what_happened


def test_the_report_shows_what_is_a_draft_again_or_gone(world) -> None:
    deleted, reopened = world.exported(), world.exported()
    world.do(invoices.delete_invoice, deleted.invoice_id, by_sql=True)
    world.do(invoices.reopen_invoice, reopened.invoice_id, today=world.today, by_sql=True)

    results, _ = world.stages()

    lines = results[Stage.DRIFT_REPORT].lines
    assert [(line.document, line.field, line.in_algapsa, line.shown) for line in lines] == [
        (f"Invoice {deleted.number}", "state", "deleted", "unchanged"),
        (f"Invoice {reopened.number}", "state", "draft", "unchanged"),
    ]


def test_it_clears_itself_when_the_edit_is_undone(world) -> None:
    invoice = world.exported(10_000)
    [item] = world.do(edits.charge_ids, invoice.invoice_id)
    world.do(edits.reprice_charge, invoice.invoice_id, item, 12_000)
    world.cycle()

    world.do(edits.reprice_charge, invoice.invoice_id, item, 10_000)
    world.cycle()

    assert world.titles() == []


@pytest.mark.parametrize(
    "act",
    [
        lambda world, invoice: world.do(edits.renumber_invoice, invoice.invoice_id, "NEW-1"),
        lambda world, invoice: world.do(
            edits.redate_invoice, invoice.invoice_id, world.today - timedelta(days=1)
        ),
        lambda world, invoice: world.do(edits.move_to_client, invoice.invoice_id, world.clients[1]),
        lambda world, invoice: world.do(edits.change_currency, invoice.invoice_id, "CAD"),
        lambda world, invoice: world.do(
            edits.add_charge, invoice.invoice_id, Charge("More", 100, service_id=world.service)
        ),
    ],
    ids=["number", "date", "client", "currency", "lines"],
)
def test_whatever_was_exported_and_changes_in_algapsa_is_told(world, act) -> None:
    invoice = world.exported()
    act(world, invoice)

    end = world.cycle()

    assert world.titles() == [CHANGED]
    assert end.health.quickbooks_writes == 0


def test_payments_keep_flowing_to_an_invoice_that_was_changed(world) -> None:
    invoice = world.exported(10_000)
    [item] = world.do(edits.charge_ids, invoice.invoice_id)
    world.do(edits.reprice_charge, invoice.invoice_id, item, 12_000)
    world.pay((invoice, "40.00"))

    world.cycle()

    assert world.state(invoice).paid == 4_000
    assert world.titles() == [CHANGED]


def test_a_dismissed_change_is_not_raised_again_when_a_payment_arrives(world) -> None:
    invoice = world.exported(10_000)
    [item] = world.do(edits.charge_ids, invoice.invoice_id)
    world.do(edits.reprice_charge, invoice.invoice_id, item, 12_000)
    world.cycle()
    world.dismiss(CHANGED)
    world.pay((invoice, "40.00"))

    world.cycle()

    assert world.state(invoice).status == "partially_applied"
    assert world.cycle().outcome == "succeeded"
    assert world.titles() == []


def test_payments_and_status_are_no_change(world) -> None:
    invoice = world.exported(10_000)
    world.pay((invoice, "100.00"))
    world.cycle()

    world.cycle()

    assert world.state(invoice).status == "paid"
    assert world.titles() == []


def test_a_reopened_invoice_is_told_and_settled_by_finalizing_it_again(world) -> None:
    invoice = world.exported()
    world.do(invoices.reopen_invoice, invoice.invoice_id, today=world.today, by_sql=True)
    world.cycle()
    assert world.titles() == [REOPENED]
    assert _total_there(world) == 10_000

    world.finalize(invoice)
    world.cycle()

    assert world.titles() == []
    assert len(world.in_quickbooks(invoice)) == 1


def test_a_reopened_invoice_edited_and_finalized_again_is_a_changed_one(world) -> None:
    invoice = world.exported()
    world.do(invoices.reopen_invoice, invoice.invoice_id, today=world.today, by_sql=True)
    world.cycle()
    charge = Charge("More", 100, service_id=world.service)
    world.do(edits.add_charge, invoice.invoice_id, charge)
    world.finalize(invoice)

    world.cycle()

    assert world.titles() == [CHANGED]


def test_a_deleted_invoice_is_told_and_stays_in_quickbooks(world) -> None:
    invoice = world.exported()
    world.do(invoices.delete_invoice, invoice.invoice_id, by_sql=True)

    world.cycle()
    world.cycle()

    told = world.exception(DELETED)
    assert world.titles() == [DELETED]
    assert invoice.number in told.what_happened
    assert _total_there(world) == 10_000


@pytest.mark.parametrize("act", ["void", "bulk cancel"])
def test_a_voided_invoice_is_voided_there_too_and_no_drift(world, act) -> None:
    invoice = world.exported()
    if act == "void":
        world.do(invoices.void_invoice, invoice.invoice_id)
    else:
        world.do(invoices.bulk_cancel, [invoice.invoice_id])

    world.cycle()
    end = world.cycle()

    assert _total_there(world) == 0
    assert world.titles() == []
    assert end.health.drift == 0


def test_a_deleted_invoice_is_settled_once_voided_there_too(world) -> None:
    invoice = world.exported()
    world.do(invoices.delete_invoice, invoice.invoice_id, by_sql=True)
    world.cycle()

    world.quickbooks.void(world.company.realm, "Invoice", world.quickbooks_id(invoice))
    end = world.cycle()

    assert world.titles() == []
    assert end.health.drift == 0


def test_on_community_algapsa_itself_refuses_to_reopen_or_delete_an_exported_invoice(
    world,
) -> None:
    invoice = world.exported()

    with pytest.raises(AlgaRefusedError):
        world.do(invoices.reopen_invoice, invoice.invoice_id, today=world.today)
    with pytest.raises(AlgaRefusedError):
        world.do(invoices.delete_invoice, invoice.invoice_id)
