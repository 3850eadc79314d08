"""Linked documents that are about to be changed in QuickBooks: read afresh, and recorded after.

What belongs here: what updates and voids have in common, also when the answer comes from a later
read. What does not: when one is sent (voids_out, updates_out).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import sqlalchemy as sa

from qbo_sync_dagster.domain.algapsa_records import DocumentHeader
from qbo_sync_dagster.domain.catalogue import ExceptionKind
from qbo_sync_dagster.domain.document_changes import WITHDRAWN
from qbo_sync_dagster.domain.document_kinds import BY_LINK_KIND, DOCUMENT_KINDS, DocumentKind
from qbo_sync_dagster.domain.document_view import DELETED, VOIDED, DocumentView
from qbo_sync_dagster.domain.money import to_minor
from qbo_sync_dagster.domain.totals import accepted_part
from qbo_sync_dagster.ledger import audit, exceptions, inbox, links, operations
from qbo_sync_dagster.quickbooks.answers import RawObject
from qbo_sync_dagster.quickbooks.objects import SalesDocument, parse_document
from qbo_sync_dagster.sync.context import CycleContext
from qbo_sync_dagster.sync.document_links import EXPORT_KINDS, open_difference
from qbo_sync_dagster.sync.translate import document_view, version

# What a confirmed write settles, whichever side had differed.
SETTLED_KINDS = (
    *EXPORT_KINDS,
    ExceptionKind.TOTAL_DIFFERENCE,
    ExceptionKind.DRIFT_CHANGED,
    ExceptionKind.DRIFT_GONE,
    ExceptionKind.CHANGED_IN_ALGAPSA,
    ExceptionKind.REOPENED_IN_ALGAPSA,
    ExceptionKind.DELETED_IN_ALGAPSA,
    ExceptionKind.VOIDED_IN_ALGAPSA,
    ExceptionKind.VOID_FAILING,
)


@dataclass(frozen=True, slots=True)
class Now:
    """A linked object as it was just read; `document` is None if it was deleted."""

    document: SalesDocument | None
    view: DocumentView

    @property
    def applied_minor(self) -> int:
        """What is applied to it, or used of it, in minor units."""
        document = self.document
        return to_minor(document.total - document.balance) if document else 0

    @property
    def reference(self) -> dict[str, str]:
        """What a write names it by: its Id, and the token of this very read."""
        document = self.document
        return {"Id": document.id, "SyncToken": document.sync_token} if document else {}


def kind_of_link(link: links.Link) -> DocumentKind:
    """Whether the link is an invoice's or a credit note's."""
    return BY_LINK_KIND[link.kind]


def shown_of(link: links.Link) -> DocumentView:
    """What QuickBooks showed of it last."""
    return DocumentView.from_json(link.shown or link.snapshot or {})


def agreed_of(link: links.Link) -> DocumentView:
    """What both sides agreed on last."""
    return DocumentView.from_json(link.snapshot or link.shown or {})


def seen_by_staff(operation: operations.Operation) -> DocumentView | None:
    """The version that staff saw when they filed this; None for what the engine filed itself."""
    shown = operation.detail.get("shown")
    return DocumentView.from_json(shown) if shown else None


def read_objects(
    ctx: CycleContext, wanted: Sequence[links.Link]
) -> Mapping[tuple[str, str], RawObject]:
    """The objects of these links, by entity and id, in one query per entity.

    Deleted ones are missing. Raises the gateway's errors.
    """
    found: dict[tuple[str, str], RawObject] = {}
    for kind in DOCUMENT_KINDS:
        ids = sorted({link.quickbooks_id for link in wanted if link.kind == kind.link_kind})
        if ids:
            found |= {
                (kind.entity, item.id): item
                for item in ctx.quickbooks.query_in(kind.entity, "Id", ids)
            }
    return found


def now(link: links.Link, raw: RawObject | None) -> Now:
    """The object as it stands. Raises MalformedObjectError and MoneyError."""
    if raw is None or raw.deleted:
        return Now(None, agreed_of(link).gone(DELETED))
    document = parse_document(raw.entity, raw.payload)
    view = document_view(document)
    return Now(document, agreed_of(link).gone(VOIDED) if view.state == VOIDED else view)


def show_now(connection: sa.Connection, link: links.Link, found: Now) -> None:
    """Remember what the object shows, so that the next look for drift judges it."""
    document = found.document
    token = version(document.sync_token) if document else link.sync_token or 0
    payments = document.linked_payment_ids if document else ()
    links.show(
        connection, [links.Shown(link.link_id, found.view.as_json(), token, tuple(payments))]
    )


def withdrawn(
    connection: sa.Connection,
    ctx: CycleContext,
    link: links.Link,
    found: Now,
    *,
    effect: str,
    lives_on: bool = False,
    request_id: str | None = None,
    intuit_tid: str | None = None,
) -> None:
    """The document was voided or deleted by us: both sides agree that it is gone.

    Unless it `lives_on` in AlgaPSA, where it was changed: then that stays open.
    """
    document = found.document
    view = agreed_of(link).gone(found.view.state).as_json()
    links.update(
        connection,
        link.link_id,
        snapshot=view,
        shown=view,
        fingerprint=WITHDRAWN,
        sync_token=version(document.sync_token) if document else link.sync_token,
        payment_ids=[],
        drift=None,
        difference_minor=0,
        accepted_minor=0,
    )
    told = audit.Effect(
        side="quickbooks" if request_id else "ledger",
        effect=f"{effect} {kind_of_link(link).noun.lower()}",
        record=f"invoice:{link.algapsa_id}",
        before=link.shown,
        after=view,
        request_id=request_id,
        intuit_tid=intuit_tid,
    )
    audit.append(connection, ctx.realm, [told])
    record, reason = f"invoice:{link.algapsa_id}", "It is voided on both sides."
    settled = [
        kind
        for kind in SETTLED_KINDS
        if not (lives_on and kind is ExceptionKind.CHANGED_IN_ALGAPSA)
    ]
    exceptions.resolve(connection, ctx.realm, settled, [record], reason)


def updated(
    connection: sa.Connection,
    ctx: CycleContext,
    link: links.Link,
    header: DocumentHeader,
    document: SalesDocument,
    *,
    request_id: str,
    intuit_tid: str | None = None,
) -> None:
    """The document stands in QuickBooks as AlgaPSA has it: what both sides agree on from now."""
    view = document_view(document)
    difference = view.total_minor - header.exported_minor
    links.update(
        connection,
        link.link_id,
        snapshot=view.as_json(),
        shown=view.as_json(),
        fingerprint=header.fingerprint,
        sync_token=version(document.sync_token),
        payment_ids=list(document.linked_payment_ids),
        drift=None,
        difference_minor=difference,
        accepted_minor=accepted_part(difference, ctx.connection.accepted_cents),
    )
    told = audit.Effect(
        side="quickbooks",
        effect=f"update {kind_of_link(link).noun.lower()}",
        record=f"invoice:{link.algapsa_id}",
        before=link.shown,
        after=view.as_json(),
        request_id=request_id,
        intuit_tid=intuit_tid,
    )
    audit.append(connection, ctx.realm, [told])
    settle_exceptions(connection, ctx, [link.algapsa_id], "QuickBooks shows AlgaPSA's version.")
    open_one = open_difference(ctx, header, document.id, view.total_minor)
    if open_one:
        exceptions.raise_all(connection, ctx.realm, [open_one])
    inbox.reopen(connection, ctx.realm, "Payment", document.linked_payment_ids)


def settle_exceptions(
    connection: sa.Connection, ctx: CycleContext, invoice_ids: Iterable[str], reason: str
) -> None:
    """Close what stood open about these documents."""
    records = [f"invoice:{invoice_id}" for invoice_id in invoice_ids]
    exceptions.resolve(connection, ctx.realm, SETTLED_KINDS, records, reason)
