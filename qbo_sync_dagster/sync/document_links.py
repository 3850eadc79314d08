"""Linking documents to the objects that were created or found for them, many at once.

All of it happens in the caller's transaction, in a few statements however many there are.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import sqlalchemy as sa

from qbo_sync_dagster.domain.algapsa_records import DocumentHeader
from qbo_sync_dagster.domain.catalogue import ExceptionKind
from qbo_sync_dagster.domain.document_kinds import DocumentKind, kind_of
from qbo_sync_dagster.domain.document_view import DocumentView
from qbo_sync_dagster.domain.drift import fingerprint_at_link
from qbo_sync_dagster.domain.exception_record import ExceptionRecord
from qbo_sync_dagster.domain.totals import accepted_part, total_difference
from qbo_sync_dagster.ledger import audit, exceptions, inbox, links
from qbo_sync_dagster.quickbooks.objects import SalesDocument
from qbo_sync_dagster.sync.context import CycleContext
from qbo_sync_dagster.sync.translate import version

EXPORT_KINDS = (
    ExceptionKind.EXPORT_NOT_READY,
    ExceptionKind.EXPORT_FAILING,
    ExceptionKind.ALREADY_IN_QUICKBOOKS,
    ExceptionKind.CLOSED_PERIOD,
    ExceptionKind.ORPHAN,
)


@dataclass(frozen=True, slots=True)
class FoundDocument:
    """A document and its invoice or credit memo in QuickBooks.

    `agreed` is what was sent, where somebody may have edited the object before it was found; by
    default it is what QuickBooks shows.
    """

    header: DocumentHeader
    shown: SalesDocument
    view: DocumentView
    agreed: DocumentView | None = None
    request_id: str | None = None
    intuit_tid: str | None = None
    generation: int = 1

    @property
    def difference_minor(self) -> int:
        """What QuickBooks' total exceeds AlgaPSA's by."""
        return self.view.total_minor - self.header.exported_minor


@dataclass(frozen=True, slots=True)
class UnreadDocument:
    """A document that was created but whose answer could not be read in full."""

    kind: DocumentKind
    invoice_id: str
    quickbooks_id: str
    request_id: str
    generation: int = 1


def link_documents(
    connection: sa.Connection,
    ctx: CycleContext,
    found: Sequence[FoundDocument],
    *,
    origin: str,
) -> None:
    """Make the links of documents, compare the totals, and have their payments planned anew.

    Raises DoubleLinkError if a document or its object is linked already.
    """
    if not found:
        return
    links.add(connection, ctx.realm, [_link(ctx, each, origin) for each in found])
    audit.append(connection, ctx.realm, [_effect(each, origin) for each in found])
    _resolve_export(connection, ctx, [each.header.invoice_id for each in found])
    differences = (
        open_difference(ctx, each.header, each.shown.id, each.view.total_minor) for each in found
    )
    exceptions.raise_all(connection, ctx.realm, [record for record in differences if record])
    payments = [payment for each in found for payment in each.shown.linked_payment_ids]
    if payments:
        inbox.reopen(connection, ctx.realm, "Payment", payments, with_applied=True)


def link_unread(
    connection: sa.Connection, ctx: CycleContext, unread: Sequence[UnreadDocument]
) -> None:
    """Link what exists; what it looks like is read in the next cycle."""
    links.add(
        connection,
        ctx.realm,
        [
            links.NewLink(
                each.kind.link_kind,
                each.invoice_id,
                each.quickbooks_id,
                "exported",
                generation=each.generation,
            )
            for each in unread
        ],
    )
    effects = [
        audit.Effect(
            side="quickbooks",
            effect=f"create {each.kind.noun.lower()}",
            record=f"invoice:{each.invoice_id}",
            after={"quickbooks_id": each.quickbooks_id},
            request_id=each.request_id,
        )
        for each in unread
    ]
    audit.append(connection, ctx.realm, effects)
    _resolve_export(connection, ctx, [each.invoice_id for each in unread])


def _resolve_export(
    connection: sa.Connection, ctx: CycleContext, invoice_ids: Sequence[str]
) -> None:
    exceptions.resolve(
        connection,
        ctx.realm,
        # A document that was created anew is no longer deleted there.
        (*EXPORT_KINDS, ExceptionKind.DRIFT_GONE),
        [f"invoice:{invoice_id}" for invoice_id in invoice_ids],
        "It is in QuickBooks.",
    )


def open_difference(
    ctx: CycleContext, header: DocumentHeader, quickbooks_id: str, quickbooks_minor: int
) -> ExceptionRecord | None:
    """The exception for the difference of two totals; None without one, or if it is accepted."""
    difference = quickbooks_minor - header.exported_minor
    if not difference or accepted_part(difference, ctx.connection.accepted_cents):
        return None
    return total_difference(header, quickbooks_id, quickbooks_minor)


def _link(ctx: CycleContext, found: FoundDocument, origin: str) -> links.NewLink:
    view = found.view.as_json()
    return links.NewLink(
        kind=kind_of(found.header).link_kind,
        algapsa_id=found.header.invoice_id,
        quickbooks_id=found.shown.id,
        origin=origin,
        snapshot=found.agreed.as_json() if found.agreed else view,
        shown=view,
        fingerprint=(
            fingerprint_at_link(found.header) if origin == "imported" else found.header.fingerprint
        ),
        sync_token=version(found.shown.sync_token),
        generation=found.generation,
        payment_ids=found.shown.linked_payment_ids,
        difference_minor=found.difference_minor,
        accepted_minor=accepted_part(found.difference_minor, ctx.connection.accepted_cents),
    )


def _effect(found: FoundDocument, origin: str) -> audit.Effect:
    noun = kind_of(found.header).noun.lower()
    return audit.Effect(
        side="quickbooks" if origin == "exported" else "ledger",
        effect=f"create {noun}" if origin == "exported" else f"adopt {noun}",
        record=f"invoice:{found.header.invoice_id}",
        after={"quickbooks_id": found.shown.id, "document": found.view.as_json()},
        request_id=found.request_id,
        intuit_tid=found.intuit_tid,
    )
