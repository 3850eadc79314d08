"""What we send of payments: their JSON bodies, in Intuit's field names."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from qbo_sync_dagster.domain.money import to_decimal
from qbo_sync_dagster.domain.payments_out import OutgoingPayment


def payment_body(payment: OutgoingPayment) -> dict[str, Any]:
    """The body that creates a payment. Without a deposit account it goes to Undeposited Funds."""
    body: dict[str, Any] = {
        "CustomerRef": {"value": payment.customer_id},
        "TotalAmt": to_decimal(payment.total_minor),
        "TxnDate": payment.date.isoformat(),
        "CurrencyRef": {"value": payment.currency},
        "Line": _lines(payment.quickbooks_invoice_id, payment.line_minor),
        "PrivateNote": payment.note,
    }
    if payment.reference:
        body["PaymentRefNum"] = payment.reference
    if payment.deposit_account:
        body["DepositToAccountRef"] = {"value": payment.deposit_account}
    if payment.exchange_rate is not None:
        body["ExchangeRate"] = payment.exchange_rate
    return body


def payment_change_body(
    object_id: str,
    sync_token: str,
    *,
    customer_id: str,
    date: str,
    currency: str | None,
    exchange_rate: Decimal | None,
    total_minor: int,
    quickbooks_invoice_id: str,
    line_minor: int,
) -> dict[str, Any]:
    """The body of an update: QuickBooks wants customer, total and lines whole.

    Currency and rate are those of the payment that stands; nothing else is touched.
    """
    body: dict[str, Any] = {
        "Id": object_id,
        "SyncToken": sync_token,
        "sparse": True,
        "CustomerRef": {"value": customer_id},
        "TxnDate": date,
        "TotalAmt": to_decimal(total_minor),
        "Line": _lines(quickbooks_invoice_id, line_minor),
    }
    if currency:
        body["CurrencyRef"] = {"value": currency}
    if exchange_rate is not None:
        body["ExchangeRate"] = exchange_rate
    return body


def payment_removal_body(object_id: str, sync_token: str) -> dict[str, Any]:
    """The body of a deletion."""
    return {"Id": object_id, "SyncToken": sync_token}


def _lines(invoice_id: str, minor: int) -> list[dict[str, Any]]:
    if not minor:
        return []
    linked = [{"TxnId": invoice_id, "TxnType": "Invoice"}]
    return [{"Amount": to_decimal(minor), "LinkedTxn": linked}]
