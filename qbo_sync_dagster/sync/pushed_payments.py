"""Stages 2 and 3: payments of AlgaPSA that come back from QuickBooks. They are never applied.

What QuickBooks shows of them is kept on their links; what people changed there is drift. A payment
that carries our marker is ours, whether or not the ledger remembers sending it.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from types import MappingProxyType

import sqlalchemy as sa

from qbo_sync_dagster.domain.both_sides import UNCHANGED
from qbo_sync_dagster.domain.catalogue import ExceptionKind
from qbo_sync_dagster.domain.document_view import LIVE, NO_NAMES, FieldDifference, Names
from qbo_sync_dagster.domain.errors import DomainError
from qbo_sync_dagster.domain.exception_record import ExceptionRecord
from qbo_sync_dagster.domain.operation_kinds import PUSH_PAYMENT
from qbo_sync_dagster.domain.own_money import OwnMoney, Receipt, own_money
from qbo_sync_dagster.domain.payment_exceptions import PAYMENT_KINDS, payment_record
from qbo_sync_dagster.domain.payment_view import (
    PaymentView,
    applied_since,
    payment_differences,
    reduction,
)
from qbo_sync_dagster.domain.payments_out import is_own_row_known
from qbo_sync_dagster.domain.payments_out_exceptions import changed_in_quickbooks
from qbo_sync_dagster.domain.sync_marker import MARKER_START, markers_in
from qbo_sync_dagster.ledger import exceptions, inbox, links, operations, payment_links
from qbo_sync_dagster.ledger.payment_links import NewPaymentLink, PaymentLink
from qbo_sync_dagster.quickbooks.objects import Payment, parse_payment
from qbo_sync_dagster.sync.adoption import ORPHAN
from qbo_sync_dagster.sync.context import CycleContext
from qbo_sync_dagster.sync.doubt_payments import link_payment
from qbo_sync_dagster.sync.names_shown import names_on_payments
from qbo_sync_dagster.sync.outcome import DriftLine, DriftReport
from qbo_sync_dagster.sync.payment_books import load_choices
from qbo_sync_dagster.sync.payment_shown import payment_view
from qbo_sync_dagster.sync.translate import version
from qbo_sync_dagster.sync.unsettled import PAGE

# What may have been told of it before anybody knew that it is ours.
_WHILE_FOREIGN = tuple(kind for kind in PAYMENT_KINDS if kind is not ExceptionKind.PAYMENT_DRIFT)


def recognise_pushed(ctx: CycleContext) -> int:
    """Settle the inbox's changes of payments that AlgaPSA sent; returns how many.

    A change that cannot be read is left for the stage that parks it.
    """
    settled = after = 0
    while True:
        with ctx.reading() as connection:
            changes = inbox.unsettled_of_ours(
                connection, ctx.realm, MARKER_START, after=after, limit=PAGE
            )
        if not changes:
            return settled
        after = changes[-1].change_id
        settled += _Batch(ctx, changes).settle()


class _Batch:
    """A page of payment changes, of which only those that are ours are settled."""

    def __init__(self, ctx: CycleContext, changes: Sequence[inbox.Change]) -> None:
        self._ctx = ctx
        self._changes = changes
        with ctx.reading() as connection:
            self._seen = self._links(connection)

    def settle(self) -> int:
        """Show what QuickBooks holds on the links; adopt what carries our marker."""
        read = [(change, _readable(change)) for change in self._changes]
        marked = [
            (change, payment)
            for change, payment in read
            if payment and change.object_id not in self._seen and markers_in(payment.private_note)
        ]
        rows = _Rows(self._ctx, [payment for _, payment in marked]) if marked else None
        settled: list[inbox.Change] = []
        with self._ctx.ledger() as connection:
            # Again: the sweep may have let one go meanwhile, and the change is its own then.
            known = self._links(connection, lock=True)
            for change, payment in read:
                link = known.get(change.object_id)
                if link is not None and link.is_pushed:
                    is_ours = self._show(connection, change, payment, link)
                elif link is None and payment and rows:
                    is_ours = rows.adopt(connection, payment)
                else:
                    is_ours = False
                settled += [change] if is_ours else []
            ids = [change.change_id for change in settled]
            inbox.settle(connection, self._ctx.realm, ids, "known")
            exceptions.resolve(
                connection,
                self._ctx.realm,
                _WHILE_FOREIGN,
                [payment_record(change.object_id) for change in settled],
                "It is a payment that AlgaPSA itself received.",
            )
            exceptions.resolve(
                connection,
                self._ctx.realm,
                [ExceptionKind.UNREADABLE_CHANGE],
                [f"Payment:{change.object_id}" for change in settled],
                "A newer version can be read.",
            )
        return len(settled)

    def _links(self, connection: sa.Connection, *, lock: bool = False) -> dict[str, PaymentLink]:
        ids = [change.object_id for change in self._changes]
        found = payment_links.of_payments(connection, self._ctx.realm, ids, lock=lock)
        return {link.quickbooks_id: link for link in found}

    def _show(
        self,
        connection: sa.Connection,
        change: inbox.Change,
        payment: Payment | None,
        link: PaymentLink,
    ) -> bool:
        if change.deleted:
            shown, token = _view(link.shown or link.snapshot).gone(), link.sync_token or 0
        elif payment is None:
            return False
        elif change.version < (link.sync_token or 0):
            return True  # what we know is newer
        else:
            shown, token = payment_view(payment), change.version
        if not (change.state == "known" or _is_shown(link, shown, token)):
            payment_links.show(
                connection,
                self._ctx.realm,
                [link.quickbooks_id],
                shown=shown.as_json(),
                sync_token=token,
            )
        return True


def _is_shown(link: PaymentLink, shown: PaymentView, token: int) -> bool:
    return link.shown == shown.as_json() and link.sync_token == token


def _readable(change: inbox.Change) -> Payment | None:
    if change.deleted:
        return None
    try:
        payment = parse_payment(change.payload)
        payment_view(payment)
    except DomainError:
        return None
    return payment


def _view(stored: Mapping[str, object] | None) -> PaymentView:
    return PaymentView.from_json(stored or {})


class _Rows:
    """AlgaPSA's receipts that payments with a marker may stand for."""

    def __init__(self, ctx: CycleContext, payments: Sequence[Payment]) -> None:
        self._ctx = ctx
        paid = {invoice for payment in payments for invoice, _ in payment.invoice_lines}
        with ctx.reading() as connection:
            linked = links.by_quickbooks_id(connection, ctx.realm, "invoice", paid)
            everything = links.ids(connection, ctx.realm, "invoice")
            self._choices = load_choices(connection, ctx.realm)
        self._invoices = everything
        ids = {link.algapsa_id for link in linked.values()}
        if any(not payment.invoice_lines for payment in payments):
            # Without a line it may belong to any invoice.
            ids |= everything.keys()
        money = _own_money(ctx, ids, self._choices.recorded)
        self._receipts = {
            receipt.row_id: receipt for each in money.values() for receipt in each.receipts
        }

    def adopt(self, connection: sa.Connection, payment: Payment) -> bool:
        """Link the payment to the receipt whose marker it carries.

        One whose receipt has a payment already is somebody's copy, and one that settling has
        left open is for a person.
        """
        receipt = self._receipt_of(payment)
        realm = self._ctx.realm
        if receipt is None or payment_links.of_rows(connection, realm, [receipt.row_id]):
            return False
        queued = operations.of_record(connection, realm, PUSH_PAYMENT, receipt.row_id)
        if any(each.state == "posting" or each.reason_code == ORPHAN for each in queued):
            return False
        shown = payment_view(payment)
        link_payment(connection, self._ctx, self._link(receipt, payment, shown), shown)
        ids = [each.operation_id for each in queued]
        operations.change(connection, ids, "done", reason="adopted")
        return True

    def _receipt_of(self, payment: Payment) -> Receipt | None:
        markers = markers_in(payment.private_note)
        return next(
            (
                receipt
                for row_id, receipt in self._receipts.items()
                if is_own_row_known(markers, self._ctx.realm, row_id)
            ),
            None,
        )

    def _link(self, receipt: Receipt, payment: Payment, shown: PaymentView) -> NewPaymentLink:
        invoice = self._invoices[receipt.invoice_id]
        was_whole = shown.total_minor == receipt.minor
        total = receipt.minor if was_whole else receipt.net
        # Staff may have had it sent for more than its invoice could take.
        may_be_unapplied = bool(self._choices.both_real.get(receipt.row_id))
        line = min(total, shown.lines.get(invoice, 0)) if may_be_unapplied else total
        agreed = PaymentView(
            state=LIVE,
            customer_id=shown.customer_id,
            date=receipt.date.isoformat(),
            currency=shown.currency,
            total_minor=total,
            lines=MappingProxyType({invoice: line}),
        )
        return NewPaymentLink(
            algapsa_id=receipt.row_id,
            quickbooks_id=payment.id,
            invoice_id=receipt.invoice_id,
            origin="adopted",
            snapshot=agreed.as_json(),
            sync_token=version(payment.sync_token),
        )


def _own_money(
    ctx: CycleContext, invoice_ids: Iterable[str], recorded: frozenset[str]
) -> dict[str, OwnMoney]:
    by_invoice = defaultdict(list)
    for row in ctx.algapsa.payments(sorted(set(invoice_ids))):
        by_invoice[row.invoice_id].append(row)
    return {key: own_money(rows, recorded) for key, rows in by_invoice.items()}


def with_payments(documents: DriftReport, payments: DriftReport) -> DriftReport:
    """The drift of documents and of pushed payments in one report."""
    return replace(
        documents,
        documents=documents.documents + payments.documents,
        payments=payments.payments,
        lines=documents.lines + payments.lines,
    )


def report_payment_drift(ctx: CycleContext) -> DriftReport:
    """Judge every pushed payment that no longer looks as it was sent. Local, no calls."""
    with ctx.reading() as connection:
        moved = payment_links.moved(connection, ctx.realm)
        recorded = load_choices(connection, ctx.realm).recorded if moved else frozenset()
    invoices = {link.invoice_id for link in moved if link.invoice_id}
    money = _own_money(ctx, invoices, recorded) if invoices else {}
    allowance = {key: each.refunded_minor for key, each in money.items()}
    judged: list[tuple[PaymentLink, Sequence[FieldDifference], int]] = []
    with ctx.ledger() as connection:
        for link in moved:
            left = allowance.get(link.invoice_id or "", 0)
            found = _judge(link, allowance)
            if not found and (agreed := applied_since(_view(link.snapshot), _view(link.shown))):
                links.update(connection, link.link_id, snapshot=agreed.as_json())
            drift = _drift(link, found)
            if drift != link.drift:
                links.update(connection, link.link_id, drift=drift)
            judged += [(link, found, left)] if found else []
        names = NO_NAMES
        if judged:
            names = names_on_payments(ctx, connection, [link for link, _, _ in judged])
        drifted = [_named(link, found, left, names) for link, found, left in judged]
        raised = [_told(each) for each in drifted]
        exceptions.raise_all(connection, ctx.realm, raised)
        _resolve(connection, ctx.realm, raised)
    lines = tuple(_line(each, item) for each in drifted for item in each.named)
    return DriftReport(documents=len(raised), payments=len(raised), lines=lines)


@dataclass(frozen=True, slots=True)
class _Drifted:
    """A pushed payment that people changed; `named` is what was `found`, `number` its invoice's."""

    link: PaymentLink
    found: Sequence[FieldDifference]
    named: Sequence[FieldDifference]
    number: str


def _named(
    link: PaymentLink, found: Sequence[FieldDifference], refunded_minor: int, names: Names
) -> _Drifted:
    agreed, shown = _view(link.snapshot), _view(link.shown)
    named = payment_differences(agreed, shown, refunded_minor, names)
    return _Drifted(link, found, named, _number(link, names))


def _number(link: PaymentLink, names: Names) -> str:
    candidates = (link.invoice_id or "", *_view(link.snapshot).lines)
    return next((names.invoices[each] for each in candidates if each in names.invoices), "unknown")


def _judge(link: PaymentLink, allowance: dict[str, int]) -> list[FieldDifference]:
    agreed, shown = _view(link.snapshot), _view(link.shown)
    invoice = link.invoice_id or ""
    found = payment_differences(agreed, shown, allowance.get(invoice, 0))
    if not found and invoice in allowance:
        allowance[invoice] -= reduction(agreed, shown)
    return found


def _drift(link: PaymentLink, found: Sequence[FieldDifference]) -> dict[str, object] | None:
    """What the link keeps of it; why it could not be sent again stands until it changes again."""
    if not found:
        return None
    fields = [[each.field, each.agreed, each.shown] for each in found]
    before = link.drift or {}
    same = before if before.get("fields") == fields else {}
    return {**same, "fields": fields}


def _told(drifted: _Drifted) -> ExceptionRecord:
    link = drifted.link
    return changed_in_quickbooks(
        link.algapsa_id,
        link.invoice_id or "",
        link.quickbooks_id,
        _view(link.snapshot),
        _view(link.shown),
        drifted.found,
        number=drifted.number,
        named=drifted.named,
        outcome=str((link.drift or {}).get("outcome", "")) if _is_told(drifted) else "",
    )


def _is_told(drifted: _Drifted) -> bool:
    """Whether what the link keeps is about what differs now."""
    return "outcome" in (_drift(drifted.link, drifted.found) or {})


def _line(drifted: _Drifted, found: FieldDifference) -> DriftLine:
    link = drifted.link
    return DriftLine(
        document=f"Payment {link.quickbooks_id} on invoice {drifted.number}",
        entity="Payment",
        quickbooks_id=link.quickbooks_id,
        field=found.field,
        agreed=found.agreed,
        in_algapsa=UNCHANGED,
        shown=found.shown,
    )


def _resolve(connection: sa.Connection, realm: str, raised: Sequence[ExceptionRecord]) -> None:
    """Close what no longer holds of pushed payments: drift, and money that was not applied."""
    still = {record.record for record in raised}
    listed = exceptions.listed(connection, realm)
    drifted = {each.record for each in listed if each.kind == ExceptionKind.PAYMENT_DRIFT}
    own = {
        payment_record(link.quickbooks_id)
        for link in payment_links.of_payments(
            connection, realm, [record.removeprefix("payment:") for record in drifted]
        )
        if link.is_pushed
    }
    exceptions.resolve(
        connection,
        realm,
        [ExceptionKind.PAYMENT_DRIFT],
        own - still,
        "QuickBooks shows the payment as AlgaPSA sent it.",
    )
    unapplied = {each.record for each in listed if each.kind == ExceptionKind.PUSH_UNAPPLIED}
    waiting = {
        payment_record(link.algapsa_id)
        for link in payment_links.of_rows(
            connection, realm, [record.removeprefix("payment:") for record in unapplied]
        )
        if _view(link.shown).applied_minor < _view(link.shown).total_minor
    }
    exceptions.resolve(
        connection,
        realm,
        [ExceptionKind.PUSH_UNAPPLIED],
        unapplied - waiting,
        "The payment is applied in QuickBooks.",
    )
