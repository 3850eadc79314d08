"""The state of each invoice as staff see it."""

from __future__ import annotations

from datetime import timedelta

import sqlalchemy as sa

from qbo_sync_dagster.actions.batch_file import write_batch
from qbo_sync_dagster.actions.cases import Choice
from qbo_sync_dagster.actions.resolving import Resolution, resolve
from qbo_sync_dagster.domain.batch_selection import BatchSelection
from qbo_sync_dagster.domain.catalogue import Action
from qbo_sync_dagster.panels.invoices import invoices_page, invoices_panel
from qbo_sync_dagster.sandbox.algapsa import invoices
from qbo_sync_dagster.sync.invoice_status import InvoiceStatus, invoice_statuses


def statuses(world) -> dict[str, InvoiceStatus]:
    return {each.number: each for each in invoice_statuses(world.engine, world.company.realm)}


def states(world) -> dict[str, str]:
    return {number: str(each.state) for number, each in statuses(world).items()}


def test_a_finalized_invoice_is_not_synced_then_synced_with_its_object(world) -> None:
    invoice = world.invoice(12_300)
    assert states(world) == {invoice.number: "not synced"}

    world.cycle()

    [row] = statuses(world).values()
    assert row.state == "synced"
    assert row.quickbooks_id == world.quickbooks_id(invoice)
    assert row.quickbooks_number == invoice.number
    assert row.last_sync is not None
    assert (row.client, row.total_minor, row.note) == ("Quarry Lane Dental", 12_300, "")


def test_drafts_are_not_listed(world) -> None:
    world.draft()

    assert states(world) == {}


def test_what_needs_a_person_says_why(world) -> None:
    invoice = world.invoice()
    world.in_ledger("DELETE FROM links WHERE kind = 'service'")

    world.cycle()

    row = statuses(world)[invoice.number]
    assert row.state == "error"
    assert row.note == "Scheduled accounting export failed validation"


def test_what_was_changed_in_quickbooks_drifts(world) -> None:
    invoice = world.exported()
    world.quickbooks.edit(
        world.company.realm, "Invoice", world.quickbooks_id(invoice), DueDate="2031-01-01"
    )

    world.cycle()

    assert states(world) == {invoice.number: "drift"}


def test_what_waits_for_quickbooks_is_queued(world) -> None:
    invoice = world.invoice()
    world.quickbooks.fault("503", realm=world.company.realm, kind="create", times=50)
    world.quickbooks.fault("503", realm=world.company.realm, kind="batch", times=50)

    world.cycle()

    assert states(world) == {invoice.number: "queued"}


def test_an_invoice_cancelled_before_it_was_exported_is_voided(world) -> None:
    invoice = world.invoice()
    world.do(invoices.bulk_cancel, [invoice.invoice_id])

    world.cycle()

    assert states(world) == {invoice.number: "voided"}


def test_the_page_opens_invoice_and_credit_memo_at_the_right_host_and_page(world) -> None:
    invoice = world.exported()

    rows = invoice_statuses(world.engine, world.company.realm)
    page = invoices_page(rows, "https://app.sandbox.qbo.intuit.com/app")
    panel = invoices_panel("Cedar Ridge IT", rows, None)

    quickbooks_id = world.quickbooks_id(invoice)
    assert f"https://app.sandbox.qbo.intuit.com/app/invoice?txnId={quickbooks_id}" in page
    assert panel["synced"] == 1


def test_what_is_not_synced_says_why(world) -> None:
    world.configure(state="disconnected")
    written = world.invoice()
    write_batch(
        world.engine, world.company.realm, BatchSelection(numbers={written.number}), "Ada Fern"
    )
    waiting = world.invoice()
    old = world.invoice(day=world.today - timedelta(days=60))
    with world.owner.begin() as connection:
        finalized = sa.text("UPDATE invoices SET finalized_at = :at WHERE invoice_id = :id")
        past = world.engine.now() - timedelta(days=60)
        connection.execute(finalized, {"at": past, "id": old.invoice_id})

    notes = {number: each.note for number, each in statuses(world).items()}
    world.configure(state="connected")
    connected = statuses(world)[waiting.number].note

    assert "a file took it" in notes[written.number]
    assert "not connected" in notes[waiting.number]
    assert "before go-live" in notes[old.number]
    assert connected == "the next cycle sends it"


def test_an_invoice_whose_exception_was_dismissed_says_so(world) -> None:
    invoice = world.invoice()
    world.in_ledger("DELETE FROM links WHERE kind = 'service'")
    world.cycle()
    [raised] = world.open()
    choice = Choice(raised.number, "Ada Fern", "billed by hand")
    resolve(world.engine, Resolution(Action.DISMISS, choice))

    row = statuses(world)[invoice.number]

    assert (row.state, row.note) == ("not synced", "its exception was dismissed, so it is not sent")
