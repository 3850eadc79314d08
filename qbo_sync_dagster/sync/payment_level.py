"""Stage 5, level payments: create AlgaPSA's receipts in QuickBooks.

Each batch reads AlgaPSA and its invoices in QuickBooks right before it is sent, and takes the
line's amount from that read: a payment that QuickBooks' people entered meanwhile is met here.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date

import sqlalchemy as sa

from qbo_sync_dagster.domain.catalogue import ExceptionKind
from qbo_sync_dagster.domain.closing_date import is_closed
from qbo_sync_dagster.domain.document_view import LIVE
from qbo_sync_dagster.domain.errors import DomainError
from qbo_sync_dagster.domain.exception_record import ExceptionRecord
from qbo_sync_dagster.domain.money import to_minor
from qbo_sync_dagster.domain.own_money import Receipt
from qbo_sync_dagster.domain.payment_exceptions import payment_record
from qbo_sync_dagster.domain.payment_view import PaymentView, as_applied
from qbo_sync_dagster.domain.payments_out import (
    NOT_MAPPED,
    OutgoingPayment,
    PaidDocument,
    Verdict,
    line_for,
    outgoing_payment,
)
from qbo_sync_dagster.domain.payments_out_exceptions import (
    PUSH_KINDS,
    not_applied,
    not_pushed,
    push_in_closed_period,
    push_refused,
    too_little_open,
)
from qbo_sync_dagster.ledger import (
    audit,
    exceptions,
    links,
    operations,
    payment_links,
    postings,
)
from qbo_sync_dagster.quickbooks.errors import ClosedPeriodError, FaultError
from qbo_sync_dagster.quickbooks.objects import (
    Invoice,
    Payment,
    parse_invoice,
    parse_payment,
)
from qbo_sync_dagster.quickbooks.payment_bodies import payment_body
from qbo_sync_dagster.quickbooks.wire import encode_body
from qbo_sync_dagster.sync.context import CycleContext
from qbo_sync_dagster.sync.levels import Terms
from qbo_sync_dagster.sync.payment_books import PaymentBooks, load_books, load_choices
from qbo_sync_dagster.sync.payment_shown import payment_view
from qbo_sync_dagster.sync.payments_out import CLOSED, TOO_LITTLE_OPEN, push_key
from qbo_sync_dagster.sync.sending import Outgoing, Written
from qbo_sync_dagster.sync.translate import version


@dataclass(frozen=True, slots=True)
class _Ready:
    """A receipt that may go, with the invoice as QuickBooks shows it."""

    operation: operations.Operation
    receipt: Receipt
    document: PaidDocument
    payment: OutgoingPayment

    @property
    def agreed(self) -> PaymentView:
        """How the payment should look in QuickBooks."""
        return PaymentView(
            state=LIVE,
            customer_id=self.payment.customer_id,
            date=self.payment.date.isoformat(),
            currency=self.payment.currency,
            total_minor=self.payment.total_minor,
            lines={self.payment.quickbooks_invoice_id: self.payment.line_minor},
        )


class PaymentLevel:
    """The receipts of one cycle: judged, read, sent and linked."""

    def __init__(self, ctx: CycleContext, terms: Terms) -> None:
        self._ctx = ctx
        self._closing_date = terms.rules.closing_date
        self._ready: dict[str, _Ready] = {}
        # What each payment took of an invoice's balance since that was read.
        self._reserved: defaultdict[str, int] = defaultdict(int)
        self._own_payments: set[str] = set()

    def prepare(self, due: Sequence[operations.Operation]) -> list[Outgoing]:
        """Those that AlgaPSA's side lets go; their bodies follow from the read before sending."""
        books = self._books([operation.record_id for operation in due])
        return [Outgoing(each, "Payment", {}, {}) for each in due if self._may_go(books, each)]

    def still_current(self, outgoing: Sequence[Outgoing]) -> list[Outgoing]:
        """Those that may go now, complete; a payment without enough open on its invoice is held."""
        ready = self._read([item.operation for item in outgoing], may_hold=True)
        self._ready |= {each.receipt.row_id: each for each in ready}
        return [_outgoing(each) for each in ready]

    def unchanged(self, sent: Sequence[postings.Posting]) -> bool:
        """Whether all postings sent earlier are what would be sent now."""
        with self._ctx.reading() as connection:
            by_id = {
                operation.operation_id: operation
                for operation in operations.open_ones(connection, self._ctx.realm)
            }
        wanted = [by_id[posting.operation_id] for posting in sent]
        ready = {each.receipt.row_id: each for each in self._read(wanted, may_hold=False)}
        self._ready |= ready
        return all(
            posting.record_id in ready
            and encode_body(payment_body(ready[posting.record_id].payment)) == posting.body
            for posting in sent
        )

    def _books(self, row_ids: Sequence[str]) -> PaymentBooks:
        with self._ctx.reading() as connection:
            choices = load_choices(connection, self._ctx.realm)
        invoices = self._ctx.algapsa.invoices_of_payments(row_ids)
        return load_books(self._ctx, sorted(set(invoices.values())), choices)

    def _may_go(self, books: PaymentBooks, operation: operations.Operation) -> bool:
        receipt = books.receipt(operation.record_id)
        if receipt is None or receipt.row_id in books.pushed:
            return False  # withdrawn at the next cycle's stage 4
        verdict = books.verdict(receipt)
        if verdict is not Verdict.SEND:
            if verdict in NOT_MAPPED:
                record = not_pushed(receipt, books.documents[receipt.invoice_id], verdict)
                self._set_aside(operation, record, verdict.name, "", state="errored")
            return False
        if is_closed(_day(operation, receipt), self._closing_date):
            document = books.documents[receipt.invoice_id]
            record = push_in_closed_period(receipt, document, self._closing_date)
            self._set_aside(operation, record, CLOSED, "")
            return False
        return True

    def _read(self, wanted: Sequence[operations.Operation], *, may_hold: bool) -> list[_Ready]:
        books = self._books([operation.record_id for operation in wanted])
        free = [each for each in wanted if self._may_go(books, each)]
        invoices = self._invoices(books, free)
        self._reserved = defaultdict(int)
        with self._ctx.reading() as connection:
            ours = payment_links.of_invoices(connection, self._ctx.realm, books.documents)
        self._own_payments = {each.quickbooks_id for each in ours}
        ready = []
        for operation in free:
            receipt = books.receipt(operation.record_id)
            document = books.documents[receipt.invoice_id] if receipt else None
            invoice = invoices.get(document.quickbooks_id or "") if document else None
            if receipt is None or document is None or invoice is None:
                continue  # its drift is told on the invoice; nothing is sent to it
            line = self._line(books, receipt, invoice)
            if line is not None:
                payment = outgoing_payment(
                    self._ctx.realm,
                    receipt,
                    document,
                    customer_id=invoice.customer_id,
                    line_minor=line,
                    exchange_rate=invoice.exchange_rate,
                    deposit_account=self._ctx.connection.deposit_account,
                    day=_day(operation, receipt),
                )
                self._reserved[invoice.id] += line
                ready.append(_Ready(operation, receipt, document, payment))
            elif may_hold and not self._unseen(books, receipt, invoice):
                self._hold(books, operation, receipt, document, invoice)
        return ready

    def _invoices(
        self, books: PaymentBooks, free: Sequence[operations.Operation]
    ) -> dict[str, Invoice]:
        receipts = [receipt for each in free if (receipt := books.receipt(each.record_id))]
        ids = {books.documents[each.invoice_id].quickbooks_id or "" for each in receipts}
        found: dict[str, Invoice] = {}
        for raw in self._ctx.quickbooks.query_in("Invoice", "Id", sorted(ids)) if ids else ():
            try:
                invoice = parse_invoice(raw.payload)
            except DomainError:
                continue
            if not invoice.is_voided:
                found[invoice.id] = invoice
        return found

    def _line(self, books: PaymentBooks, receipt: Receipt, invoice: Invoice) -> int | None:
        """What goes to the invoice; None if it cannot go now."""
        if self._unseen(books, receipt, invoice):
            return None
        link = books.invoice_links[receipt.invoice_id]
        return line_for(
            receipt.net,
            to_minor(invoice.balance) - self._reserved[invoice.id],
            accepted_shortfall=max(0, -link.accepted_minor),
            are_both_real=bool(books.choices.both_real.get(receipt.row_id)),
        )

    def _unseen(self, books: PaymentBooks, receipt: Receipt, invoice: Invoice) -> bool:
        """Whether QuickBooks has a payment on it that no poll has brought yet: that comes first."""
        known = {*books.invoice_links[receipt.invoice_id].payment_ids, *self._own_payments}
        return not set(invoice.linked_payment_ids) <= known

    def _hold(
        self,
        books: PaymentBooks,
        operation: operations.Operation,
        receipt: Receipt,
        document: PaidDocument,
        invoice: Invoice,
    ) -> None:
        balance = max(0, to_minor(invoice.balance) - self._reserved[invoice.id])
        record = too_little_open(receipt, document, balance)
        key = push_key(receipt, books.invoice_links.get(receipt.invoice_id))
        self._set_aside(operation, record, TOO_LITTLE_OPEN, key)

    def _set_aside(
        self,
        operation: operations.Operation,
        record: ExceptionRecord,
        code: str,
        key: str,
        *,
        state: str = "held",
    ) -> None:
        with self._ctx.ledger() as connection:
            self._set_aside_in(connection, operation, record, code, key, state=state)

    def _set_aside_in(
        self,
        connection: sa.Connection,
        operation: operations.Operation,
        record: ExceptionRecord,
        code: str,
        key: str,
        *,
        state: str = "held",
    ) -> None:
        operations.change(
            connection,
            [operation.operation_id],
            state,
            reason=record.what_happened,
            reason_code=code,
            fingerprint=key,
        )
        exceptions.raise_all(connection, self._ctx.realm, [record])

    def done(self, connection: sa.Connection, written: Sequence[Written]) -> None:
        """Link the payments, and tell of what QuickBooks left unapplied."""
        realm = self._ctx.realm
        seen = {each.record_id: _seen(each) for each in written}
        new = [self._link(each, seen[each.record_id]) for each in written]
        payment_links.add(connection, realm, new)
        for link in new:
            if payment := seen[link.algapsa_id]:
                self._note_shown(connection, link, payment)
        audit.append(connection, realm, [self._effect(each) for each in written])
        records = [payment_record(each.record_id) for each in written]
        reason = "The payment is in QuickBooks."
        exceptions.resolve(connection, realm, PUSH_KINDS, records, reason)
        rows = [each.record_id for each in written]
        earlier = payment_links.replaced_payments(connection, realm, rows)
        drifted = [payment_record(each) for each in earlier]
        exceptions.resolve(connection, realm, [ExceptionKind.PAYMENT_DRIFT], drifted, reason)

    def _link(self, written: Written, payment: Payment | None) -> payment_links.NewPaymentLink:
        ready = self._ready[written.record_id]
        agreed = as_applied(ready.agreed, payment_view(payment)) if payment else ready.agreed
        return payment_links.NewPaymentLink(
            algapsa_id=written.record_id,
            quickbooks_id=written.answer.object.id,
            invoice_id=ready.receipt.invoice_id,
            origin="exported",
            snapshot=agreed.as_json(),
            sync_token=version(written.answer.object.sync_token),
            generation=written.operation.generation,
        )

    def _note_shown(
        self, connection: sa.Connection, link: payment_links.NewPaymentLink, payment: Payment
    ) -> None:
        ready, shown = self._ready[link.algapsa_id], payment_view(payment)
        payment_links.show(
            connection,
            self._ctx.realm,
            [payment.id],
            shown=shown.as_json(),
            sync_token=version(payment.sync_token),
        )
        agreed = PaymentView.from_json(link.snapshot)
        unapplied = ready.agreed.applied_minor - agreed.applied_minor
        if unapplied > 0:
            record = not_applied(ready.receipt, ready.document, payment.id, unapplied)
            exceptions.raise_all(connection, self._ctx.realm, [record])

    def _effect(self, written: Written) -> audit.Effect:
        return audit.Effect(
            side="quickbooks",
            effect="create payment",
            record=payment_record(written.record_id),
            after={
                "quickbooks_id": written.answer.object.id,
                "payment": self._ready[written.record_id].agreed.as_json(),
            },
            request_id=written.request_id,
            intuit_tid=written.answer.intuit_tid,
        )

    def refused(
        self,
        connection: sa.Connection,
        operation: operations.Operation,
        error: FaultError,
        *,
        is_final: bool,
    ) -> bool:
        """Tell people; a period closed meanwhile only holds it."""
        ready = self._ready[operation.record_id]
        if isinstance(error, ClosedPeriodError):
            record = push_in_closed_period(ready.receipt, ready.document, self._closing_date)
            self._set_aside_in(connection, operation, record, CLOSED, "")
            operations.bump(connection, operation.operation_id)
            return True
        if is_final:
            record = push_refused(ready.receipt, ready.document, str(error), error.intuit_tid)
            exceptions.raise_all(connection, self._ctx.realm, [record])
            linked = links.by_algapsa_id(
                connection, self._ctx.realm, "invoice", [ready.receipt.invoice_id]
            )
            key = push_key(ready.receipt, linked.get(ready.receipt.invoice_id))
            operations.remember(connection, operation.operation_id, key)
        return False


def _day(operation: operations.Operation, receipt: Receipt) -> date:
    chosen = operation.detail.get("date")
    return date.fromisoformat(chosen) if chosen else receipt.date


def _seen(written: Written) -> Payment | None:
    """The payment as its answer shows it; one that cannot be read is judged by the next poll."""
    try:
        payment = parse_payment(written.answer.object.payload)
        payment_view(payment)
    except DomainError:
        return None
    return payment


def _outgoing(ready: _Ready) -> Outgoing:
    payment = ready.payment
    return Outgoing(
        operation=ready.operation,
        entity="Payment",
        body=payment_body(payment),
        identity={
            "note": payment.note,
            "customer_id": payment.customer_id,
            "total_minor": payment.total_minor,
            "line_minor": payment.line_minor,
            "quickbooks_invoice_id": payment.quickbooks_invoice_id,
            "date": payment.date.isoformat(),
            "currency": payment.currency,
            "invoice_id": ready.receipt.invoice_id,
        },
    )
