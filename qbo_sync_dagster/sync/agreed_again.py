"""Stage 3: documents that people changed on both sides until both say the same again.

QuickBooks then shows what AlgaPSA would send today, so nothing is left to decide. Nothing here
writes to either side.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence

import sqlalchemy as sa

from qbo_sync_dagster.domain.algapsa_records import DocumentHeader
from qbo_sync_dagster.domain.catalogue import ExceptionKind
from qbo_sync_dagster.domain.document_view import DocumentView
from qbo_sync_dagster.domain.drift import agrees, is_changed_only
from qbo_sync_dagster.domain.export import NotReady, prepare_export
from qbo_sync_dagster.domain.re_dating import re_dated
from qbo_sync_dagster.ledger import audit, exceptions, links
from qbo_sync_dagster.quickbooks.bodies import document_body
from qbo_sync_dagster.quickbooks.wire import encode_body
from qbo_sync_dagster.sync.chosen_days import chosen_days
from qbo_sync_dagster.sync.context import CycleContext
from qbo_sync_dagster.sync.references import load_references
from qbo_sync_dagster.sync.translate import sent_view


def agree_again(
    ctx: CycleContext,
    connection: sa.Connection,
    moved: Sequence[links.Link],
    headers: Mapping[str, DocumentHeader],
) -> set[int]:
    """Make what both sides show what is agreed on; returns the ids of these links.

    `moved` are links whose object differs from what was agreed; only those that differ in AlgaPSA
    as well are looked at.
    """
    both = [link for link in moved if _differs_on_both_sides(link, headers.get(link.algapsa_id))]
    agreed = list(_agreeing(ctx, connection, both)) if both else []
    for link in agreed:
        links.update(
            connection,
            link.link_id,
            snapshot=link.shown,
            fingerprint=headers[link.algapsa_id].fingerprint,
            difference_minor=0,
            accepted_minor=0,
            drift=None,
        )
    _tell(ctx, connection, agreed)
    return {link.link_id for link in agreed}


def _differs_on_both_sides(link: links.Link, header: DocumentHeader | None) -> bool:
    return link.shown is not None and is_changed_only(link.fingerprint or "", header)


def _agreeing(
    ctx: CycleContext, connection: sa.Connection, both: Iterable[links.Link]
) -> Iterator[links.Link]:
    by_invoice = {link.algapsa_id: link for link in both}
    clients = {client.client_id: client for client in ctx.algapsa.clients()}
    references = load_references(ctx)
    days = chosen_days(connection, ctx.realm, list(by_invoice))
    for invoice_id, document in ctx.algapsa.documents(list(by_invoice)).items():
        link = by_invoice[invoice_id]
        wanted = prepare_export(document, clients.get(document.header.client_id), references)
        if isinstance(wanted, NotReady):
            continue
        wanted = re_dated(wanted, days.get(invoice_id, {}))
        shown = DocumentView.from_json(link.shown or {})
        if agrees(wanted, sent_view(encode_body(document_body(wanted)), shown), shown):
            yield link


def _tell(ctx: CycleContext, connection: sa.Connection, agreed: Sequence[links.Link]) -> None:
    records = [f"invoice:{link.algapsa_id}" for link in agreed]
    exceptions.resolve(
        connection,
        ctx.realm,
        [ExceptionKind.TOTAL_DIFFERENCE],
        records,
        "Both sides were changed to say the same.",
    )
    effects = [
        audit.Effect("ledger", "agreed again", record, link.snapshot, link.shown)
        for record, link in zip(records, agreed, strict=True)
    ]
    if effects:
        audit.append(connection, ctx.realm, effects)
