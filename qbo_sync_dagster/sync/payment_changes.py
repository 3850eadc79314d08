"""Stage 5, level removals: carry reversals, and re-exports that staff chose, to pushed payments.

A payment that was deposited, or that people changed, is left alone: staff record the reversal.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date

import sqlalchemy as sa

from qbo_sync_dagster.domain.catalogue import ExceptionKind
from qbo_sync_dagster.domain.closing_date import is_closed
from qbo_sync_dagster.domain.document_view import LIVE
from qbo_sync_dagster.domain.errors import DomainError
from qbo_sync_dagster.domain.exception_record import ExceptionRecord
from qbo_sync_dagster.domain.operation_kinds import CHANGE_PAYMENT
from qbo_sync_dagster.domain.own_money import Receipt
from qbo_sync_dagster.domain.payment_change import (
    PlannedChange,
    plan_re_export,
    plan_reversal,
    refund_allowance,
)
from qbo_sync_dagster.domain.payment_exceptions import payment_record
from qbo_sync_dagster.domain.payment_view import PaymentView, payment_differences, reduction
from qbo_sync_dagster.domain.payments_out import PaidDocument
from qbo_sync_dagster.domain.payments_out_exceptions import (
    PUSH_KINDS,
    changed_in_quickbooks,
    push_in_closed_period,
    push_refused,
    reversal_to_record,
)
from qbo_sync_dagster.ledger import (
    audit,
    exceptions,
    links,
    operations,
    payment_links,
    postings,
)
from qbo_sync_dagster.ledger.payment_links import PaymentLink
from qbo_sync_dagster.quickbooks.answers import RawObject
from qbo_sync_dagster.quickbooks.errors import (
    ClosedPeriodError,
    FaultError,
    ObjectNotFoundError,
    StaleObjectError,
)
from qbo_sync_dagster.quickbooks.objects import Payment, parse_payment
from qbo_sync_dagster.quickbooks.payment_bodies import (
    payment_change_body,
    payment_removal_body,
)
from qbo_sync_dagster.sync.context import CycleContext
from qbo_sync_dagster.sync.doubt_payments import told_unapplied
from qbo_sync_dagster.sync.invoice_room import InvoiceRoom
from qbo_sync_dagster.sync.levels import Terms
from qbo_sync_dagster.sync.names_shown import names_on_payments
from qbo_sync_dagster.sync.payment_books import PaymentBooks, agreed_minor, load_books, load_choices
from qbo_sync_dagster.sync.payment_shown import payment_view
from qbo_sync_dagster.sync.payments_out import CLOSED, TO_RECORD, TOO_LITTLE_OPEN
from qbo_sync_dagster.sync.sending import Outgoing, Written
from qbo_sync_dagster.sync.translate import version

_DEPOSITED_FAULT = "6540"
_DEPOSITED = "it was deposited, so QuickBooks does not let it change."
_CHANGED = "somebody changed it in QuickBooks."
_SEVERAL_INVOICES = "it pays several invoices there."


@dataclass(frozen=True, slots=True)
class _Change:
    """A pushed payment that is to become something else."""

    operation: operations.Operation
    receipt: Receipt
    document: PaidDocument
    link: PaymentLink
    # What refunds of its invoice allow it to be smaller by, and what of that it is.
    allowance: int
    for_refunds: int = 0

    @property
    def key(self) -> str:
        """What it is held for: it is looked at again once this moves."""
        return f"{self.receipt.net}:{self.link.sync_token}"

    @property
    def agreed(self) -> PaymentView:
        """What both sides last agreed on."""
        return PaymentView.from_json(self.link.snapshot or {})

    @property
    def is_re_export(self) -> bool:
        """Whether staff chose it; the version that they saw is kept with it."""
        return bool(self.operation.detail.get("re_export"))

    @property
    def plan(self) -> PlannedChange:
        """What the payment is to become."""
        if self.is_re_export:
            return plan_re_export(self.agreed, self.receipt.net)
        return plan_reversal(self.agreed, self.receipt.net, self.for_refunds)


class PaymentChangeLevel:
    """The pushed payments that change in one cycle."""

    def __init__(self, ctx: CycleContext, terms: Terms) -> None:
        self._ctx = ctx
        self._closing_date = terms.rules.closing_date
        self._changes: dict[str, _Change] = {}

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

    def _wanted(self, due: Sequence[operations.Operation]) -> list[_Change]:
        books = self._books([operation.record_id for operation in due])
        found = []
        for operation in due:
            receipt = books.receipt(operation.record_id)
            link = books.pushed.get(operation.record_id)
            document = books.documents.get(receipt.invoice_id) if receipt else None
            if receipt and link and document and link.state == "live" and link.is_pushed:
                allowance = _allowance(books, receipt, link)
                found.append(_Change(operation, receipt, document, link, allowance))
        return found

    def _books(self, row_ids: Sequence[str]) -> PaymentBooks:
        with self._ctx.reading() as connection:
            choices = load_choices(connection, self._ctx.realm)
        invoices = self._ctx.algapsa.invoices_of_payments(row_ids)
        return load_books(self._ctx, sorted(set(invoices.values())), choices, with_documents=True)

    def _judged(self, change: _Change, raw: RawObject | None, room: InvoiceRoom) -> Outgoing | None:
        payment = _readable(raw)
        if payment is None:
            self._without_object(change, raw)
            return None
        shown = payment_view(payment)
        if not self._is_as_decided(change, payment, shown):
            self._note_drift(change, shown, payment)
            return None
        change = _beside_refunds(change, shown)
        if _stands(change.plan, shown):
            self._settle_unsent(change, shown, payment)
            return None
        if why := self._obstacle(change, payment, shown, room):
            self._stopped(change, *why)
            return None
        self._changes[change.receipt.row_id] = change
        return _outgoing(change, payment)

    def _obstacle(
        self, change: _Change, payment: Payment, shown: PaymentView, room: InvoiceRoom
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

    def _stopped(self, change: _Change, code: str, why: str) -> None:
        with self._ctx.ledger() as connection:
            _stop(connection, self._ctx, change, code, why, self._closing_date)

    def _is_as_decided(self, change: _Change, payment: Payment, shown: PaymentView) -> bool:
        """Whether QuickBooks holds what was agreed on, or the very version that staff saw."""
        seen = change.operation.detail.get("version")
        if change.is_re_export:
            return seen == version(payment.sync_token)
        return not payment_differences(change.agreed, shown, change.allowance)

    def _without_object(self, change: _Change, raw: RawObject | None) -> None:
        if raw is not None:
            return  # unreadable: the poll has parked it with its cause
        gone = change.agreed.gone()
        is_refunded = not payment_differences(change.agreed, gone, change.allowance)
        beside = _beside_refunds(change, gone) if is_refunded else change
        if beside.plan.is_removal:
            with self._ctx.ledger() as connection:
                _removed(connection, self._ctx, beside.link, beside.receipt.net, None)
                ids = [change.operation.operation_id]
                operations.change(connection, ids, "done", reason="It is gone from QuickBooks.")
            return
        self._note_shown(change, gone, change.link.sync_token or 0)

    def _settle_unsent(self, change: _Change, shown: PaymentView, payment: Payment) -> None:
        """QuickBooks shows what is wanted already."""
        with self._ctx.ledger() as connection:
            if change.plan.is_removal:
                _removed(connection, self._ctx, change.link, change.receipt.net, None)
            else:
                seen = shown, version(payment.sync_token)
                _agree(connection, self._ctx, change.link, change.plan, seen, None)
            ids = [change.operation.operation_id]
            operations.change(connection, ids, "done", reason="QuickBooks shows it already.")

    def _note_drift(self, change: _Change, shown: PaymentView, payment: Payment) -> None:
        self._note_shown(change, shown, version(payment.sync_token))

    def _note_shown(self, change: _Change, shown: PaymentView, token: int) -> None:
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
                _removed(connection, self._ctx, change.link, net, each.request_id)
            else:
                shown = _shown_by(each.answer.object)
                _agree(connection, self._ctx, change.link, change.plan, shown, each.request_id)

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
            _removed(connection, self._ctx, change.link, change.receipt.net, None)
            operations.change(connection, [operation.operation_id], "done")
            return True
        if isinstance(error, StaleObjectError):
            ids = [operation.operation_id]
            operations.change(connection, ids, "queued", reason=str(error), more_attempts=1)
            return True
        if isinstance(error, ClosedPeriodError):
            _stop(connection, self._ctx, change, CLOSED, str(error), self._closing_date)
        elif error.code == _DEPOSITED_FAULT:
            _stop(connection, self._ctx, change, TO_RECORD, _DEPOSITED, self._closing_date)
        else:
            if is_final:
                sentence, tid = str(error), error.intuit_tid
                record = push_refused(change.receipt, change.document, sentence, tid)
                exceptions.raise_all(connection, self._ctx.realm, [record])
                operations.remember(connection, operation.operation_id, change.key)
            return False
        operations.bump(connection, operation.operation_id)
        return True


class PaymentChangeSettler:
    """What became of changes of pushed payments whose answer never came."""

    kinds = (CHANGE_PAYMENT,)

    def __init__(self, ctx: CycleContext) -> None:
        self._ctx = ctx

    def reached(self, posting: postings.Posting, shown: RawObject | None) -> bool:
        """Whether the payment stands as the write would have left it."""
        if posting.verb == "delete":
            return shown is None
        payment = _readable(shown)
        if payment is None:
            return False
        view = payment_view(payment)
        wanted = PaymentView.from_json(posting.identity["wanted"])
        return not payment_differences(wanted, view)

    def done(
        self, connection: sa.Connection, posting: postings.Posting, shown: RawObject | None
    ) -> None:
        """Settle the link as the answer would have."""
        for link in payment_links.of_rows(connection, self._ctx.realm, [posting.record_id]):
            sent = posting.identity
            if posting.verb == "delete":
                net = int(sent.get("net", 0))
                _removed(connection, self._ctx, link, net, posting.request_id)
            elif shown is not None:
                wanted = PaymentView.from_json(sent["wanted"])
                settled = PaymentView.from_json(sent.get("settled", sent["wanted"]))
                amounts = [int(sent.get(key, 0)) for key in ("accepted_minor", "unapplied_minor")]
                plan = PlannedChange(settled, wanted, *amounts)
                _agree(connection, self._ctx, link, plan, _shown_by(shown), posting.request_id)

    def moved(
        self, connection: sa.Connection, posting: postings.Posting, shown: RawObject | None
    ) -> None:
        """Somebody changed it: that is told as drift of the payment, and decided first."""
        payment = _readable(shown)
        for link in payment_links.of_rows(connection, self._ctx.realm, [posting.record_id]):
            agreed = PaymentView.from_json(link.snapshot or {})
            payment_links.show(
                connection,
                self._ctx.realm,
                [link.quickbooks_id],
                shown=(payment_view(payment) if payment else agreed.gone()).as_json(),
                sync_token=version(payment.sync_token) if payment else link.sync_token or 0,
            )


def _readable(raw: RawObject | None) -> Payment | None:
    if raw is None or raw.deleted:
        return None
    try:
        payment = parse_payment(raw.payload)
        payment_view(payment)
    except DomainError:
        return None
    return payment


def _shown_by(raw: RawObject) -> tuple[PaymentView, int] | None:
    payment = _readable(raw)
    return (payment_view(payment), version(payment.sync_token)) if payment else None


def _outgoing(change: _Change, payment: Payment) -> Outgoing:
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


def _beside_refunds(change: _Change, shown: PaymentView) -> _Change:
    """The change of a payment that is smaller already, for refunds of its invoice."""
    if change.is_re_export:
        return change
    return replace(change, for_refunds=reduction(change.agreed, shown))


def _allowance(books: PaymentBooks, receipt: Receipt, link: PaymentLink) -> int:
    own = {each.row_id for each in books.money[receipt.invoice_id].receipts}
    others = [
        (PaymentView.from_json(each.snapshot or {}), PaymentView.from_json(each.shown))
        for row_id, each in books.pushed.items()
        if row_id in own and each.link_id != link.link_id
        if each.is_pushed and each.state == "live" and each.drift is None and each.shown
    ]
    return refund_allowance(books.money[receipt.invoice_id].refunded_minor, others)


def _stop(
    connection: sa.Connection,
    ctx: CycleContext,
    change: _Change,
    code: str,
    why: str,
    closing_date: date | None,
) -> None:
    """A reversal waits under its exception; what staff chose to send again is theirs to decide."""
    if change.is_re_export:
        ids = [change.operation.operation_id]
        operations.change(connection, ids, "cancelled", reason=why, reason_code=code)
        _tell_outcome(connection, ctx, change, why)
        return
    if code == CLOSED:
        record = push_in_closed_period(change.receipt, change.document, closing_date)
    else:
        lacking = agreed_minor(change.link, change.receipt) - change.receipt.net
        payment = change.link.quickbooks_id
        record = reversal_to_record(change.receipt, change.document, payment, lacking, why)
    _hold(connection, ctx.realm, change, record, code)


def _tell_outcome(connection: sa.Connection, ctx: CycleContext, change: _Change, why: str) -> None:
    link = change.link
    shown = PaymentView.from_json(link.shown or {})
    found = payment_differences(change.agreed, shown, change.allowance)
    if not found:
        return  # a refund explains meanwhile what was changed
    names = names_on_payments(ctx, connection, [link])
    links.update(connection, link.link_id, drift={**(link.drift or {}), "outcome": why})
    record = changed_in_quickbooks(
        link.algapsa_id,
        change.receipt.invoice_id,
        link.quickbooks_id,
        change.agreed,
        shown,
        found,
        number=change.document.number,
        named=payment_differences(change.agreed, shown, change.allowance, names),
        outcome=why,
    )
    exceptions.raise_all(connection, ctx.realm, [record])


def _hold(
    connection: sa.Connection, realm: str, change: _Change, record: ExceptionRecord, code: str
) -> None:
    operations.change(
        connection,
        [change.operation.operation_id],
        "held",
        reason=record.what_happened,
        reason_code=code,
        fingerprint=change.key,
    )
    exceptions.raise_all(connection, realm, [record])


def _removed(
    connection: sa.Connection,
    ctx: CycleContext,
    link: PaymentLink,
    net_minor: int,
    request_id: str | None,
) -> None:
    """It is gone from QuickBooks; what AlgaPSA still holds of it was refunded, and stays there."""
    if net_minor > 0:
        gone = PaymentView.from_json(link.snapshot or {}).gone().as_json()
        links.update(
            connection,
            link.link_id,
            state="accepted",
            snapshot=gone,
            shown=gone,
            accepted_minor=net_minor,
            drift=None,
        )
    else:
        links.update(connection, link.link_id, state="closed", drift=None)
    _settle(connection, ctx, link, "delete payment", None, request_id)


def _agree(
    connection: sa.Connection,
    ctx: CycleContext,
    link: PaymentLink,
    plan: PlannedChange,
    shown: tuple[PaymentView, int] | None,
    request_id: str | None,
) -> None:
    view, token = shown or (plan.wanted, link.sync_token or 0)
    links.update(
        connection,
        link.link_id,
        snapshot=plan.settled.as_json(),
        shown=view.as_json(),
        sync_token=token,
        accepted_minor=plan.accepted_minor,
        drift=None,
    )
    _settle(connection, ctx, link, "change payment", plan.wanted, request_id)
    if plan.unapplied_minor:
        records = told_unapplied(ctx, link, plan.unapplied_minor)
        exceptions.raise_all(connection, ctx.realm, records)


def _settle(
    connection: sa.Connection,
    ctx: CycleContext,
    link: PaymentLink,
    effect: str,
    after: PaymentView | None,
    request_id: str | None,
) -> None:
    logged = audit.Effect(
        side="quickbooks",
        effect=effect,
        record=payment_record(link.algapsa_id),
        before={"quickbooks_id": link.quickbooks_id, "payment": link.snapshot},
        after={"payment": after.as_json()} if after else None,
        request_id=request_id,
    )
    audit.append(connection, ctx.realm, [logged])
    kinds = (*PUSH_KINDS, ExceptionKind.REVERSAL_TO_RECORD)
    reason = "QuickBooks holds what AlgaPSA does."
    exceptions.resolve(connection, ctx.realm, kinds, [payment_record(link.algapsa_id)], reason)
    drifted = [payment_record(link.quickbooks_id)]
    exceptions.resolve(connection, ctx.realm, [ExceptionKind.PAYMENT_DRIFT], drifted, reason)
