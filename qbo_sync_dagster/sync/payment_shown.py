"""From a payment of the QuickBooks gateway to what the rules and the ledger keep of it."""

from __future__ import annotations

from qbo_sync_dagster.domain.document_view import LIVE, VOIDED, iso
from qbo_sync_dagster.domain.errors import DomainError
from qbo_sync_dagster.domain.money import to_minor
from qbo_sync_dagster.domain.payment_view import PaymentView
from qbo_sync_dagster.quickbooks.answers import RawObject
from qbo_sync_dagster.quickbooks.objects import Payment, parse_payment
from qbo_sync_dagster.sync.translate import version


def payment_view(payment: Payment) -> PaymentView:
    """The payment in what a push agrees on. Raises MoneyError for an amount books cannot hold."""
    lines: dict[str, int] = {}
    for invoice, amount in payment.invoice_lines:
        lines[invoice] = lines.get(invoice, 0) + to_minor(amount)
    return PaymentView(
        state=VOIDED if payment.is_void else LIVE,
        customer_id=payment.customer_id,
        date=iso(payment.date),
        currency=payment.currency or "",
        total_minor=to_minor(payment.total),
        lines=lines,
    )


def readable_payment(raw: RawObject | None) -> Payment | None:
    """The payment that QuickBooks shows; None where it is gone or cannot be read."""
    if raw is None or raw.deleted:
        return None
    try:
        payment = parse_payment(raw.payload)
        payment_view(payment)
    except DomainError:
        return None
    return payment


def shown_by(raw: RawObject) -> tuple[PaymentView, int] | None:
    """The payment as books compare it, and its version; None where it cannot be read."""
    payment = readable_payment(raw)
    return (payment_view(payment), version(payment.sync_token)) if payment else None
