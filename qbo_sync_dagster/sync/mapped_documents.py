"""Stage 4: documents that AlgaPSA itself booked in QuickBooks, linked after a look at the object.

AlgaPSA's own engine, or an earlier tool, left its mappings. What they name is never created again;
what they name wrongly stays an exception.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

import sqlalchemy as sa

from qbo_sync_dagster.domain.algapsa_records import DocumentHeader
from qbo_sync_dagster.domain.catalogue import ExceptionKind
from qbo_sync_dagster.domain.document_view import LIVE
from qbo_sync_dagster.domain.eligibility import is_mapped_here
from qbo_sync_dagster.domain.errors import DomainError
from qbo_sync_dagster.ledger import exceptions, links
from qbo_sync_dagster.quickbooks.answers import RawObject
from qbo_sync_dagster.quickbooks.objects import parse_invoice
from qbo_sync_dagster.sync.context import CycleContext
from qbo_sync_dagster.sync.document_links import FoundDocument, link_documents
from qbo_sync_dagster.sync.outbound import load_scope
from qbo_sync_dagster.sync.translate import document_view


def import_mappings(ctx: CycleContext, headers: Iterable[DocumentHeader]) -> int:
    """Link the documents whose mapping names a live invoice; returns how many.

    Asks QuickBooks only about mappings that nobody was told of yet. Raises the gateway's errors.
    """
    mapped = [header for header in headers if header.mapped_by_algapsa]
    if not mapped:
        return 0
    with ctx.reading() as connection:
        wanted = _wanted(ctx, connection, mapped)
    if not wanted:
        return 0
    hits = ctx.quickbooks.query_in("Invoice", "Id", sorted(wanted))
    found = [each for hit in hits if (each := _found(hit, wanted))]
    with ctx.ledger() as connection:
        ids = [each.header.invoice_id for each in found]
        ours = links.set_home(connection, ctx.connection.tenant, ctx.realm, ids)
        found = [each for each in found if each.header.invoice_id in ours]
        link_documents(connection, ctx, found, origin="imported")
    return len(found)


def _wanted(
    ctx: CycleContext, connection: sa.Connection, mapped: Sequence[DocumentHeader]
) -> dict[str, DocumentHeader]:
    """The documents to link, by QuickBooks id."""
    scope = load_scope(ctx, connection)
    taken = set(links.ids(connection, ctx.realm, "invoice").values())
    kinds = [ExceptionKind.ALREADY_IN_QUICKBOOKS]
    told = {each.record for each in exceptions.listed(connection, ctx.realm) if each.kind in kinds}
    told |= {record for _, record, _ in exceptions.dismissed_versions(connection, ctx.realm, kinds)}
    return {
        str(header.mapped_external_id): header
        for header in mapped
        if is_mapped_here(header, scope)
        and header.mapped_external_id not in taken
        and f"invoice:{header.invoice_id}" not in told
    }


def _found(hit: RawObject, wanted: Mapping[str, DocumentHeader]) -> FoundDocument | None:
    try:
        invoice = parse_invoice(hit.payload)
        view = document_view(invoice)
    except DomainError:
        return None
    return FoundDocument(wanted[hit.id], invoice, view) if view.state == LIVE else None
