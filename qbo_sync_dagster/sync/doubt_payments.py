"""Doubt about payments: recognised by the marker in their private note."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

import sqlalchemy as sa

from qbo_sync_dagster.domain.document_view import LIVE
from qbo_sync_dagster.domain.errors import DomainError
from qbo_sync_dagster.domain.exception_record import ExceptionRecord
from qbo_sync_dagster.domain.identity import Findings
from qbo_sync_dagster.domain.operation_kinds import PUSH_PAYMENT
from qbo_sync_dagster.domain.own_money import own_money
from qbo_sync_dagster.domain.payment_exceptions import payment_record
from qbo_sync_dagster.domain.payment_view import PaymentView, as_applied
from qbo_sync_dagster.domain.payments_out import PaidDocument
from qbo_sync_dagster.domain.payments_out_exceptions import PUSH_KINDS, not_applied
from qbo_sync_dagster.domain.sync_marker import markers_in
from qbo_sync_dagster.ledger import audit, document_links, exceptions, payment_links, postings
from qbo_sync_dagster.quickbooks.answers import RawObject
from qbo_sync_dagster.quickbooks.objects import Payment, parse_payment
from qbo_sync_dagster.sync.context import CycleContext
from qbo_sync_dagster.sync.payment_shown import payment_view
from qbo_sync_dagster.sync.poll import Polled
from qbo_sync_dagster.sync.recognition import EditedObjects, newest
from qbo_sync_dagster.sync.translate import version


class PaymentRecogniser:
    """The unlinked payments of a poll, and how many deletions and voids nobody can place."""

    kinds = (PUSH_PAYMENT,)

    def __init__(self, ctx: CycleContext, polled: Polled) -> None:
        self._ctx = ctx
        self._shown: dict[str, tuple[Payment, PaymentView]] = {}
        self._unknown_gone = int("Payment" in polled.blind)
        self._edited = EditedObjects(polled)
        with ctx.reading() as connection:
            # What we took back ourselves is no unknown deletion.
            linked = payment_links.ever_linked(connection, ctx.realm)
            linked |= document_links.known_objects(connection, ctx.realm, "credit_application")
        for item in newest(polled.objects):
            if item.entity == "Payment" and item.id not in linked:
                self._note(item)

    def _note(self, item: RawObject) -> None:
        if item.deleted:
            self._unknown_gone += 1
            return
        try:
            payment = parse_payment(item.payload)
            self._shown[item.id] = payment, payment_view(payment)
            if not markers_in(payment.private_note):
                self._edited.note(item)
        except DomainError:
            # An object that cannot be read may be the one in doubt.
            self._unknown_gone += 1

    def findings(self, unanswered: Sequence[postings.Posting]) -> Mapping[int, Findings]:
        """The payments that bear the marker sent; those with customer and amount are suspects."""
        return {posting.posting_id: self._of(posting, posting.identity) for posting in unanswered}

    def _of(self, posting: postings.Posting, identity: Mapping[str, object]) -> Findings:
        *_, marker = markers_in(str(identity["note"]))
        own = tuple(
            key for key, (payment, _) in self._shown.items() if marker in payment.private_note
        )
        suspects = sum(
            _could_be(view, identity)
            for payment, view in self._shown.values()
            if not markers_in(payment.private_note)
        )
        edited = self._edited.that_may_be(posting, but=own)
        return Findings(own, suspects + edited + self._unknown_gone)

    def adopt(self, connection: sa.Connection, posting: postings.Posting, object_id: str) -> bool:
        """Link the receipt to the payment, which should look as it was sent."""
        if posting.record_id not in self._ctx.algapsa.invoices_of_payments([posting.record_id]):
            return False
        payment, shown = self._shown[object_id]
        agreed = sent_payment(posting.identity)
        link_payment(
            connection,
            self._ctx,
            payment_links.NewPaymentLink(
                algapsa_id=posting.record_id,
                quickbooks_id=object_id,
                invoice_id=str(posting.identity["invoice_id"]),
                origin="adopted",
                snapshot=agreed.as_json(),
                sync_token=version(payment.sync_token),
                generation=posting.generation,
            ),
            shown,
            request_id=posting.request_id,
        )
        return True


def sent_payment(identity: Mapping[str, object]) -> PaymentView:
    """How a payment that was sent should look, from what its posting keeps."""
    return PaymentView(
        state=LIVE,
        customer_id=str(identity["customer_id"]),
        date=str(identity["date"]),
        currency=str(identity["currency"]),
        total_minor=int(str(identity["total_minor"])),
        lines={str(identity["quickbooks_invoice_id"]): int(str(identity["line_minor"]))},
    )


def link_payment(
    connection: sa.Connection,
    ctx: CycleContext,
    new: payment_links.NewPaymentLink,
    shown: PaymentView,
    *,
    request_id: str | None = None,
) -> None:
    """Take a payment that stands in QuickBooks for the receipt of AlgaPSA that it is.

    The snapshot of `new` says how it was sent.
    """
    sent = PaymentView.from_json(new.snapshot)
    agreed = as_applied(sent, shown)
    payment_links.add(connection, ctx.realm, [replace(new, snapshot=agreed.as_json())])
    payment_links.show(
        connection,
        ctx.realm,
        [new.quickbooks_id],
        shown=shown.as_json(),
        sync_token=new.sync_token or 0,
    )
    record = payment_record(new.algapsa_id)
    effect = audit.Effect(
        side="ledger",
        effect="adopt payment",
        record=record,
        after={"quickbooks_id": new.quickbooks_id, "payment": shown.as_json()},
        request_id=request_id,
    )
    audit.append(connection, ctx.realm, [effect])
    exceptions.resolve(connection, ctx.realm, PUSH_KINDS, [record], "The payment is in QuickBooks.")
    unapplied = sent.applied_minor - agreed.applied_minor
    if unapplied > 0:
        exceptions.raise_all(connection, ctx.realm, told_unapplied(ctx, new, unapplied))


def told_unapplied(
    ctx: CycleContext,
    link: payment_links.NewPaymentLink | payment_links.PaymentLink,
    unapplied_minor: int,
) -> list[ExceptionRecord]:
    """The exception of a payment of ours of which QuickBooks left a part unapplied.

    Raises the gateway's errors.
    """
    invoices = [link.invoice_id] if link.invoice_id else []
    money = own_money(ctx.algapsa.payments(invoices))
    receipts = {receipt.row_id: receipt for receipt in money.receipts}
    return [
        not_applied(
            receipts[link.algapsa_id],
            PaidDocument(header.invoice_id, header.number, header.client_id, header.currency),
            link.quickbooks_id,
            unapplied_minor,
        )
        for header in ctx.algapsa.document_headers(invoices)
        if link.algapsa_id in receipts
    ]


def _could_be(view: PaymentView, identity: Mapping[str, object]) -> bool:
    # A void shows neither amount nor note; a person may have changed the note of a live one.
    if view.state != LIVE:
        return view.customer_id == identity["customer_id"]
    return (view.customer_id, view.total_minor) == (
        identity["customer_id"],
        identity["total_minor"],
    )
