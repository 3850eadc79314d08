"""Stage 4: documents that AlgaPSA itself booked in QuickBooks, linked after a look at the object.

AlgaPSA's own engine, or an earlier tool, left its mappings. What they name is never created again;
what they name wrongly stays an exception.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import sqlalchemy as sa

from qbo_sync_dagster.domain.algapsa_records import DocumentHeader
from qbo_sync_dagster.domain.catalogue import ExceptionKind
from qbo_sync_dagster.domain.document_kinds import DOCUMENT_KINDS, kind_of
from qbo_sync_dagster.domain.document_view import LIVE
from qbo_sync_dagster.domain.eligibility import is_mapped_here
from qbo_sync_dagster.domain.errors import DomainError
from qbo_sync_dagster.ledger import exceptions, links
from qbo_sync_dagster.quickbooks.answers import RawObject
from qbo_sync_dagster.quickbooks.objects import parse_document
from qbo_sync_dagster.sync.context import CycleContext
from qbo_sync_dagster.sync.document_links import FoundDocument, link_documents
from qbo_sync_dagster.sync.outbound import load_scope
from qbo_sync_dagster.sync.translate import document_view
from qbo_sync_dagster.sync.unlinked import export_scope


def import_mappings(ctx: CycleContext) -> int:
    """Link the documents whose mapping names a live invoice; returns how many.

    Asks QuickBooks only about mappings that nobody was told of yet. Raises the gateway's errors.
    """
    told: set[str] | None = None
    linked = 0
    for ids in ctx.algapsa.mapped_ids_in_scope(export_scope(ctx)):
        told = _told(ctx) if told is None else told
        untold = [each for each in ids if f"invoice:{each}" not in told]
        linked += _import(ctx, ctx.algapsa.document_headers(untold)) if untold else 0
    return linked


def _told(ctx: CycleContext) -> set[str]:
    """The records of mappings that stand, or were judged, under an exception."""
    kinds = [ExceptionKind.ALREADY_IN_QUICKBOOKS]
    with ctx.reading() as connection:
        listed = exceptions.listed(connection, ctx.realm)
        dismissed = exceptions.dismissed_versions(connection, ctx.realm, kinds)
    return {each.record for each in listed if each.kind in kinds} | {
        record for _, record, _ in dismissed
    }


def _import(ctx: CycleContext, mapped: Sequence[DocumentHeader]) -> int:
    with ctx.reading() as connection:
        wanted = _wanted(ctx, connection, mapped)
    if not wanted:
        return 0
    found = []
    for kind in DOCUMENT_KINDS:
        named = {key: each for key, each in wanted.items() if kind_of(each) is kind}
        hits = ctx.quickbooks.query_in(kind.entity, "Id", sorted(named)) if named else []
        found += [each for hit in hits if (each := _found(hit, named))]
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
    scope = load_scope(ctx, connection, [header.invoice_id for header in mapped])
    named = {
        str(header.mapped_external_id): header for header in mapped if is_mapped_here(header, scope)
    }
    taken = {
        key
        for kind in links.DOCUMENTS
        for key in links.by_quickbooks_id(connection, ctx.realm, kind, named)
    }
    return {key: header for key, header in named.items() if key not in taken}


def _found(hit: RawObject, wanted: Mapping[str, DocumentHeader]) -> FoundDocument | None:
    try:
        shown = parse_document(hit.entity, hit.payload)
        view = document_view(shown)
    except DomainError:
        return None
    return FoundDocument(wanted[hit.id], shown, view) if view.state == LIVE else None
