"""Stage 5, level removals: carry reversals, and re-exports that staff chose, to pushed payments.

A payment that was deposited, or that people changed, is left alone: staff record the reversal.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import sqlalchemy as sa

from qbo_sync_dagster.domain.closing_date import is_closed
from qbo_sync_dagster.domain.document_view import LIVE
from qbo_sync_dagster.domain.payment_change import (
    PlannedChange,
)
from qbo_sync_dagster.domain.payment_view import PaymentView, payment_differences
from qbo_sync_dagster.domain.payments_out_exceptions import (
    push_refused,
)
from qbo_sync_dagster.ledger import (
    exceptions,
    operations,
    payment_links,
    postings,
)
from qbo_sync_dagster.quickbooks.answers import RawObject
from qbo_sync_dagster.quickbooks.errors import (
    ClosedPeriodError,
    FaultError,
    ObjectNotFoundError,
    StaleObjectError,
)
from qbo_sync_dagster.quickbooks.objects import Payment
from qbo_sync_dagster.quickbooks.payment_bodies import (
    payment_change_body,
    payment_removal_body,
)
from qbo_sync_dagster.sync.context import CycleContext
from qbo_sync_dagster.sync.invoice_room import InvoiceRoom
from qbo_sync_dagster.sync.levels import Terms
from qbo_sync_dagster.sync.payment_books import PaymentBooks, load_books, load_choices
from qbo_sync_dagster.sync.payment_change import PaymentChange, allowance_of, beside_refunds
from qbo_sync_dagster.sync.payment_change_results import agree, removed
from qbo_sync_dagster.sync.payment_change_stops import stop
from qbo_sync_dagster.sync.payment_shown import payment_view, readable_payment, shown_by
from qbo_sync_dagster.sync.payments_out import CLOSED, TO_RECORD, TOO_LITTLE_OPEN
from qbo_sync_dagster.sync.sending import Outgoing, Written
from qbo_sync_dagster.sync.translate import version

_DEPOSITED_FAULT = "6540"
_DEPOSITED = "it was deposited, so QuickBooks does not let it change."
_CHANGED = "somebody changed it in QuickBooks."
_SEVERAL_INVOICES = "it pays several invoices there."


class PaymentChangeLevel:
    """The pushed payments that change in one cycle."""

    def __init__(self, ctx: CycleContext, terms: Terms) -> None:
        self._ctx = ctx
        self._closing_date = terms.rules.closing_date
        self._changes: dict[str, PaymentChange] = {}

    def prepare(self, due: Sequence[operations.Operation]) -> list[Outgoing]:
        """Those whose receipt and link still ask for it."""
        return [Outgoing(each.operation, "Payment", {}, {}) for each in self._wanted(due)]

    def still_current(self, outgoing: Sequence[Outgoing]) -> list[Outgoing]:
        """Those whose payment stands in QuickBooks as it was agreed on, with the token read."""
        changes = self._wanted([item.operation for item in outgoing])
        ids = sorted({each.link.quickbooks_id for each in changes})
        found = {item.id: item for item in self._ctx.quickbooks.query_in("Payment", "Id", ids)}
        room = InvoiceRoom(self._ctx, [each.agreed for each in changes if each.is_re_export])
        ready = [self._judged(each, found.get(each.link.quickbooks_id), room) for each in changes]
        return [item for item in ready if item is not None]

    def unchanged(self, sent: Sequence[postings.Posting]) -> bool:
        """Never: what becomes of a change in doubt is read, and it is then planned anew."""
        return not sent

    def _wanted(self, due: Sequence[operations.Operation]) -> list[PaymentChange]:
        books = self._books([operation.record_id for operation in due])
        found = []
        for operation in due:
            receipt = books.receipt(operation.record_id)
            link = books.pushed.get(operation.record_id)
            document = books.documents.get(receipt.invoice_id) if receipt else None
            if receipt and link and document and link.state == "live" and link.is_pushed:
                allowance = allowance_of(books, receipt, link)
                found.append(PaymentChange(operation, receipt, document, link, allowance))
        return found

    def _books(self, row_ids: Sequence[str]) -> PaymentBooks:
        with self._ctx.reading() as connection:
            choices = load_choices(connection, self._ctx.realm)
        invoices = self._ctx.algapsa.invoices_of_payments(row_ids)
        return load_books(self._ctx, sorted(set(invoices.values())), choices, with_documents=True)

    def _judged(
        self, change: PaymentChange, raw: RawObject | None, room: InvoiceRoom
    ) -> Outgoing | None:
        payment = readable_payment(raw)
        if payment is None:
            self._without_object(change, raw)
            return None
        shown = payment_view(payment)
        if not self._is_as_decided(change, payment, shown):
            self._note_drift(change, shown, payment)
            return None
        change = beside_refunds(change, shown)
        if _stands(change.plan, shown):
            self._settle_unsent(change, shown, payment)
            return None
        if why := self._obstacle(change, payment, shown, room):
            self._stopped(change, *why)
            return None
        self._changes[change.receipt.row_id] = change
        return _outgoing(change, payment)

    def _obstacle(
        self, change: PaymentChange, payment: Payment, shown: PaymentView, room: InvoiceRoom
    ) -> tuple[str, str] | None:
        """Why the payment cannot be changed now, and the code of that."""
        if payment.deposit_ids:
            return TO_RECORD, _DEPOSITED
        if is_closed(payment.date, self._closing_date):
            return CLOSED, f"QuickBooks has closed its period (through {self._closing_date})."
        if len(change.plan.wanted.lines) > 1:
            return TO_RECORD, _SEVERAL_INVOICES
        lacking = room.lacking(change.plan.wanted, shown) if change.is_re_export else None
        return (TOO_LITTLE_OPEN, lacking) if lacking else None

    def _stopped(self, change: PaymentChange, code: str, why: str) -> None:
        with self._ctx.ledger() as connection:
            stop(connection, self._ctx, change, code, why, self._closing_date)

    def _is_as_decided(self, change: PaymentChange, payment: Payment, shown: PaymentView) -> bool:
        """Whether QuickBooks holds what was agreed on, or the very version that staff saw."""
        seen = change.operation.detail.get("version")
        if change.is_re_export:
            return seen == version(payment.sync_token)
        return not payment_differences(change.agreed, shown, change.allowance)

    def _without_object(self, change: PaymentChange, raw: RawObject | None) -> None:
        if raw is not None:
            return  # unreadable: the poll has parked it with its cause
        gone = change.agreed.gone()
        is_refunded = not payment_differences(change.agreed, gone, change.allowance)
        beside = beside_refunds(change, gone) if is_refunded else change
        if beside.plan.is_removal:
            with self._ctx.ledger() as connection:
                removed(connection, self._ctx, beside.link, beside.receipt.net, None)
                ids = [change.operation.operation_id]
                operations.change(connection, ids, "done", reason="It is gone from QuickBooks.")
            return
        self._note_shown(change, gone, change.link.sync_token or 0)

    def _settle_unsent(self, change: PaymentChange, shown: PaymentView, payment: Payment) -> None:
        """QuickBooks shows what is wanted already."""
        with self._ctx.ledger() as connection:
            if change.plan.is_removal:
                removed(connection, self._ctx, change.link, change.receipt.net, None)
            else:
                seen = shown, version(payment.sync_token)
                agree(connection, self._ctx, change.link, change.plan, seen, None)
            ids = [change.operation.operation_id]
            operations.change(connection, ids, "done", reason="QuickBooks shows it already.")

    def _note_drift(self, change: PaymentChange, shown: PaymentView, payment: Payment) -> None:
        self._note_shown(change, shown, version(payment.sync_token))

    def _note_shown(self, change: PaymentChange, shown: PaymentView, token: int) -> None:
        """Show it on the link: the next drift report tells of it, and nothing is sent before."""
        with self._ctx.ledger() as connection:
            payment_links.show(
                connection,
                self._ctx.realm,
                [change.link.quickbooks_id],
                shown=shown.as_json(),
                sync_token=token,
            )
            ids = [change.operation.operation_id]
            operations.change(connection, ids, "cancelled", reason=_CHANGED)

    def done(self, connection: sa.Connection, written: Sequence[Written]) -> None:
        """What was taken back closes its link; what remains is what is agreed on now."""
        for each in written:
            change = self._changes[each.record_id]
            if each.verb == "delete":
                net = change.receipt.net
                removed(connection, self._ctx, change.link, net, each.request_id)
            else:
                shown = shown_by(each.answer.object)
                agree(connection, self._ctx, change.link, change.plan, shown, each.request_id)

    def refused(
        self,
        connection: sa.Connection,
        operation: operations.Operation,
        error: FaultError,
        *,
        is_final: bool,
    ) -> bool:
        """Deposited or closed is for staff; a payment changed meanwhile is read anew."""
        change = self._changes[operation.record_id]
        if isinstance(error, ObjectNotFoundError) and change.plan.is_removal:
            removed(connection, self._ctx, change.link, change.receipt.net, None)
            operations.change(connection, [operation.operation_id], "done", more_attempts=1)
            return True
        if isinstance(error, StaleObjectError):
            ids = [operation.operation_id]
            operations.change(connection, ids, "queued", reason=str(error), more_attempts=1)
            return True
        if isinstance(error, ClosedPeriodError):
            stop(connection, self._ctx, change, CLOSED, str(error), self._closing_date)
        elif error.code == _DEPOSITED_FAULT:
            stop(connection, self._ctx, change, TO_RECORD, _DEPOSITED, self._closing_date)
        else:
            if is_final:
                sentence, tid = str(error), error.intuit_tid
                record = push_refused(change.receipt, change.document, sentence, tid)
                exceptions.raise_all(connection, self._ctx.realm, [record])
                operations.remember(connection, operation.operation_id, change.key)
            return False
        operations.bump(connection, operation.operation_id)
        return True


def _outgoing(change: PaymentChange, payment: Payment) -> Outgoing:
    plan = change.plan
    wanted = plan.wanted
    identity: Mapping[str, object] = {
        "wanted": wanted.as_json(),
        "settled": plan.settled.as_json(),
        "accepted_minor": plan.accepted_minor,
        "unapplied_minor": plan.unapplied_minor,
        "net": change.receipt.net,
    }
    if plan.is_removal:
        body = payment_removal_body(payment.id, payment.sync_token)
        return Outgoing(change.operation, "Payment", body, dict(identity), "delete")
    # None where staff accepted that it stands unapplied.
    invoice, line_minor = next(iter(wanted.lines.items()), ("", 0))
    body = payment_change_body(
        payment.id,
        payment.sync_token,
        customer_id=wanted.customer_id,
        date=wanted.date,
        currency=payment.currency,
        exchange_rate=payment.exchange_rate,
        total_minor=wanted.total_minor,
        quickbooks_invoice_id=invoice,
        line_minor=line_minor,
    )
    return Outgoing(change.operation, "Payment", body, dict(identity), "update")


def _stands(plan: PlannedChange, shown: PaymentView) -> bool:
    if plan.is_removal:
        return shown.state != LIVE
    return not payment_differences(plan.wanted, shown)
