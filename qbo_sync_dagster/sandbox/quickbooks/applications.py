"""What payments apply to invoices and credit memos, seen from those documents.

Belongs here: moving an open amount and its link, taking applications back, automatic credits.
Does not: the payment's own rules.
"""

from __future__ import annotations

from decimal import Decimal

from qbo_sync_dagster.sandbox.quickbooks.books import ZERO, Books
from qbo_sync_dagster.sandbox.quickbooks.faults import fault
from qbo_sync_dagster.sandbox.quickbooks.objects import Record
from qbo_sync_dagster.sandbox.quickbooks.payment_lines import (
    Applied,
    applied_by,
    lines_for,
    unapplied,
)
from qbo_sync_dagster.sandbox.quickbooks.storage import Cursor
from qbo_sync_dagster.sandbox.quickbooks.wire import Json

AUTO_NOTE = "Created by QB Online to link credits to charges."

_OPEN = """
SELECT id FROM object
WHERE realm = %s AND entity = %s AND customer_id = %s AND NOT deleted
  AND (fields ->> 'balance')::numeric > 0
ORDER BY fields ->> 'txndate', number
"""


def open_part(content: Json, entity: str) -> Decimal:
    """What is still open on an invoice, or unused of a credit memo."""
    return Decimal(content["RemainingCredit" if entity == "CreditMemo" else "Balance"])


def applied_to(record: Record) -> Decimal:
    """What payments have taken of it."""
    return record.amount("TotalAmt") - open_part(record.content, record.entity)


def apply(books: Books, document: Record, payment_id: str, change: Decimal, left: Decimal) -> None:
    """Let a payment take `change` more of the document; `left` is what it then takes in all."""
    still_open = open_part(document.content, document.entity) - change
    if still_open < 0:
        raise fault("620", f"{document.entity} {document.id} has less than that open", "Line")
    content = {**document.content, "Balance": still_open}
    payments = [each for each in document.hidden.get("payments", []) if each != payment_id]
    if left:
        payments.insert(0, payment_id)
    hidden = {**document.hidden, "payments": payments}
    if document.entity == "Invoice":
        content["LinkedTxn"] = _links(document, payment_id, keep=bool(left))
        _store(books, document, content, hidden)
        return
    content["RemainingCredit"] = still_open
    if books.switches.credit_memo_moves_when_applied:
        _store(books, document, content, hidden)
    else:
        books.alter_unseen(document, content, hidden)


def release(books: Books, document: Record, keep: Decimal = ZERO) -> Record:
    """Take applications back, newest first, until at most `keep` is applied."""
    excess = applied_to(document) - keep
    for payment_id in list(document.hidden.get("payments", [])):
        payment = books.get("Payment", payment_id)
        if excess <= 0 or payment is None:
            continue
        taken = applied_by(payment.content).get((document.entity, document.id), ZERO)
        returned = min(taken, excess)
        excess -= returned
        _take_back(books, payment, document, returned)
    fresh = books.get(document.entity, document.id)
    return document if fresh is None else fresh


def auto_apply(books: Books, customer_id: str) -> None:
    """QuickBooks' own habit: link every open credit to the oldest open invoices."""
    if not books.switches.auto_apply_credits:
        return
    books.flush()
    memos = _open_ids(books.cursor, books.realm.id, "CreditMemo", customer_id)
    for invoice_id in _open_ids(books.cursor, books.realm.id, "Invoice", customer_id):
        for memo_id in memos:
            _link_credit(books, customer_id, invoice_id, memo_id)


def _store(books: Books, document: Record, content: Json, hidden: Json) -> None:
    """An application moves the token and the time of the document it touches."""
    rate = content.get("ExchangeRate")
    if rate is not None:
        content["HomeBalance"] = (content["Balance"] * rate).quantize(Decimal("0.01"))
    books.change(document, content, hidden)


def _links(document: Record, payment_id: str, *, keep: bool) -> list[Json]:
    others = [each for each in document.content["LinkedTxn"] if each["TxnId"] != payment_id]
    return [{"TxnId": payment_id, "TxnType": "Payment"}, *others] if keep else others


def _take_back(books: Books, payment: Record, document: Record, amount: Decimal) -> None:
    before = applied_by(payment.content)
    after = dict(before)
    after[document.entity, document.id] -= amount
    _give_credit_back(after, payment.amount("TotalAmt"))
    for (entity, identity), taken in before.items():
        left = after[entity, identity]
        target = books.get(entity, identity)
        if left != taken and target is not None:
            apply(books, target, payment.id, left - taken, left)
    content = {**payment.content, "Line": lines_for(books, after, before)}
    content["UnappliedAmt"] = unapplied(content["TotalAmt"], after)
    books.change(payment, content)


def _give_credit_back(applied: Applied, total: Decimal) -> None:
    """A credit that no invoice uses any more goes back to its memo, not into the payment."""
    for key in [key for key in reversed(applied) if key[0] == "CreditMemo"]:
        spare = unapplied(total, applied) - total
        if spare > 0:
            applied[key] -= min(spare, applied[key])


def _open_ids(cursor: Cursor, realm: str, entity: str, customer_id: str) -> list[str]:
    cursor.execute(_OPEN, (realm, entity, customer_id))
    return [identity for (identity,) in cursor.fetchall()]


def _link_credit(books: Books, customer_id: str, invoice_id: str, memo_id: str) -> None:
    invoice, memo = books.get("Invoice", invoice_id), books.get("CreditMemo", memo_id)
    if invoice is None or memo is None:
        return
    amount = min(invoice.amount("Balance"), memo.amount("RemainingCredit"))
    if amount <= 0:
        return
    applied = {("Invoice", invoice_id): amount, ("CreditMemo", memo_id): amount}
    content = {
        "CustomerRef": invoice.content["CustomerRef"],
        "TotalAmt": ZERO,
        "UnappliedAmt": ZERO,
        "ProcessPayment": False,
        "TxnDate": books.today.isoformat(),
        "CurrencyRef": invoice.content["CurrencyRef"],
        "PrivateNote": AUTO_NOTE,
        "Line": lines_for(books, applied, {}),
    }
    payment = books.add("Payment", content)
    apply(books, invoice, payment.id, amount, amount)
    apply(books, memo, payment.id, amount, amount)
