"""What we send: the JSON bodies of our documents and customers, in Intuit's field names.

What belongs here: which field carries which value. What does not: what the value is (domain).
"""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from qbo_sync_dagster.domain.credits_out import ExportCredit
from qbo_sync_dagster.domain.export import ExportDocument, ExportLine
from qbo_sync_dagster.domain.money import to_decimal
from qbo_sync_dagster.quickbooks.objects import SalesDocument

SALES_LINE = "SalesItemLineDetail"


def document_body(document: ExportDocument) -> dict[str, Any]:
    """The body that creates an invoice or a credit memo."""
    body: dict[str, Any] = {
        "DocNumber": document.number,
        "CustomerRef": _reference(document.customer_id),
        "TxnDate": document.invoice_date.isoformat(),
        "CurrencyRef": _reference(document.currency),
        "Line": [_line(line) for line in document.lines],
    }
    if document.due_date is not None:
        body["DueDate"] = document.due_date.isoformat()
    if document.term_id is not None:
        body["SalesTermRef"] = _reference(document.term_id)
    if document.tax_minor:
        body["TxnTaxDetail"] = {"TotalTax": to_decimal(document.tax_minor)}
    if document.tax_is_excluded:
        body["GlobalTaxCalculation"] = "TaxExcluded"
    if document.exchange_rate is not None:
        body["ExchangeRate"] = document.exchange_rate
    if document.email:
        body["BillEmail"] = {"Address": document.email}
    if document.department_id:
        body["DepartmentRef"] = _reference(document.department_id)
    if document.note:
        body["PrivateNote"] = document.note
    return body


def credit_body(credit: ExportCredit) -> dict[str, Any]:
    """The body of the payment of nothing that applies a credit memo to an invoice."""
    amount = to_decimal(credit.minor)
    body: dict[str, Any] = {
        "CustomerRef": _reference(credit.customer_id),
        "TotalAmt": to_decimal(0),
        "TxnDate": credit.date.isoformat(),
        "PrivateNote": credit.marker,
        "Line": [
            {"Amount": amount, "LinkedTxn": [{"TxnId": txn_id, "TxnType": txn_type}]}
            for txn_id, txn_type in (
                (credit.invoice_id, "Invoice"),
                (credit.memo_id, "CreditMemo"),
            )
        ],
    }
    if credit.currency:
        body["CurrencyRef"] = _reference(credit.currency)
    if credit.exchange_rate is not None:
        body["ExchangeRate"] = credit.exchange_rate
    return body


def update_body(document: ExportDocument, standing: SalesDocument) -> dict[str, Any]:
    """The body that brings the object `standing` in QuickBooks back to this document.

    Sparse: what it does not name stays. Lines are replaced as a whole, so they keep their ids.
    """
    body = document_body(document)
    ids = [line.id for line in standing.lines if line.kind == SALES_LINE]
    lines = [
        {**line, "Id": ids[place]} if place < len(ids) and ids[place] else line
        for place, line in enumerate(body["Line"])
    ]
    tax = {"TotalTax": to_decimal(document.tax_minor)}
    named = {"Id": standing.id, "SyncToken": standing.sync_token, "sparse": True}
    # The mark of a void is a note, which would stay.
    unmarked = {"PrivateNote": document.note or ""} if standing.is_voided else {}
    return {**body, **unmarked, **named, "Line": lines, "TxnTaxDetail": tax}


def customer_body(name: str, email: str | None, currency: str | None) -> dict[str, Any]:
    """The body that creates a customer; `currency` only where the company has several."""
    body: dict[str, Any] = {"DisplayName": name, "CompanyName": name}
    if email:
        body["PrimaryEmailAddr"] = {"Address": email}
    if currency:
        body["CurrencyRef"] = _reference(currency)
    return body


def _line(line: ExportLine) -> dict[str, Any]:
    detail: dict[str, Any] = {"ItemRef": _reference(line.item_id)}
    optional: dict[str, Decimal | dict[str, str] | str | None] = {
        "Qty": line.quantity,
        "UnitPrice": line.unit_price,
        "TaxCodeRef": _reference(line.tax_code) if line.tax_code else None,
        "ClassRef": _reference(line.class_id) if line.class_id else None,
        "ServiceDate": line.service_date.isoformat() if line.service_date else None,
    }
    detail |= {name: value for name, value in optional.items() if value is not None}
    return {
        "DetailType": SALES_LINE,
        "Amount": line.amount,
        "Description": line.description,
        "SalesItemLineDetail": detail,
    }


def _reference(value: str) -> dict[str, str]:
    return {"value": value}
