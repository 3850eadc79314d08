"""`qbo-sync invoices` and `qbo-sync sync-invoice`: how invoices stand, and one exported now."""

from __future__ import annotations

from typing import Annotated

import typer

from qbo_sync_dagster.cli.ending import EXIT_CODE, EndAskedError, orderly_end
from qbo_sync_dagster.cli.opening import opened_engine
from qbo_sync_dagster.cli.output import (
    JsonFlag,
    answer,
    answer_json,
    complain,
    working,
)
from qbo_sync_dagster.cli.parameters import Company
from qbo_sync_dagster.domain.foreign_text import shorten
from qbo_sync_dagster.domain.invoice_sync import SyncState
from qbo_sync_dagster.domain.money import format_minor
from qbo_sync_dagster.panels.deep_links import quickbooks_app, view_in_quickbooks
from qbo_sync_dagster.sync.invoice_status import InvoiceStatus, invoice_statuses
from qbo_sync_dagster.sync.one_document import SyncedAs, sync_document


def invoices(
    company: Company,
    state: Annotated[
        SyncState | None, typer.Option(help="Only invoices in this state.", show_default=False)
    ] = None,
    as_json: JsonFlag = False,
) -> None:
    """Show every finalized invoice and credit note with its state of synchronisation."""
    with opened_engine() as engine:
        app = quickbooks_app(engine.config.quickbooks.api_base_url)
        found = [
            row for row in invoice_statuses(engine, company) if state is None or row.state is state
        ]
    if as_json:
        answer_json({"invoices": [_record(row, app) for row in found]})
    elif not found:
        answer("No such invoices.")
    else:
        _show(found)


def sync_invoice(
    company: Company,
    invoice: Annotated[str, typer.Argument(help="The invoice's number, or its id in AlgaPSA.")],
    as_json: JsonFlag = False,
) -> None:
    """Sync to QuickBooks: export one invoice now instead of waiting for the next cycle.

    Under the same protections as a cycle. Ends with exit code 1 if it was not exported.
    """
    try:
        with orderly_end(), opened_engine() as engine, working("Talking to both sides ..."):
            done = sync_document(engine, company, invoice)
    except EndAskedError as error:
        complain("The export was ended. The next cycle goes on where it stopped.")
        raise typer.Exit(EXIT_CODE) from error
    succeeded = done.outcome in (SyncedAs.SYNCED, SyncedAs.ALREADY)
    if as_json:
        answer_json(done)
    elif succeeded:
        answer(done.sentence)
    else:
        complain(done.sentence)
    if not succeeded:
        raise typer.Exit(1)


def _record(row: InvoiceStatus, app: str | None) -> dict[str, object]:
    return {
        "invoice_id": row.invoice_id,
        "number": row.number,
        "client": row.client,
        "date": row.date,
        "total": format_minor(row.total_minor),
        "currency": row.currency,
        "state": str(row.state),
        "quickbooks_id": row.quickbooks_id or None,
        "quickbooks_number": row.quickbooks_number or None,
        "view_in_quickbooks": view_in_quickbooks(app, row.link_kind, row.quickbooks_id),
        "last_sync": row.last_sync,
        "note": row.note,
    }


def _show(found: list[InvoiceStatus]) -> None:
    """A line each, with its note below: a table of so many columns breaks every number and word."""
    lines = [
        (row.number, str(row.date), _total(row), _state(row), shorten(row.client, 60))
        for row in found
    ]
    number, day, total, state, _ = (max(map(len, column)) for column in zip(*lines, strict=True))
    for row, (its, on, amount, stands, client) in zip(found, lines, strict=True):
        answer(f"{its:<{number}}  {on:<{day}}  {amount:>{total}}  {stands:<{state}}  {client}")
        if row.note:
            answer(f"{'':<{number}}  {row.note}")


def _total(row: InvoiceStatus) -> str:
    return f"{format_minor(row.total_minor)} {row.currency}"


def _state(row: InvoiceStatus) -> str:
    """The state, with QuickBooks' number where that is another one."""
    there = row.quickbooks_number or (row.quickbooks_id and f"id {row.quickbooks_id}")
    return f"{row.state} as {there}" if there and there != row.number else str(row.state)
