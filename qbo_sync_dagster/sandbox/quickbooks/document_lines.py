"""The lines of invoices and credit memos: what a client sends, what QuickBooks makes of them.

Belongs here: lines, subtotal, discount and tax. Does not: balances and links.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import ROUND_HALF_UP, Decimal

from qbo_sync_dagster.sandbox.quickbooks import references, schema
from qbo_sync_dagster.sandbox.quickbooks.books import ZERO, Books
from qbo_sync_dagster.sandbox.quickbooks.faults import bad_reference, fault, missing
from qbo_sync_dagster.sandbox.quickbooks.schema import Schema
from qbo_sync_dagster.sandbox.quickbooks.wire import Json

CENT = Decimal("0.01")
SALES, DISCOUNT, SUBTOTAL, DESCRIPTION = (
    "SalesItemLineDetail",
    "DiscountLineDetail",
    "SubTotalLineDetail",
    "DescriptionOnly",
)
# QuickBooks fills a line without an item with its first one.
_DEFAULT_ITEM = "1"

_SALES_DETAIL: Schema = {
    "ItemRef": schema.reference,
    "ClassRef": schema.reference,
    "UnitPrice": schema.number,
    "Qty": schema.number,
    "TaxCodeRef": schema.reference,
    "ServiceDate": schema.day,
    "ItemAccountRef": None,
}
_DISCOUNT_DETAIL: Schema = {
    "PercentBased": schema.flag,
    "DiscountPercent": schema.number,
    "DiscountAccountRef": schema.reference,
}
_LINE: Schema = {
    "Id": schema.text(20),
    "LineNum": None,
    "Description": schema.text(4000),
    "Amount": schema.amount,
    "DetailType": schema.one_of(SALES, DISCOUNT, SUBTOTAL, DESCRIPTION),
    SALES: schema.nested(_SALES_DETAIL),
    DISCOUNT: schema.nested(_DISCOUNT_DETAIL),
    SUBTOTAL: None,
    "DescriptionLineDetail": schema.nested(
        {"ServiceDate": schema.day, "TaxCodeRef": schema.reference}
    ),
    "LinkedTxn": None,
    "CustomExtensions": None,
}

lines_check = schema.listed(schema.nested(_LINE))


@dataclass(frozen=True, slots=True)
class Lines:
    """The lines as shown, with the sums that totals are made of."""

    shown: list[Json]
    subtotal: Decimal
    discount: Decimal
    taxable: Decimal


def build_lines(books: Books, sent: Sequence[Json], known: Sequence[Json]) -> Lines:
    """Lines for an answer from the lines sent; `known` are the stored ones, whose ids stay."""
    numbered = _numbered([line for line in sent if line.get("DetailType") != SUBTOTAL], known)
    body = [_line(books, line) for line in numbered if line.get("DetailType") != DISCOUNT]
    if not body:
        raise fault("2250", "At least one line is needed", "Line")
    subtotal = sum((line.get("Amount", ZERO) for line in body), ZERO)
    discounts = [_discount(line, subtotal) for line in sent if line.get("DetailType") == DISCOUNT]
    if len(discounts) > 1:
        raise fault("6000", "Only one discount line is allowed", "Line")
    discount = sum((line["Amount"] for line in discounts), ZERO)
    taxable = sum((line["Amount"] for line in body if _is_taxable(books, line)), ZERO)
    total: Json = {"Amount": subtotal, "DetailType": SUBTOTAL, SUBTOTAL: {}}
    return Lines([*body, total, *discounts], subtotal, discount, taxable)


def zeroed(lines: Sequence[Json]) -> list[Json]:
    """The lines of a voided document: amounts and quantities zero, unit prices dropped."""
    result = []
    for line in lines:
        voided = {**line, "Amount": ZERO} if "Amount" in line else dict(line)
        if detail := line.get(SALES):
            kept = {name: value for name, value in detail.items() if name != "UnitPrice"}
            voided[SALES] = {**kept, "Qty": ZERO} if "Qty" in kept else kept
        result.append(voided)
    return result


def _numbered(lines: list[Json], known: Sequence[Json]) -> list[Json]:
    """Known ids stay; a line without one gets an id the document never had before."""
    old_ids = {line["Id"] for line in known if "Id" in line}
    fresh = max((int(each) for each in old_ids), default=0)
    result = []
    place = 0
    for line in lines:
        if line.get("DetailType") == DISCOUNT:
            continue
        place += 1
        identity = line.get("Id")
        if identity not in old_ids:
            fresh += 1
            identity = str(fresh)
        old_ids.discard(identity)
        result.append({**line, "Id": identity, "LineNum": place})
    return result


def _line(books: Books, line: Json) -> Json:
    if "DetailType" not in line:
        raise missing("DetailType")
    if line["DetailType"] == DESCRIPTION:
        return {name: value for name, value in line.items() if name != "Amount"}
    if "Amount" not in line:
        raise missing("Amount")
    if SALES not in line:
        raise missing(SALES)
    detail = _sales_detail(books, line[SALES])
    _check_product(line["Amount"], detail)
    first: Json = {name: line[name] for name in ("Id", "LineNum", "Description") if name in line}
    rest = {"Amount": line["Amount"], "DetailType": SALES, SALES: detail, "CustomExtensions": []}
    return {**first, **rest}


def _sales_detail(books: Books, sent: Json) -> Json:
    item = references.require(books, "Item", sent.get("ItemRef") or {"value": _DEFAULT_ITEM})
    detail = {
        **sent,
        "ItemRef": {"value": item.id, "name": item.content["FullyQualifiedName"]},
        "ItemAccountRef": item.content["IncomeAccountRef"],
        "TaxCodeRef": _line_tax_code(books, sent.get("TaxCodeRef")),
    }
    if "ClassRef" in sent:
        detail["ClassRef"] = references.named(books, "Class", sent["ClassRef"])
    return detail


def _line_tax_code(books: Books, sent: Json | None) -> Json:
    code = (sent or {"value": "NON"})["value"]
    if books.switches.country == "US" and code not in {"TAX", "NON"}:
        raise fault("6100", f"Invalid tax code {code}: use TAX or NON", "TaxCodeRef")
    if books.switches.country != "US" and sent is not None and books.get("TaxCode", code) is None:
        raise bad_reference("TaxCodes", code)
    return {"value": code}


def _check_product(amount: Decimal, detail: Json) -> None:
    if "Qty" not in detail or "UnitPrice" not in detail:
        return
    product = (Decimal(detail["Qty"]) * detail["UnitPrice"]).quantize(CENT, ROUND_HALF_UP)
    if product != amount:
        text = f"Amount is not equal to UnitPrice * Qty. Supplied value:{amount}"
        raise fault("6070", text, "Amount")


def _discount(line: Json, subtotal: Decimal) -> Json:
    detail = line.get(DISCOUNT) or {}
    if detail.get("PercentBased"):
        if "DiscountPercent" not in detail:
            raise missing("DiscountPercent")
        amount = (subtotal * detail["DiscountPercent"] / 100).quantize(CENT, ROUND_HALF_UP)
    elif "Amount" in line:
        amount = line["Amount"]
    else:
        raise missing("Amount")
    return {"Amount": amount, "DetailType": DISCOUNT, DISCOUNT: detail}


def _is_taxable(books: Books, line: Json) -> bool:
    code = line.get(SALES, {}).get("TaxCodeRef", {}).get("value")
    return code == "TAX" if books.switches.country == "US" else code is not None
