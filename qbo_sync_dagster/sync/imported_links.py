"""Stage 2: documents linked by import, whose object nobody has read yet.

What is read becomes what both sides agree on; the two totals are compared, and the payments that
the invoice shows are planned anew.
"""

from __future__ import annotations

from collections.abc import Mapping

import sqlalchemy as sa

from qbo_sync_dagster.domain.algapsa_records import DocumentHeader
from qbo_sync_dagster.domain.catalogue import ExceptionKind
from qbo_sync_dagster.domain.document_kinds import BY_LINK_KIND, DOCUMENT_KINDS
from qbo_sync_dagster.domain.document_view import DELETED, LIVE, DocumentView, iso
from qbo_sync_dagster.domain.drift import fingerprint_at_link
from qbo_sync_dagster.domain.errors import DomainError
from qbo_sync_dagster.domain.exception_record import ExceptionRecord, RecordReference
from qbo_sync_dagster.domain.totals import accepted_part
from qbo_sync_dagster.ledger import exceptions, inbox, links
from qbo_sync_dagster.quickbooks.answers import RawObject
from qbo_sync_dagster.quickbooks.objects import SalesDocument, parse_document
from qbo_sync_dagster.sync.context import CycleContext
from qbo_sync_dagster.sync.document_links import open_difference
from qbo_sync_dagster.sync.translate import document_view, version

_LINKS_A_TRANSACTION = 200


def read_imported_links(ctx: CycleContext) -> int:
    """Read and complete the links that have no snapshot; returns how many."""
    with ctx.reading() as connection:
        unread = links.incomplete(connection, ctx.realm)
    if not unread:
        return 0
    found = {
        (kind.link_kind, item.id): item
        for kind in DOCUMENT_KINDS
        if (ids := sorted({x.quickbooks_id for x in unread if x.kind == kind.link_kind}))
        for item in ctx.quickbooks.query_in(kind.entity, "Id", ids)
    }
    algapsa_ids = [link.algapsa_id for link in unread]
    headers = {header.invoice_id: header for header in ctx.algapsa.document_headers(algapsa_ids)}
    for start in range(0, len(unread), _LINKS_A_TRANSACTION):
        with ctx.ledger() as connection:
            for link in unread[start : start + _LINKS_A_TRANSACTION]:
                _complete(ctx, connection, link, found, headers)
    return len(unread)


def _complete(
    ctx: CycleContext,
    connection: sa.Connection,
    link: links.Link,
    found: Mapping[tuple[str, str], RawObject],
    headers: Mapping[str, DocumentHeader],
) -> None:
    header = headers.get(link.algapsa_id)
    raw = found.get((link.kind, link.quickbooks_id))
    if raw is None:
        _without_object(connection, link, header)
        return
    try:
        shown = parse_document(raw.entity, raw.payload)
        view = document_view(shown)
    except DomainError as error:
        exceptions.raise_all(connection, ctx.realm, [_unreadable(link, str(error))])
        return
    if header is None:
        _without_invoice(connection, link, shown, view)
        return
    agreed = view if view.state == LIVE else _expected(header)
    difference = view.total_minor - header.exported_minor if view.state == LIVE else 0
    links.update(
        connection,
        link.link_id,
        snapshot=agreed.as_json(),
        shown=view.as_json(),
        fingerprint=fingerprint_at_link(header),
        sync_token=version(shown.sync_token),
        payment_ids=list(shown.linked_payment_ids),
        difference_minor=difference,
        accepted_minor=accepted_part(difference, ctx.connection.accepted_cents),
    )
    if view.state == LIVE:
        difference_record = open_difference(ctx, header, shown.id, view.total_minor)
        if difference_record:
            exceptions.raise_all(connection, ctx.realm, [difference_record])
    payments = shown.linked_payment_ids
    inbox.reopen(connection, ctx.realm, "Payment", payments, with_applied=True)
    exceptions.resolve(
        connection,
        ctx.realm,
        [ExceptionKind.UNREADABLE_CHANGE],
        [_object(link)],
        "The linked invoice can be read.",
    )


def _without_invoice(
    connection: sa.Connection, link: links.Link, shown: SalesDocument, view: DocumentView
) -> None:
    # With a fingerprint that no invoice has, stage 3 tells that AlgaPSA's is gone.
    links.update(
        connection,
        link.link_id,
        snapshot=view.as_json(),
        shown=view.as_json(),
        fingerprint="",
        sync_token=version(shown.sync_token),
        payment_ids=list(shown.linked_payment_ids),
    )


def _without_object(
    connection: sa.Connection, link: links.Link, header: DocumentHeader | None
) -> None:
    if header is None:
        # Gone on both sides: nothing is left that the link could stand for.
        links.update(connection, link.link_id, state="closed")
        return
    expected = _expected(header)
    links.update(
        connection,
        link.link_id,
        snapshot=expected.as_json(),
        shown=expected.gone(DELETED).as_json(),
        fingerprint=header.fingerprint,
    )


def _expected(header: DocumentHeader) -> DocumentView:
    """How AlgaPSA's invoice would look, where QuickBooks shows nothing to agree on."""
    return DocumentView(
        state=LIVE,
        number=header.number,
        customer_id="",
        currency=header.currency,
        date=iso(header.invoice_date),
        due_date="" if header.is_credit_note else iso(header.due_date),
        total_minor=header.exported_minor,
        tax_minor=0,
        lines=(),
    )


def _unreadable(link: links.Link, problem: str) -> ExceptionRecord:
    entity = BY_LINK_KIND[link.kind].entity
    label = f"{entity} {link.quickbooks_id}"
    return ExceptionRecord(
        kind=ExceptionKind.UNREADABLE_CHANGE,
        record=_object(link),
        what_happened=problem,
        references=(
            RecordReference("algapsa", "invoice", link.algapsa_id, "Linked invoice"),
            RecordReference("quickbooks", entity, link.quickbooks_id, label),
        ),
        version="import",
    )


def _object(link: links.Link) -> str:
    return f"{BY_LINK_KIND[link.kind].entity}:{link.quickbooks_id}"
