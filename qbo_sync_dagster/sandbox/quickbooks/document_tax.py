"""Sales tax of a document: what is taken as sent, what QuickBooks works out by itself.

Belongs here: TxnTaxDetail. Does not: lines.
"""

from __future__ import annotations

from decimal import ROUND_HALF_UP, Decimal

from qbo_sync_dagster.sandbox.quickbooks import schema
from qbo_sync_dagster.sandbox.quickbooks.books import ZERO, Books
from qbo_sync_dagster.sandbox.quickbooks.document_lines import CENT, Lines
from qbo_sync_dagster.sandbox.quickbooks.faults import bad_reference, fault
from qbo_sync_dagster.sandbox.quickbooks.objects import Record
from qbo_sync_dagster.sandbox.quickbooks.wire import Json

_TAX_LINE = schema.nested(
    {
        "Amount": schema.amount,
        "DetailType": schema.one_of("TaxLineDetail"),
        "TaxLineDetail": schema.nested(
            {
                "TaxRateRef": schema.reference,
                "PercentBased": schema.flag,
                "TaxPercent": schema.number,
                "NetAmountTaxable": schema.amount,
            }
        ),
    }
)
tax_check = schema.nested(
    {
        "TxnTaxCodeRef": schema.reference,
        "TotalTax": schema.amount,
        "TaxLine": schema.listed(_TAX_LINE),
    }
)


def build_tax(books: Books, document: Json, lines: Lines, customer: Record) -> Json:
    """TxnTaxDetail of a document whose lines are known."""
    sent: Json = document.get("TxnTaxDetail") or {}
    _check_calculation(books, document)
    if not books.switches.using_sales_tax:
        return {"TotalTax": ZERO}
    if books.switches.automated_sales_tax:
        return _automated(books, document, lines, customer)
    return _as_sent(books, document, sent, lines)


def _check_calculation(books: Books, document: Json) -> None:
    """Outside the US a document says how its amounts relate to tax."""
    calculation = document.get("GlobalTaxCalculation")
    if books.switches.country == "US":
        return
    if calculation is None:
        raise fault("6000", "GlobalTaxCalculation is required", "GlobalTaxCalculation")
    if calculation == "TaxInclusive":
        raise fault("500", "This sandbox does not model TaxInclusive amounts")


def _automated(books: Books, document: Json, lines: Lines, customer: Record) -> Json:
    """QuickBooks' own tax replaces what was sent; without an address it is nothing."""
    addresses = (document, customer.content)
    if not any(each.get(name) for each in addresses for name in ("ShipAddr", "BillAddr")):
        return {"TotalTax": ZERO}
    base = _base(document, lines)
    total = _percent(books, base)
    detail = {
        "TaxRateRef": {"value": "1"},
        "PercentBased": True,
        "TaxPercent": Decimal(books.switches.sales_tax_percent),
        "NetAmountTaxable": base,
    }
    line = {"Amount": total, "DetailType": "TaxLineDetail", "TaxLineDetail": detail}
    return {"TxnTaxCodeRef": {"value": "2"}, "TotalTax": total, "TaxLine": [line]}


def _as_sent(books: Books, document: Json, sent: Json, lines: Lines) -> Json:
    detail = {**sent}
    code = sent.get("TxnTaxCodeRef")
    if code is not None and books.get("TaxCode", code["value"]) is None:
        raise bad_reference("TaxCodes", code["value"])
    if "TotalTax" not in detail:
        detail["TotalTax"] = _percent(books, _base(document, lines)) if code else ZERO
    return detail


def _base(document: Json, lines: Lines) -> Decimal:
    """What is taxed: the taxable lines, less their share of the discount if that comes first."""
    if not document.get("ApplyTaxAfterDiscount") or not lines.subtotal:
        return lines.taxable
    share = lines.discount * lines.taxable / lines.subtotal
    return (lines.taxable - share).quantize(CENT, ROUND_HALF_UP)


def _percent(books: Books, base: Decimal) -> Decimal:
    rate = Decimal(books.switches.sales_tax_percent)
    return (base * rate / 100).quantize(CENT, ROUND_HALF_UP)
