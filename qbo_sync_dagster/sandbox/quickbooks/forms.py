"""Bodies of the objects that tests and the demo make most often.

Belongs here: a few arguments in, a body for Intuit out. Does not: sending it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import TypeAlias

from qbo_sync_dagster.sandbox.quickbooks.wire import Json

Amount: TypeAlias = Decimal | int | str
# The id of an item, or of a document that is paid, and the amount of its line.
Lines: TypeAlias = Sequence[tuple[str, Amount]]


def document(customer_id: str, lines: Lines, properties: Mapping[str, object]) -> Json:
    """An invoice or credit memo; each line is an item's id and an amount."""
    sales = [_sales_line(*line) for line in lines]
    return {"CustomerRef": {"value": customer_id}, "Line": sales, **properties}


def money(lines: Lines, total: Amount | None) -> Json:
    """TotalAmt and lines of a payment: invoice ids and amounts; `total` is their sum by default."""
    received = sum((Decimal(amount) for _, amount in lines), Decimal(0))
    paid = [payment_line("Invoice", *line) for line in lines]
    return {"TotalAmt": received if total is None else Decimal(total), "Line": paid}


def payment_line(kind: str, identity: str, amount: Amount) -> Json:
    """One line of a payment, linked to an Invoice or a CreditMemo."""
    return {"Amount": Decimal(amount), "LinkedTxn": [{"TxnId": identity, "TxnType": kind}]}


def _sales_line(item_id: str, amount: Amount) -> Json:
    return {
        "Amount": Decimal(amount),
        "DetailType": "SalesItemLineDetail",
        "SalesItemLineDetail": {"ItemRef": {"value": item_id}},
    }
