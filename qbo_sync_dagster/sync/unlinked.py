"""AlgaPSA's documents that may be exported and have no object yet, read in bulk and in pages."""

from __future__ import annotations

from collections.abc import Collection, Iterator

import sqlalchemy as sa

from qbo_sync_dagster.algapsa.headers import ExportScope
from qbo_sync_dagster.domain.algapsa_records import DocumentHeader
from qbo_sync_dagster.domain.eligibility import connect_day
from qbo_sync_dagster.ledger import connections, links
from qbo_sync_dagster.sync.context import CycleContext

# Documents judged at once: their headers are all that memory holds.
PAGE = 1000


def export_scope(ctx: CycleContext) -> ExportScope:
    """Which of AlgaPSA's documents are looked at."""
    company = ctx.connection
    return ExportScope(
        dated_from=company.go_live_date,
        finalized_from=connect_day(company.connected_at, company.time_zone),
    )


def linked_ids(
    ctx: CycleContext, connection: sa.Connection, invoice_ids: Collection[str]
) -> set[str]:
    """Those of the documents that a company of the tenant has linked, or has given up."""
    return linked_in_tenant(connection, ctx.connection.tenant, invoice_ids)


def linked_in_tenant(
    connection: sa.Connection, tenant: str, invoice_ids: Collection[str]
) -> set[str]:
    """Those of the documents that a company of this tenant has linked, or has given up."""
    realms = [other.realm for other in connections.every(connection) if other.tenant == tenant]
    return links.ever_linked(connection, realms, invoice_ids)


def unlinked_headers(ctx: CycleContext) -> Iterator[list[DocumentHeader]]:
    """The documents in scope that have no object yet, by date and number, a page at a time."""
    for ids in ctx.algapsa.ids_in_scope(export_scope(ctx), PAGE):
        with ctx.reading() as connection:
            linked = linked_ids(ctx, connection, ids)
        if unlinked := [invoice_id for invoice_id in ids if invoice_id not in linked]:
            yield ctx.algapsa.document_headers(unlinked)


def unlinked_by_number(
    ctx: CycleContext, connection: sa.Connection, numbers: Collection[str]
) -> dict[str, DocumentHeader]:
    """The documents in scope that have no object yet and carry one of the numbers, by number."""
    wanted = {number for number in numbers if number}
    headers = ctx.algapsa.headers_by_number(export_scope(ctx), wanted) if wanted else []
    linked = linked_ids(ctx, connection, [header.invoice_id for header in headers])
    return {header.number: header for header in headers if header.invoice_id not in linked}
