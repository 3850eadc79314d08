"""From the QuickBooks gateway's values to those of the ledger and the rules, field by field."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal
from typing import Any

from qbo_sync_dagster.domain.document_view import LIVE, VOIDED, DocumentView, LineView, iso
from qbo_sync_dagster.domain.export import ExportDocument
from qbo_sync_dagster.domain.identity import DocumentIdentity
from qbo_sync_dagster.domain.money import to_minor
from qbo_sync_dagster.ledger.inbox import Delivered
from qbo_sync_dagster.quickbooks.answers import RawObject
from qbo_sync_dagster.quickbooks.objects import DocumentLine, SalesDocument
from qbo_sync_dagster.quickbooks.wire import decode_json

# A deletion has no token; it is the last version whatever came before.
DELETED_VERSION = -1


def delivered(raw: RawObject) -> Delivered:
    """An object for the inbox."""
    return Delivered(
        entity=raw.entity,
        object_id=raw.id,
        version=DELETED_VERSION if raw.deleted else _readable(raw.sync_token),
        deleted=raw.deleted,
        updated_at=raw.updated_at,
        payload=raw.payload,
    )


def version(sync_token: str | None) -> int:
    """A SyncToken as a number; one that is none is version 0."""
    return _readable(sync_token) or 0


def _readable(sync_token: str | None) -> int | None:
    token = sync_token or ""
    return int(token) if token.isdecimal() and len(token) <= 18 else None


def document_view(document: SalesDocument) -> DocumentView:
    """An invoice or credit memo in the fields that we export.

    Raises MoneyError for an amount that books cannot hold.
    """
    return DocumentView(
        state=VOIDED if document.is_voided else LIVE,
        number=document.doc_number or "",
        customer_id=document.customer_id,
        currency=document.currency or "",
        date=iso(document.date),
        due_date=iso(document.due_date),
        total_minor=to_minor(document.total),
        tax_minor=to_minor(document.tax_total),
        lines=() if document.is_voided else tuple(_line_view(line) for line in document.lines),
    )


def sent_view(body: bytes, shown: DocumentView) -> DocumentView:
    """How the invoice that was sent should look, given what QuickBooks computed by itself.

    Totals are compared apart from this, since QuickBooks computes them.
    """
    sent = decode_json(body)
    if not isinstance(sent, dict):
        return shown
    return replace(
        shown,
        number=str(sent.get("DocNumber", "")),
        date=str(sent.get("TxnDate", "")),
        due_date=str(sent.get("DueDate", "")),
        lines=tuple(_sent_line(line) for line in sent.get("Line", ())),
    )


def _sent_line(line: dict[str, Any]) -> LineView:
    detail = line["SalesItemLineDetail"]
    return LineView(
        item_id=detail["ItemRef"]["value"],
        quantity=_plain(Decimal(detail["Qty"])) if "Qty" in detail else "",
        amount_minor=to_minor(line["Amount"]),
        class_id=detail.get("ClassRef", {}).get("value", ""),
        tax_code=detail.get("TaxCodeRef", {}).get("value", ""),
    )


def identity(document: ExportDocument) -> DocumentIdentity:
    """What an exported document is recognised by in QuickBooks."""
    return DocumentIdentity(
        number=document.number,
        customer_id=document.customer_id,
        total_minor=document.total_minor,
        date=document.invoice_date.isoformat(),
        line_amounts=tuple(to_minor(line.amount) for line in document.lines),
    )


def _line_view(line: DocumentLine) -> LineView:
    return LineView(
        item_id=line.item_id or "",
        quantity=_plain(line.quantity),
        amount_minor=to_minor(line.amount),
        class_id=line.class_id or "",
        tax_code=line.tax_code or "",
    )


def _plain(number: Decimal | None) -> str:
    return "" if number is None else f"{number.normalize():f}"
