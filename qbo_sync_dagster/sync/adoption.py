"""Taking an object found in QuickBooks as the one that belongs to an AlgaPSA document.

What makes it ours is decided in `domain.identity`; here the link and the operation are brought in
line with it, in the caller's transaction.
"""

from __future__ import annotations

from dataclasses import replace

import sqlalchemy as sa

from qbo_sync_dagster.domain.algapsa_records import DocumentHeader
from qbo_sync_dagster.domain.document_kinds import EXPORTS, kind_of
from qbo_sync_dagster.domain.document_view import DocumentView, iso
from qbo_sync_dagster.domain.re_dating import booked_on
from qbo_sync_dagster.ledger import links, operations
from qbo_sync_dagster.quickbooks.objects import SalesDocument
from qbo_sync_dagster.sync.chosen_days import chosen_days
from qbo_sync_dagster.sync.context import CycleContext
from qbo_sync_dagster.sync.document_links import FoundDocument, link_documents

DUPLICATE_NUMBER = "duplicate number"
ORPHAN = "orphan"


def adopt_if_ours(
    connection: sa.Connection,
    ctx: CycleContext,
    header: DocumentHeader,
    shown: SalesDocument,
    view: DocumentView,
) -> bool:
    """Link an object with this document's number if it is of its sort and for its customer.

    Posting remembered or not: that is what makes a restored ledger recognise its own objects.
    """
    if shown.entity != kind_of(header).entity:
        return False
    customer = links.by_algapsa_id(connection, ctx.realm, "client", [header.client_id])
    if header.client_id not in customer:
        return False
    if customer[header.client_id].quickbooks_id != view.customer_id:
        return False
    if header.invoice_id in links.documents(connection, ctx.realm, [header.invoice_id]):
        return False
    if _is_in_doubt(connection, ctx, header.invoice_id):
        return False
    if not links.set_home(connection, ctx.connection.tenant, ctx.realm, [header.invoice_id]):
        return False
    chosen = chosen_days(connection, ctx.realm, [header.invoice_id]).get(header.invoice_id, {})
    day = booked_on(header.invoice_date, chosen)
    expected = replace(view, number=header.number, date=iso(day))
    generation = _generation(connection, ctx, header.invoice_id)
    found = FoundDocument(header, shown, view, agreed=expected, generation=generation)
    link_documents(connection, ctx, [found], origin="adopted")
    _close_operation(connection, ctx, header.invoice_id)
    return True


def requeue_refused_numbers(connection: sa.Connection, realm: str) -> None:
    """Look refused numbers up again: a document that is not ours was changed or deleted."""
    refused = [
        operation.operation_id
        for operation in operations.open_ones(connection, realm, EXPORTS)
        if operation.state == "errored" and operation.reason_code == DUPLICATE_NUMBER
    ]
    # Its exception stays open until the look-up, and nothing was sent: the attempt is still unused.
    operations.change(
        connection,
        refused,
        "queued",
        reason="Its number is looked up again.",
        reason_code=DUPLICATE_NUMBER,
    )


def _is_in_doubt(connection: sa.Connection, ctx: CycleContext, invoice_id: str) -> bool:
    # Settling its posting has looked at this very object and decided otherwise.
    return any(
        operation.state == "posting" or operation.reason_code == ORPHAN
        for operation in operations.of_record(connection, ctx.realm, EXPORTS, invoice_id)
    )


def _generation(connection: sa.Connection, ctx: CycleContext, invoice_id: str) -> int:
    found = operations.of_record(connection, ctx.realm, EXPORTS, invoice_id)
    return found[0].generation if found else 1


def _close_operation(connection: sa.Connection, ctx: CycleContext, invoice_id: str) -> None:
    for operation in operations.of_record(connection, ctx.realm, EXPORTS, invoice_id):
        operations.change(connection, [operation.operation_id], "done", reason="adopted")
