"""Taking an object found in QuickBooks as the one that belongs to an AlgaPSA document.

What makes it ours is decided in `domain.identity`; here the link, the operation and the posting
are brought in line with it, in the caller's transaction.
"""

from __future__ import annotations

from dataclasses import replace

import sqlalchemy as sa

from qbo_sync_dagster.domain.algapsa_records import DocumentHeader
from qbo_sync_dagster.domain.catalogue import ExceptionKind
from qbo_sync_dagster.domain.document_view import DocumentView, iso
from qbo_sync_dagster.domain.totals import accepted_part, total_difference
from qbo_sync_dagster.ledger import audit, exceptions, inbox, links, operations
from qbo_sync_dagster.quickbooks.objects import Invoice
from qbo_sync_dagster.sync.context import CycleContext
from qbo_sync_dagster.sync.translate import version

EXPORT_KINDS = (
    ExceptionKind.EXPORT_NOT_READY,
    ExceptionKind.EXPORT_FAILING,
    ExceptionKind.ALREADY_IN_QUICKBOOKS,
    ExceptionKind.CLOSED_PERIOD,
    ExceptionKind.ORPHAN,
)
DUPLICATE_NUMBER = "duplicate number"
ORPHAN = "orphan"


def adopt_if_ours(
    connection: sa.Connection,
    ctx: CycleContext,
    header: DocumentHeader,
    invoice: Invoice,
    view: DocumentView,
) -> bool:
    """Link an invoice with this document's number if it is for the same customer.

    Posting remembered or not: that is what makes a restored ledger recognise its own objects.
    """
    customer = links.by_algapsa_id(connection, ctx.realm, "client", [header.client_id])
    if header.client_id not in customer:
        return False
    if customer[header.client_id].quickbooks_id != view.customer_id:
        return False
    if header.invoice_id in links.by_algapsa_id(
        connection, ctx.realm, "invoice", [header.invoice_id]
    ):
        return False
    if _is_in_doubt(connection, ctx, header.invoice_id):
        return False
    if not links.set_home(connection, ctx.connection.tenant, ctx.realm, [header.invoice_id]):
        return False
    expected = replace(view, date=iso(header.invoice_date))
    link_document(connection, ctx, header, invoice, view, origin="adopted", agreed=expected)
    _close_operation(connection, ctx, header.invoice_id)
    return True


def link_document(
    connection: sa.Connection,
    ctx: CycleContext,
    header: DocumentHeader,
    invoice: Invoice,
    view: DocumentView,
    *,
    origin: str,
    agreed: DocumentView | None = None,
    request_id: str | None = None,
    intuit_tid: str | None = None,
) -> None:
    """Make the link of a document, compare both totals, and have its payments planned anew.

    `agreed` is what was sent, where somebody may have edited the object before it was found; by
    default it is what QuickBooks shows.
    """
    difference = view.total_minor - header.total_minor
    links.add(
        connection,
        ctx.realm,
        [
            links.NewLink(
                kind="invoice",
                algapsa_id=header.invoice_id,
                quickbooks_id=invoice.id,
                origin=origin,
                snapshot=(agreed or view).as_json(),
                shown=view.as_json(),
                fingerprint=header.fingerprint,
                sync_token=version(invoice.sync_token),
                payment_ids=invoice.linked_payment_ids,
                difference_minor=difference,
                accepted_minor=accepted_part(difference, ctx.connection.accepted_cents),
            )
        ],
    )
    audit.append(
        connection,
        ctx.realm,
        [
            audit.Effect(
                side="quickbooks" if origin == "exported" else "ledger",
                effect="create invoice" if origin == "exported" else "adopt invoice",
                record=f"invoice:{header.invoice_id}",
                after={"quickbooks_id": invoice.id, "document": view.as_json()},
                request_id=request_id,
                intuit_tid=intuit_tid,
            )
        ],
    )
    _settle_exceptions(connection, ctx, header, invoice.id, view)
    if invoice.linked_payment_ids:
        inbox.reopen(connection, ctx.realm, "Payment", invoice.linked_payment_ids)


def link_unread(
    connection: sa.Connection,
    ctx: CycleContext,
    invoice_id: str,
    quickbooks_id: str,
    request_id: str,
) -> None:
    """Link an invoice that was created but whose answer could not be read in full."""
    new = links.NewLink("invoice", invoice_id, quickbooks_id, "exported")
    links.add(connection, ctx.realm, [new])
    effect = audit.Effect(
        side="quickbooks",
        effect="create invoice",
        record=f"invoice:{invoice_id}",
        after={"quickbooks_id": quickbooks_id},
        request_id=request_id,
    )
    audit.append(connection, ctx.realm, [effect])


def raise_total_difference(
    connection: sa.Connection,
    ctx: CycleContext,
    header: DocumentHeader,
    quickbooks_id: str,
    quickbooks_minor: int,
) -> None:
    """Raise the difference of the two totals unless there is none or a setting accepts it."""
    difference = quickbooks_minor - header.total_minor
    if difference and not accepted_part(difference, ctx.connection.accepted_cents):
        record = total_difference(header, quickbooks_id, quickbooks_minor)
        exceptions.raise_all(connection, ctx.realm, [record])


def requeue_refused_numbers(connection: sa.Connection, realm: str) -> None:
    """Look refused numbers up again: an invoice that is not ours was changed or deleted."""
    refused = [
        operation.operation_id
        for operation in operations.open_ones(connection, realm, "export_invoice")
        if operation.state == "errored" and operation.reason_code == DUPLICATE_NUMBER
    ]
    operations.change(connection, refused, "queued", more_attempts=1)


def _settle_exceptions(
    connection: sa.Connection,
    ctx: CycleContext,
    header: DocumentHeader,
    quickbooks_id: str,
    view: DocumentView,
) -> None:
    exceptions.resolve(
        connection,
        ctx.realm,
        EXPORT_KINDS,
        [f"invoice:{header.invoice_id}"],
        f"The invoice is in QuickBooks as {view.number or quickbooks_id}.",
    )
    raise_total_difference(connection, ctx, header, quickbooks_id, view.total_minor)


def _is_in_doubt(connection: sa.Connection, ctx: CycleContext, invoice_id: str) -> bool:
    # Settling its posting has looked at this very object and decided otherwise.
    return any(
        operation.state == "posting" or operation.reason_code == ORPHAN
        for operation in operations.of_record(connection, ctx.realm, "export_invoice", invoice_id)
    )


def _close_operation(connection: sa.Connection, ctx: CycleContext, invoice_id: str) -> None:
    for operation in operations.of_record(connection, ctx.realm, "export_invoice", invoice_id):
        operations.change(connection, [operation.operation_id], "done", reason="adopted")
