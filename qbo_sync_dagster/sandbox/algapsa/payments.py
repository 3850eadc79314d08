"""Money that AlgaPSA itself records: payments, Stripe payments, reversals and refunds.

The canonical rows: one `invoice_payments` and one `transactions` row per movement, and the status
computed anew. A row is never changed and never deleted; a movement back is a negative row.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime
from typing import Any
from uuid import uuid4

from sqlalchemy import Connection, Row

from qbo_sync_dagster.sandbox.algapsa.errors import AlgaRefusedError
from qbo_sync_dagster.sandbox.algapsa.rows import (
    derived_id,
    fetch,
    fetch_one,
    insert_rows,
    midnight,
    run,
)

_UNPAYABLE = frozenset({"cancelled", "draft", "void"})
_LOCK = """
    SELECT invoice_id::text, client_id::text, status, currency_code, invoice_number
    FROM invoices WHERE tenant = :tenant AND invoice_id = ANY(CAST(:invoices AS uuid[]))
    ORDER BY invoice_id FOR UPDATE
"""
_PAYMENT = """
    SELECT p.payment_id::text, p.invoice_id::text, p.amount, p.payment_method AS method,
        p.reference_number, i.client_id::text, i.currency_code
    FROM invoice_payments p
    JOIN invoices i ON i.tenant = p.tenant AND i.invoice_id = p.invoice_id
    WHERE p.tenant = :tenant AND p.payment_id = :payment
"""
_NET = """
    WITH net AS (
        SELECT i.invoice_id, i.status, COALESCE(sum(p.amount), 0) AS paid,
            i.total_amount - COALESCE(i.credit_applied, 0) AS due
        FROM invoices i LEFT JOIN invoice_payments p
            ON p.tenant = i.tenant AND p.invoice_id = i.invoice_id
        WHERE i.tenant = :tenant AND i.invoice_id = ANY(CAST(:invoices AS uuid[]))
        GROUP BY i.tenant, i.invoice_id
    ), computed AS (SELECT invoice_id, {rule} AS status FROM net)
    UPDATE invoices i SET status = computed.status, updated_at = now()
    FROM computed
    WHERE i.tenant = :tenant AND i.invoice_id = computed.invoice_id
        AND i.status <> computed.status
"""
_AFTER_PAYMENT = _NET.format(
    rule="""CASE WHEN paid > 0 AND due - paid <= 0 THEN 'paid'
        WHEN paid > 0 THEN 'partially_applied'
        WHEN status IN ('paid', 'partially_applied') THEN 'sent'
        ELSE status END"""
)
# A refund does not look at the status it finds, unlike a reversal.
_AFTER_REFUND = _NET.format(
    rule="""CASE WHEN paid <= 0 THEN 'sent'
        WHEN paid < due THEN 'partially_applied'
        ELSE status END"""
)


@dataclass(frozen=True, slots=True)
class Payment:
    """A payment of `amount` cents on one invoice. `paid_on` as a date is midnight UTC."""

    invoice_id: str
    amount: int
    paid_on: date | datetime
    method: str = "check"
    reference: str | None = None
    notes: str | None = None
    currency: str | None = None
    payment_id: str = ""
    created_at: datetime | None = None


def record_payment(connection: Connection, tenant: str, payment: Payment) -> str:
    """Record one payment; returns its id. Overpayment is accepted, as in AlgaPSA."""
    return record_payments(connection, tenant, [payment])[0]


def record_payments(connection: Connection, tenant: str, payments: Sequence[Payment]) -> list[str]:
    """Record many payments at once; refused as a whole if one invoice takes none."""
    ids = sorted({payment.invoice_id for payment in payments})
    invoices = {row.invoice_id: row for row in _locked(connection, tenant, ids)}
    now = fetch_one(connection, "SELECT now()")[0]
    filled = [
        replace(each, payment_id=each.payment_id or str(uuid4()), created_at=each.created_at or now)
        for each in payments
    ]
    for payment in filled:
        _refuse_unpayable(invoices[payment.invoice_id], payment)
    insert_rows(connection, "invoice_payments", [_payment_row(tenant, each) for each in filled])
    rows = [_transaction_row(tenant, each, invoices[each.invoice_id]) for each in filled]
    insert_rows(connection, "transactions", rows)
    run(connection, _AFTER_PAYMENT, tenant=tenant, invoices=ids)
    return [payment.payment_id for payment in filled]


def record_stripe_payment(
    connection: Connection, tenant: str, invoice_id: str, amount: int, *, paid_at: datetime
) -> str:
    """A client pays by card: the payment carries the instant of the charge, not a date."""
    reference = f"pi_{uuid4().hex[:24]}"
    payment = Payment(invoice_id, amount, paid_at, method="stripe", reference=reference)
    return record_payment(connection, tenant, payment)


def reverse_payment(
    connection: Connection, tenant: str, payment_id: str, amount: int | None = None
) -> str:
    """Take `amount` cents (default: all) of a payment back, as of a bounced cheque: a negative row.

    Returns the row's id.
    """
    original = fetch_one(connection, _PAYMENT, tenant=tenant, payment=payment_id)
    taken = original.amount if amount is None else amount
    reference = f"reversal:{original.reference_number or payment_id}"
    row = _movement_back(tenant, original, taken, "reversed", reference, original.method)
    insert_rows(connection, "invoice_payments", [row])
    transaction = _transaction_back(tenant, original, taken, "payment_reversal")
    insert_rows(connection, "transactions", [transaction])
    run(connection, _AFTER_PAYMENT, tenant=tenant, invoices=[original.invoice_id])
    return str(row["payment_id"])


def refund_payment(
    connection: Connection,
    tenant: str,
    payment_id: str,
    amount: int | None = None,
    *,
    method: str = "stripe_refund",
) -> str:
    """Give `amount` cents (default: all) of a payment back to the client; returns the row's id."""
    original = fetch_one(connection, _PAYMENT, tenant=tenant, payment=payment_id)
    refunded = original.amount if amount is None else amount
    kind = "refund_full" if refunded == original.amount else "refund_partial"
    reference = f"re_{uuid4().hex[:24]}"
    row = _movement_back(tenant, original, refunded, "refunded", reference, method)
    insert_rows(connection, "invoice_payments", [row])
    transaction = _transaction_back(tenant, original, refunded, kind)
    insert_rows(connection, "transactions", [transaction])
    run(connection, _AFTER_REFUND, tenant=tenant, invoices=[original.invoice_id])
    return str(row["payment_id"])


def _locked(connection: Connection, tenant: str, ids: Sequence[str]) -> Sequence[Row[Any]]:
    return fetch(connection, _LOCK, tenant=tenant, invoices=list(ids))


def _refuse_unpayable(invoice: Row[Any], payment: Payment) -> None:
    if invoice.status in _UNPAYABLE:
        raise AlgaRefusedError(f"{invoice.invoice_number} is {invoice.status}.")
    if payment.currency not in {None, invoice.currency_code}:
        raise AlgaRefusedError(f"{invoice.invoice_number} is in {invoice.currency_code}.")


def _payment_row(tenant: str, payment: Payment) -> dict[str, object]:
    return {
        "payment_id": payment.payment_id,
        "tenant": tenant,
        "invoice_id": payment.invoice_id,
        "amount": payment.amount,
        "payment_method": payment.method,
        "payment_date": _instant(payment.paid_on),
        "reference_number": payment.reference,
        "notes": payment.notes,
        "status": "completed",
        "metadata": {},
        "created_at": payment.created_at,
        "updated_at": payment.created_at,
    }


def _transaction_row(tenant: str, payment: Payment, invoice: Row[Any]) -> dict[str, object]:
    return {
        "transaction_id": derived_id(payment.payment_id, "transaction"),
        "tenant": tenant,
        "invoice_id": payment.invoice_id,
        "client_id": invoice.client_id,
        "type": "payment",
        "amount": payment.amount,
        "status": "completed",
        "currency_code": invoice.currency_code,
        "description": f"Payment received via {payment.method}",
        "reference_number": payment.reference,
        "created_at": payment.created_at,
        "metadata": {
            "payment_provider": payment.method,
            "reference_number": payment.reference,
            "currency": invoice.currency_code,
        },
    }


def _movement_back(
    tenant: str,
    original: Row[Any],
    amount: int,
    status: str,
    reference: str,
    method: str,
) -> dict[str, object]:
    return {
        "payment_id": str(uuid4()),
        "tenant": tenant,
        "invoice_id": original.invoice_id,
        "amount": -amount,
        "payment_method": method,
        "reference_number": reference,
        "status": status,
    }


def _transaction_back(tenant: str, original: Row[Any], amount: int, kind: str) -> dict[str, object]:
    return {
        "transaction_id": str(uuid4()),
        "tenant": tenant,
        "invoice_id": original.invoice_id,
        "client_id": original.client_id,
        "type": kind,
        "amount": -amount,
        "status": "completed",
        "currency_code": original.currency_code,
    }


def _instant(moment: date | datetime) -> datetime:
    return moment if isinstance(moment, datetime) else midnight(moment)
