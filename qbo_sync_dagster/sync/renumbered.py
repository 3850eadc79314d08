"""Stage 2: arrived invoices that are ours although they bear another number.

After a ledger was restored nothing remembers the send, and somebody may have renumbered the
invoice since: without this it would be created a second time. It is recognised by customer, total,
date and every line; its number then shows as drift.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from itertools import chain

from qbo_sync_dagster.domain.algapsa_records import DocumentHeader
from qbo_sync_dagster.domain.document_kinds import DOCUMENT_KINDS, DocumentKind, kind_of
from qbo_sync_dagster.domain.document_view import LIVE, DocumentView, iso
from qbo_sync_dagster.domain.eligibility import may_be_recognised
from qbo_sync_dagster.domain.errors import DomainError
from qbo_sync_dagster.domain.export import NotReady, prepare_export
from qbo_sync_dagster.domain.identity import DocumentIdentity, find_documents
from qbo_sync_dagster.domain.re_dating import booked_on, re_dated
from qbo_sync_dagster.ledger import inbox, links
from qbo_sync_dagster.quickbooks.objects import SalesDocument, parse_document
from qbo_sync_dagster.sync import adoption
from qbo_sync_dagster.sync.chosen_days import chosen_days
from qbo_sync_dagster.sync.context import CycleContext
from qbo_sync_dagster.sync.references import load_references
from qbo_sync_dagster.sync.translate import document_view, identity
from qbo_sync_dagster.sync.unlinked import unlinked_by_number, unlinked_headers
from qbo_sync_dagster.sync.unsettled import unsettled_pages


@dataclass(frozen=True, slots=True)
class _Arrived:
    """An unlinked live document of the inbox."""

    change_id: int
    shown: SalesDocument
    view: DocumentView


def adopt_renumbered(ctx: CycleContext) -> int:
    """Link arrived invoices that are one of the unlinked documents; returns how many.

    Those documents are gone through only if an unlinked invoice arrived, and their lines are read
    only where customer, total and date already agree.
    """
    return sum(_adopt(ctx, kind) for kind in DOCUMENT_KINDS)


def _adopt(ctx: CycleContext, kind: DocumentKind) -> int:
    arrived = _without_known_numbers(ctx, {each.shown.id: each for each in _arrived(ctx, kind)})
    sought = _alike(ctx, kind, arrived.values()) if arrived else []
    if not sought:
        return 0
    identities = dict(enumerate(_identities(ctx, sought)))
    headers = {header.invoice_id: header for header in sought}
    views = {key: each.view for key, each in arrived.items()}
    found = find_documents({key: item for key, (_, item) in identities.items()}, views)
    adopted = 0
    with ctx.ledger() as connection:
        for key, findings in found.items():
            if len(findings.own) != 1:
                continue
            each = arrived[findings.own[0]]
            header = headers[identities[key][0]]
            if adoption.adopt_if_ours(connection, ctx, header, each.shown, each.view):
                inbox.settle(connection, ctx.realm, [each.change_id], "applied")
                adopted += 1
    return adopted


def _arrived(ctx: CycleContext, kind: DocumentKind) -> Iterator[_Arrived]:
    for changes in unsettled_pages(ctx, kind.entity):
        ids = {change.object_id for change in changes}
        with ctx.reading() as connection:
            linked = links.by_quickbooks_id(connection, ctx.realm, kind.link_kind, ids)
        for change in changes:
            if change.deleted or change.object_id in linked:
                continue
            try:
                shown = parse_document(kind.entity, change.payload)
                view = document_view(shown)
            except DomainError:
                continue  # parked with its cause when the documents are applied
            if view.state == LIVE:
                yield _Arrived(change.change_id, shown, view)


def _without_known_numbers(
    ctx: CycleContext, arrived: Mapping[str, _Arrived]
) -> dict[str, _Arrived]:
    with ctx.reading() as connection:
        known = unlinked_by_number(ctx, connection, {each.view.number for each in arrived.values()})
    return {key: each for key, each in arrived.items() if each.view.number not in known}


def _alike(
    ctx: CycleContext, kind: DocumentKind, arrived: Iterable[_Arrived]
) -> list[DocumentHeader]:
    """The unlinked documents whose customer, total and date an arrived invoice has."""
    keys = {(each.view.customer_id, each.view.total_minor, each.view.date) for each in arrived}
    with ctx.reading() as connection:
        customers = links.ids(connection, ctx.realm, "client")
        days = chosen_days(connection, ctx.realm)
    return [
        header
        for header in chain.from_iterable(unlinked_headers(ctx))
        if may_be_recognised(header)
        and kind_of(header) is kind
        and (
            customers.get(header.client_id),
            header.exported_minor,
            iso(booked_on(header.invoice_date, days.get(header.invoice_id, {}))),
        )
        in keys
    ]


def _identities(
    ctx: CycleContext, headers: Iterable[DocumentHeader]
) -> Iterable[tuple[str, DocumentIdentity]]:
    documents = ctx.algapsa.documents([header.invoice_id for header in headers])
    clients = {client.client_id: client for client in ctx.algapsa.clients()}
    references = load_references(ctx)
    with ctx.reading() as connection:
        days = chosen_days(connection, ctx.realm, list(documents))
    for invoice_id, document in documents.items():
        client = clients.get(document.header.client_id)
        prepared = prepare_export(document, client, references)
        if not isinstance(prepared, NotReady):
            yield invoice_id, identity(re_dated(prepared, days.get(invoice_id, {})))
