"""AlgaPSA's own payments on some invoices, with all that decides about pushing them. Local.

Read in bulk, in stage 4 for every invoice and again in stage 5 right before a payment is sent.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace

import sqlalchemy as sa

from qbo_sync_dagster.domain.algapsa_payments import PaymentRecord
from qbo_sync_dagster.domain.algapsa_records import DocumentHeader
from qbo_sync_dagster.domain.document_view import LIVE
from qbo_sync_dagster.domain.eligibility import Standing, standing
from qbo_sync_dagster.domain.history_leftovers import Choice
from qbo_sync_dagster.domain.operation_kinds import EXPORT_INVOICE
from qbo_sync_dagster.domain.own_money import OwnMoney, Receipt, own_money
from qbo_sync_dagster.domain.payments_out import (
    PaidDocument,
    PushScope,
    Verdict,
    judge_receipt,
)
from qbo_sync_dagster.ledger import decisions, inbox, links, operations, payment_links
from qbo_sync_dagster.ledger.links import Link
from qbo_sync_dagster.ledger.payment_links import PaymentLink
from qbo_sync_dagster.sync.before_go_live import chosen_early
from qbo_sync_dagster.sync.context import CycleContext
from qbo_sync_dagster.sync.history import waiting_rows
from qbo_sync_dagster.sync.lost_applied import lost_applied
from qbo_sync_dagster.sync.lost_rows import lost_of
from qbo_sync_dagster.sync.outbound import load_scope

_ROW = "payment:"


@dataclass(frozen=True, slots=True)
class Choices:
    """What staff decided about payments, and QuickBooks' payments that AlgaPSA lacks yet.

    `recorded` are reversals and refunds that QuickBooks has in another form; `both_real` names,
    per row, the QuickBooks payments that are other money; `history` what waits from before;
    `early` what is pushed although it is dated before go-live.
    """

    recorded: frozenset[str]
    both_real: Mapping[str, frozenset[str]]
    history: Mapping[str, Choice]
    waiting: frozenset[str]
    early: frozenset[str]

    @property
    def chosen(self) -> frozenset[str]:
        """The rows that staff said to push."""
        pushed = (row for row, choice in self.history.items() if choice is Choice.PUSH)
        return self.early.union(pushed)


def load_choices(connection: sa.Connection, realm: str) -> Choices:
    """The decisions about payments of a company."""
    both: defaultdict[str, set[str]] = defaultdict(set)
    for decision in decisions.of_kind(connection, realm, "both_real"):
        both[decision.record.removeprefix(_ROW)].add(decision.counterpart.removeprefix(_ROW))
    return Choices(
        recorded=frozenset(
            decision.record.removeprefix(_ROW)
            for decision in decisions.of_kind(connection, realm, "refund_recorded")
        ),
        both_real={row: frozenset(payments) for row, payments in both.items()},
        history=waiting_rows(connection, realm),
        waiting=frozenset(inbox.unsettled_ids(connection, realm, "Payment"))
        | payment_links.let_go_unread(connection, realm),
        early=chosen_early(connection, realm),
    )


@dataclass(frozen=True, slots=True)
class PaymentBooks:
    """AlgaPSA's own money on some invoices, and what QuickBooks has of it."""

    scope: PushScope
    choices: Choices
    money: Mapping[str, OwnMoney]
    pushed: Mapping[str, PaymentLink]
    documents: Mapping[str, PaidDocument] = field(default_factory=dict)
    invoice_links: Mapping[str, Link] = field(default_factory=dict)
    # Links on these invoices whose row AlgaPSA has lost.
    lost: tuple[PaymentLink, ...] = ()
    # QuickBooks' payments on invoices with something to push, whose rows AlgaPSA has lost.
    lost_applied: frozenset[str] = frozenset()

    def receipts(self) -> Iterable[Receipt]:
        """Every receipt on the invoices."""
        return (receipt for money in self.money.values() for receipt in money.receipts)

    def receipt(self, row_id: str) -> Receipt | None:
        """The receipt of a row; None once it is gone from AlgaPSA."""
        return next((each for each in self.receipts() if each.row_id == row_id), None)

    def verdict(self, receipt: Receipt) -> Verdict:
        """What becomes of a receipt that has no QuickBooks payment."""
        is_waiting = self.choices.history.get(receipt.row_id) is Choice.WAIT
        document = self.documents.get(receipt.invoice_id)
        if is_waiting or document is None:
            return Verdict.LEFT_OUT
        scope = self.scope
        if receipt.row_id in self.choices.chosen:
            scope = replace(scope, go_live=min(scope.go_live, receipt.date))
        both_real = self.choices.both_real.get(receipt.row_id, ())
        return judge_receipt(receipt, document, scope, both_real)

    def needs_document(self) -> set[str]:
        """Invoices on which something is left to push, to change or to tell of."""
        return {
            invoice_id
            for invoice_id, money in self.money.items()
            if money.refunds or any(self._is_open(receipt) for receipt in money.receipts)
        }

    def to_push(self) -> set[str]:
        """Invoices with a receipt that has no QuickBooks payment."""
        return {
            receipt.invoice_id
            for receipt in self.receipts()
            if receipt.net > 0 and receipt.row_id not in self.pushed
        }

    def _is_open(self, receipt: Receipt) -> bool:
        link = self.pushed.get(receipt.row_id)
        if link is None:
            return receipt.net > 0
        return link.state == "live" and agreed_minor(link, receipt) != receipt.net


def agreed_minor(link: PaymentLink, receipt: Receipt) -> int:
    """What both sides held of a receipt when its link was made or last settled."""
    snapshot = link.snapshot or {}
    return int(snapshot.get("total_minor", receipt.minor)) + link.accepted_minor


def load_books(
    ctx: CycleContext,
    invoice_ids: Collection[str],
    choices: Choices,
    *,
    with_documents: bool = False,
) -> PaymentBooks:
    """The payment books of these invoices as both sides show them now.

    Documents come only of invoices on which something is left to do, unless all are asked for.
    """
    by_invoice: defaultdict[str, list[PaymentRecord]] = defaultdict(list)
    for row in ctx.algapsa.payments(invoice_ids):
        by_invoice[row.invoice_id].append(row)
    money = {key: own_money(rows, choices.recorded) for key, rows in by_invoice.items()}
    row_ids = [receipt.row_id for each in money.values() for receipt in each.receipts]
    with ctx.reading() as connection:
        pushed = {
            link.algapsa_id: link for link in payment_links.of_rows(connection, ctx.realm, row_ids)
        }
    company = ctx.connection
    scope = PushScope(company.go_live_date, company.connected_at)
    books = PaymentBooks(scope, choices, money, pushed)
    wanted = sorted(money if with_documents else books.needs_document())
    if not wanted:
        return books
    return _with_documents(ctx, books, wanted, by_invoice)


def _with_documents(
    ctx: CycleContext,
    books: PaymentBooks,
    wanted: Sequence[str],
    rows: Mapping[str, Collection[PaymentRecord]],
) -> PaymentBooks:
    headers = ctx.algapsa.document_headers(wanted)
    with ctx.reading() as connection:
        linked = links.by_algapsa_id(connection, ctx.realm, "invoice", wanted)
        invoices = links.paid_invoices(
            connection, ctx.realm, [link.quickbooks_id for link in linked.values()]
        )
        clients = links.ids(connection, ctx.realm, "client").keys()
        exports = {
            operation.record_id: operation.state
            for operation in operations.open_ones(connection, ctx.realm, EXPORT_INVOICE)
        }
        scope = load_scope(ctx, connection, wanted)
        paid = payment_links.of_invoices(connection, ctx.realm, linked)
        to_push = [linked[each] for each in sorted(books.to_push() & linked.keys())]
        gone = lost_applied(connection, ctx.realm, to_push, rows, paid)
    lost = tuple(lost_of(ctx.algapsa, paid))
    # Not planned yet, they wait like every payment that AlgaPSA does not show.
    unshown = books.choices.waiting.union(gone, (link.quickbooks_id for link in lost))
    documents = {}
    for header in headers:
        link = linked.get(header.invoice_id)
        documents[header.invoice_id] = _document(
            header,
            link,
            invoices.get(link.quickbooks_id) if link else None,
            unshown,
            is_client_linked=header.client_id in clients,
            export_state=exports.get(header.invoice_id),
            to_export=standing(header, scope),
        )
    return replace(books, documents=documents, invoice_links=linked, lost=lost, lost_applied=gone)


def _document(
    header: DocumentHeader,
    link: Link | None,
    invoice: links.PaidInvoice | None,
    unshown: frozenset[str],
    *,
    is_client_linked: bool,
    export_state: str | None,
    to_export: Standing,
) -> PaidDocument:
    return PaidDocument(
        invoice_id=header.invoice_id,
        number=header.number,
        client_id=header.client_id,
        currency=header.currency,
        quickbooks_id=link.quickbooks_id if link else None,
        standing=to_export,
        is_draft=header.status == "draft" or header.finalized_at is None,
        is_gone_there=link is not None and (link.shown or {}).get("state", LIVE) != LIVE,
        # An export that is not even queued was dismissed.
        export_failed=export_state in (None, "errored"),
        export_is_held=export_state == "held",
        is_client_linked=is_client_linked,
        differs=invoice is not None
        and (not invoice.is_read or invoice.difference_minor != invoice.accepted_minor),
        waiting=frozenset(link.payment_ids) & unshown if link else frozenset(),
    )
