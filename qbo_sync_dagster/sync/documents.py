"""Stage 2, documents: what QuickBooks now shows of our invoices, and which objects are ours.

Whether what it shows is drift is judged in stage 3. Nothing here writes to either side.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

import sqlalchemy as sa

from qbo_sync_dagster.domain.algapsa_records import DocumentHeader
from qbo_sync_dagster.domain.catalogue import ExceptionKind
from qbo_sync_dagster.domain.document_kinds import DOCUMENT_KINDS, INVOICE, DocumentKind
from qbo_sync_dagster.domain.document_view import DELETED, LIVE, DocumentView
from qbo_sync_dagster.domain.errors import DomainError
from qbo_sync_dagster.domain.totals import corrected
from qbo_sync_dagster.ledger import exceptions, inbox, links
from qbo_sync_dagster.quickbooks.objects import SalesDocument, parse_document, parse_invoice
from qbo_sync_dagster.sync import adoption
from qbo_sync_dagster.sync.context import CycleContext
from qbo_sync_dagster.sync.parking import Parking
from qbo_sync_dagster.sync.poll import deletion
from qbo_sync_dagster.sync.renumbered import adopt_renumbered
from qbo_sync_dagster.sync.translate import delivered, document_view
from qbo_sync_dagster.sync.unlinked import unlinked_by_number
from qbo_sync_dagster.sync.unsettled import unsettled_pages


@dataclass(frozen=True, slots=True)
class DocumentsApplied:
    """What became of the document changes."""

    applied: int
    known: int
    foreign: int
    parked: int

    def with_more(self, other: DocumentsApplied) -> DocumentsApplied:
        """Both counted together."""
        return DocumentsApplied(
            self.applied + other.applied,
            self.known + other.known,
            self.foreign + other.foreign,
            self.parked + other.parked,
        )


def unlinked_payments(ctx: CycleContext) -> dict[str, set[str]]:
    """Payments that linked invoices no longer show, by the invoice's QuickBooks id.

    A payment loses a line when its invoice is voided or deleted, and QuickBooks need not report
    the payment itself, so it has to be read before the invoice's change is applied.
    """
    lost: dict[str, set[str]] = {}
    for changes in unsettled_pages(ctx, "Invoice"):
        ids = {change.object_id for change in changes}
        with ctx.reading() as connection:
            shown = links.shown_payments(connection, ctx.realm, ids)
        for change in changes:
            if change.object_id in shown and change.state == "received":
                gone = shown[change.object_id] - set(_payment_ids(change))
                lost |= {change.object_id: gone} if gone else {}
    return lost


def read_payments(ctx: CycleContext, payment_ids: Collection[str]) -> None:
    """Read payments into the inbox; one that QuickBooks no longer has was deleted."""
    if not payment_ids:
        return
    wanted = sorted(payment_ids)
    found = {item.id: item for item in ctx.quickbooks.query_in("Payment", "Id", wanted)}
    read = [found.get(item) or deletion("Payment", item) for item in wanted]
    with ctx.ledger() as connection:
        inbox.refresh(connection, ctx.realm, [delivered(item) for item in read])
        inbox.supersede(connection, ctx.realm)


def _payment_ids(change: inbox.Change) -> tuple[str, ...]:
    if change.deleted:
        return ()
    try:
        return parse_invoice(change.payload).linked_payment_ids
    except DomainError:
        return ()


def apply_documents(ctx: CycleContext, unread: Collection[str] = ()) -> DocumentsApplied:
    """Apply the inbox's document changes; all local, a page in each ledger transaction.

    `unread` are invoices whose lost payments nobody could read: their changes wait, or nobody
    would ever ask for these payments again.
    """
    total = DocumentsApplied(0, 0, 0, 0)
    for kind in DOCUMENT_KINDS:
        for page in unsettled_pages(ctx, kind.entity):
            waits = unread if kind is INVOICE else ()
            changes = [change for change in page if change.object_id not in waits]
            with ctx.ledger() as connection:
                total = total.with_more(_Batch(ctx, connection, kind, changes).apply())
    return total


def adopt_documents(ctx: CycleContext) -> int:
    """Link arrived invoices and credit memos that are ours; returns how many.

    This precedes payments: on an invoice that a restored ledger does not know yet, a payment that
    stands in AlgaPSA would be taken back.
    """
    adopted = 0
    for kind in DOCUMENT_KINDS:
        for changes in unsettled_pages(ctx, kind.entity):
            with ctx.ledger() as connection:
                adopted += _Batch(ctx, connection, kind, changes).adopt()
    return adopted + adopt_renumbered(ctx)


class _Batch:
    """Some document changes, applied in one ledger transaction."""

    def __init__(
        self,
        ctx: CycleContext,
        connection: sa.Connection,
        kind: DocumentKind,
        changes: Sequence[inbox.Change],
    ) -> None:
        self._ctx = ctx
        self._kind = kind
        self._connection = connection
        self._changes = changes
        ids = {change.object_id for change in changes}
        self._linked = links.by_quickbooks_id(connection, ctx.realm, kind.link_kind, ids)
        self._parking = Parking(connection, ctx)
        self._settled: dict[str, list[int]] = {"applied": [], "known": [], "foreign": []}
        self._seen: dict[int, links.Shown] = {}

    def apply(self) -> DocumentsApplied:
        """Give every change its state."""
        for change in self._changes:
            try:
                state = self._state_of(change)
            except DomainError as error:
                self._parking.park(change, str(error))
            else:
                self._settled[state].append(change.change_id)
        links.show(self._connection, self._seen.values())
        for state, change_ids in self._settled.items():
            inbox.settle(self._connection, self._ctx.realm, change_ids, state)
        self._parking.close([f"{self._kind.entity}:{change.object_id}" for change in self._changes])
        if self._settled["foreign"]:
            adoption.requeue_refused_numbers(self._connection, self._ctx.realm)
        return DocumentsApplied(
            applied=len(self._settled["applied"]),
            known=len(self._settled["known"]),
            foreign=len(self._settled["foreign"]),
            parked=self._parking.parked,
        )

    def adopt(self) -> int:
        """Settle the changes of unlinked invoices that are ours; the others stay as they are."""
        adopted = [
            change
            for change in self._changes
            if not change.deleted and change.object_id not in self._linked
            if self._is_adopted(change)
        ]
        ids = [change.change_id for change in adopted]
        inbox.settle(self._connection, self._ctx.realm, ids, "applied")
        self._parking.close([f"{self._kind.entity}:{change.object_id}" for change in adopted])
        return len(adopted)

    def _is_adopted(self, change: inbox.Change) -> bool:
        try:
            document = parse_document(self._kind.entity, change.payload)
            return self._unlinked(document, document_view(document)) == "applied"
        except DomainError:
            return False  # parked with its cause when the documents are applied

    def _state_of(self, change: inbox.Change) -> str:
        link = self._linked.get(change.object_id)
        if change.deleted:
            return self._deleted(link)
        document = parse_document(self._kind.entity, change.payload)
        view = document_view(document)
        if link is None:
            return self._unlinked(document, view)
        return self._linked_change(link, change, document, view)

    def _deleted(self, link: links.Link | None) -> str:
        if link is None:
            return "foreign"
        self._seen[link.link_id] = links.Shown(link.link_id, _gone(link), link.sync_token or 0, ())
        return "applied"

    def _linked_change(
        self, link: links.Link, change: inbox.Change, document: SalesDocument, view: DocumentView
    ) -> str:
        if link.sync_token is not None and change.version < link.sync_token:
            return "known"
        shown = view if view.state == LIVE else _agreed(link, view).gone(view.state)
        if (
            link.sync_token == change.version
            and link.shown == shown.as_json()
            and set(link.payment_ids) == set(document.linked_payment_ids)
        ):
            return "known"
        self._close_total_difference(link, shown)
        self._seen[link.link_id] = links.Shown(
            link.link_id, shown.as_json(), change.version, document.linked_payment_ids
        )
        return "applied"

    def _close_total_difference(self, link: links.Link, shown: DocumentView) -> None:
        agreed = corrected(_agreed(link, shown), shown, link.difference_minor, link.accepted_minor)
        if agreed is None:
            return
        links.update(
            self._connection,
            link.link_id,
            snapshot=agreed.as_json(),
            difference_minor=0,
            accepted_minor=0,
        )
        exceptions.resolve(
            self._connection,
            self._ctx.realm,
            [ExceptionKind.TOTAL_DIFFERENCE],
            [f"invoice:{link.algapsa_id}"],
            "QuickBooks shows AlgaPSA's total now.",
        )

    def _unlinked(self, document: SalesDocument, view: DocumentView) -> str:
        header = self._unlinked_by_number.get(view.number) if view.number else None
        if header is None or view.state != LIVE:
            return "foreign"
        adopted = adoption.adopt_if_ours(self._connection, self._ctx, header, document, view)
        return "applied" if adopted else "foreign"

    @cached_property
    def _unlinked_by_number(self) -> Mapping[str, DocumentHeader]:
        """AlgaPSA's exportable documents that have a number of an unlinked object in hand."""
        numbers = {
            str(change.payload.get("DocNumber") or "")
            for change in self._changes
            if change.object_id not in self._linked
        }
        return unlinked_by_number(self._ctx, self._connection, numbers)


def _agreed(link: links.Link, view: DocumentView) -> DocumentView:
    return DocumentView.from_json(link.snapshot) if link.snapshot else view


def _gone(link: links.Link) -> dict[str, object] | None:
    stored = link.shown or link.snapshot
    return DocumentView.from_json(stored).gone(DELETED).as_json() if stored else None
