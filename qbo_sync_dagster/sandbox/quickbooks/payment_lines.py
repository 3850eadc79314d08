"""The lines of a payment: which document takes how much, and how QuickBooks shows it.

Belongs here: the shape of lines and the sums over them. Does not: what documents make of it.
"""

from __future__ import annotations

from decimal import Decimal
from typing import TypeAlias

from qbo_sync_dagster.sandbox.quickbooks.books import ZERO, Books
from qbo_sync_dagster.sandbox.quickbooks.wire import Json

# (entity, id) of a document -> what the payment takes of it, always positive.
Applied: TypeAlias = dict[tuple[str, str], Decimal]

_NAME_VALUE = {
    "name": "{http://schema.intuit.com/finance/v3}NameValue",
    "declaredType": "com.intuit.schema.finance.v3.NameValue",
    "scope": "javax.xml.bind.JAXBElement$GlobalScope",
}


def applied_by(content: Json) -> Applied:
    """What the stored payment takes of each document."""
    applied: Applied = {}
    for line in content["Line"]:
        link = line["LinkedTxn"][0]
        applied[link["TxnType"], link["TxnId"]] = Decimal(line["Amount"])
    return applied


def unapplied(total: Decimal, applied: Applied) -> Decimal:
    """TotalAmt plus credits minus invoices."""
    invoices = sum((a for (kind, _), a in applied.items() if kind == "Invoice"), ZERO)
    memos = sum((a for (kind, _), a in applied.items() if kind == "CreditMemo"), ZERO)
    return total + memos - invoices


def lines_for(books: Books, applied: Applied, before: Applied) -> list[Json]:
    """Lines as shown; `before` is what the payment took until now."""
    return [
        _line(books, key, amount, before.get(key, ZERO))
        for key, amount in applied.items()
        if amount
    ]


def _line(books: Books, key: tuple[str, str], amount: Decimal, taken: Decimal) -> Json:
    entity, identity = key
    document = books.get(entity, identity)
    still_open = document.amount("Balance") + taken if document else ZERO
    facts = {
        "txnId": identity,
        "txnOpenBalance": f"{still_open:.2f}",
        "txnReferenceNumber": document.content.get("DocNumber", "") if document else "",
    }
    return {
        "Amount": amount,
        "LinkedTxn": [{"TxnId": identity, "TxnType": entity}],
        "LineEx": {"any": [_fact(name, value) for name, value in facts.items()]},
    }


def _fact(name: str, value: str) -> Json:
    return {
        **_NAME_VALUE,
        "value": {"Name": name, "Value": value},
        "nil": False,
        "globalScope": True,
        "typeSubstituted": False,
    }
