"""Names for the ids in a document's difference: people know their customers, not QuickBooks' ids.

Local, no calls: what linked records are called in AlgaPSA, and what QuickBooks called others when
it last delivered the document.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import sqlalchemy as sa

from qbo_sync_dagster.domain.document_kinds import BY_LINK_KIND
from qbo_sync_dagster.domain.document_view import Names
from qbo_sync_dagster.ledger import inbox, links
from qbo_sync_dagster.ledger.payment_links import PaymentLink
from qbo_sync_dagster.sync.context import CycleContext


def names_shown(
    ctx: CycleContext, connection: sa.Connection, documents: Sequence[links.Link]
) -> Names:
    """The names of the customers, items and classes that these documents may show, by id."""
    payloads = list(_delivered(ctx, connection, documents))
    clients = {client.client_id: client.name for client in ctx.algapsa.clients()}
    services = {service.service_id: service.name for service in ctx.algapsa.services()}
    return Names(
        customers=_linked(connection, ctx.realm, "client", clients)
        | _named(payload.get("CustomerRef") for payload in payloads),
        items=_linked(connection, ctx.realm, "service", services)
        | _named(detail.get("ItemRef") for detail in _details(payloads)),
        classes=_named(detail.get("ClassRef") for detail in _details(payloads)),
    )


def names_on_payments(
    ctx: CycleContext, connection: sa.Connection, payments: Sequence[PaymentLink]
) -> Names:
    """What the customers and invoices of these pushed payments are called, by QuickBooks id.

    Invoices are named by AlgaPSA's id too: a payment that stands unapplied shows none.
    """
    views = [view for link in payments for view in (link.snapshot, link.shown) if view]
    shown = {invoice for view in views for invoice in view.get("lines", ())}
    own = {link.invoice_id for link in payments if link.invoice_id}
    linked = [
        *links.by_quickbooks_id(connection, ctx.realm, "invoice", shown).values(),
        *links.by_algapsa_id(connection, ctx.realm, "invoice", own).values(),
    ]
    clients = {client.client_id: client.name for client in ctx.algapsa.clients()}
    return Names(
        customers=_linked(connection, ctx.realm, "client", clients),
        invoices={
            identity: str(number)
            for link in linked
            if (number := (link.snapshot or link.shown or {}).get("number"))
            for identity in (link.quickbooks_id, link.algapsa_id)
        },
    )


def _delivered(
    ctx: CycleContext, connection: sa.Connection, documents: Sequence[links.Link]
) -> Iterable[Mapping[str, Any]]:
    for link_kind, kind in BY_LINK_KIND.items():
        ids = [link.quickbooks_id for link in documents if link.kind == link_kind]
        if ids:
            newest = inbox.newest(connection, ctx.realm, kind.entity, ids)
            yield from (change.payload for change in newest.values())


def _linked(
    connection: sa.Connection, realm: str, kind: str, names: Mapping[str, str]
) -> dict[str, str]:
    return {
        object_id: names[record_id]
        for record_id, object_id in links.ids(connection, realm, kind).items()
        if record_id in names
    }


def _details(payloads: Iterable[Mapping[str, Any]]) -> Iterable[Mapping[str, Any]]:
    for payload in payloads:
        for line in payload.get("Line") or ():
            detail = line.get("SalesItemLineDetail") if isinstance(line, dict) else None
            if isinstance(detail, dict):
                yield detail


def _named(references: Iterable[object]) -> dict[str, str]:
    return {
        str(reference["value"]): str(reference["name"])
        for reference in references
        if isinstance(reference, dict) and reference.get("value") and reference.get("name")
    }
