"""Payments: money received and credits applied, with their effect on documents.

Belongs here: create, update, void, delete, deposit. Does not: how documents show it.
"""

from __future__ import annotations

from decimal import Decimal

from qbo_sync_dagster.sandbox.quickbooks import applications, references, schema
from qbo_sync_dagster.sandbox.quickbooks.books import NOTHING_GIVEN, ZERO, Books, Given
from qbo_sync_dagster.sandbox.quickbooks.closing import WriteOptions, check_period
from qbo_sync_dagster.sandbox.quickbooks.documents import voided_note
from qbo_sync_dagster.sandbox.quickbooks.faults import bad_reference, fault, missing, not_found
from qbo_sync_dagster.sandbox.quickbooks.objects import Record
from qbo_sync_dagster.sandbox.quickbooks.payment_lines import (
    Applied,
    applied_by,
    lines_for,
    unapplied,
)
from qbo_sync_dagster.sandbox.quickbooks.schema import Schema
from qbo_sync_dagster.sandbox.quickbooks.wire import Json

UNDEPOSITED_FUNDS = "4"
# The other kinds that Intuit allows are not modelled and are refused.
_LINKABLE = ("Invoice", "CreditMemo")

_LINK = schema.nested({"TxnId": schema.text(50), "TxnType": schema.text(50), "TxnLineId": None})
SCHEMA: Schema = {
    **schema.COMMON,
    "CustomerRef": schema.reference,
    "TotalAmt": schema.amount,
    "TxnDate": schema.day,
    "CurrencyRef": schema.reference,
    "ExchangeRate": schema.number,
    "PaymentRefNum": schema.text(21),
    "PrivateNote": schema.text(4000),
    "PaymentMethodRef": schema.reference,
    "DepositToAccountRef": schema.reference,
    "Line": schema.listed(
        schema.nested(
            {
                "Amount": schema.amount,
                "LinkedTxn": schema.listed(_LINK),
                "LineEx": None,
                "Id": None,
                "LineNum": None,
            }
        )
    ),
    "ProcessPayment": schema.flag,
    "UnappliedAmt": None,
    "LinkedTxn": None,
    "HomeTotalAmt": None,
    "ARAccountRef": None,
}


def create(
    books: Books, accepted: Json, options: WriteOptions, given: Given = NOTHING_GIVEN
) -> Record:
    """A new payment, applied to its documents."""
    payment = {"TxnDate": books.today.isoformat(), **accepted}
    check_period(books, options, payment["TxnDate"])
    content, applied = _content(books, payment, {})
    record = books.add("Payment", content, given)
    _apply(books, record.id, {}, applied)
    return record


def update(books: Books, record: Record, accepted: Json, options: WriteOptions) -> Record:
    """The payment with other content. A part of the money needs the whole of it named."""
    together = ("CustomerRef", "TotalAmt", "Line")
    named = [name for name in together if name in accepted]
    if options.sparse and named and len(named) < len(together):
        raise missing(next(name for name in together if name not in accepted))
    kept = {n: v for n, v in record.content.items() if SCHEMA.get(n) is not None}
    payment = {**kept, **accepted} if options.sparse else accepted
    payment.setdefault("TxnDate", record.content["TxnDate"])
    before = applied_by(record.content)
    content, applied = _content(books, payment, before)
    if applied == before:
        # The open balances shown on lines are those of the day the lines were made.
        content["Line"] = record.content["Line"]
    if "LinkedTxn" in record.content:
        content["LinkedTxn"] = record.content["LinkedTxn"]
    _check_change(books, record, content, options)
    _apply(books, record.id, before, applied)
    return books.change(record, content)


def void(books: Books, record: Record, options: WriteOptions) -> Record:
    """A payment of nothing. Voiding again changes nothing."""
    if not record.amount("TotalAmt") and not record.content["Line"]:
        return record
    _check_free(record)
    check_period(books, options, record.content["TxnDate"])
    _apply(books, record.id, applied_by(record.content), {})
    content = {
        **record.content,
        "TotalAmt": ZERO,
        "UnappliedAmt": ZERO,
        "Line": [],
        "PrivateNote": voided_note(record),
    }
    return books.change(record, content)


def delete(books: Books, record: Record, options: WriteOptions) -> None:
    """Delete for good; the documents are open again."""
    _check_free(record)
    check_period(books, options, record.content["TxnDate"])
    _apply(books, record.id, applied_by(record.content), {})
    books.delete(record)


def deposit(books: Books, record: Record) -> Record:
    """Put the payment into a bank deposit: a link that leaves no other trace."""
    _check_free(record)
    deposit_id = str(books.realm.next("id:Transaction"))
    content = {**record.content, "LinkedTxn": [{"TxnId": deposit_id, "TxnType": "Deposit"}]}
    return books.alter_unseen(record, content, record.hidden)


def undeposit(books: Books, record: Record) -> Record:
    """Take the payment out of its deposit again."""
    content = {name: value for name, value in record.content.items() if name != "LinkedTxn"}
    return books.alter_unseen(record, content, record.hidden)


def _content(books: Books, payment: Json, before: Applied) -> tuple[Json, Applied]:
    for name in ("CustomerRef", "TotalAmt"):
        if name not in payment:
            raise missing(name)
    total = payment["TotalAmt"]
    if total < 0:
        raise fault("2290", "The amount of a payment must not be negative", "TotalAmt")
    customer = references.require(books, "Customer", payment["CustomerRef"])
    applied = _wanted(books, customer, payment.get("Line", []), before)
    left = unapplied(total, applied)
    if left < 0 or left > total:
        raise fault("6000", "The amount applied does not fit the amount received", "Line")
    content = {
        **payment,
        "CustomerRef": {"value": customer.id, "name": customer.content["DisplayName"]},
        "CurrencyRef": references.currency_of(books, payment.get("CurrencyRef"), customer),
        "UnappliedAmt": left,
        "ProcessPayment": False,
        "Line": lines_for(books, applied, before),
    }
    return _with_references(books, content, total), applied


def _with_references(books: Books, content: Json, total: Decimal) -> Json:
    """Money goes to Undeposited Funds unless an account is named; a mere link goes nowhere."""
    if total:
        content.setdefault("DepositToAccountRef", {"value": UNDEPOSITED_FUNDS})
    else:
        content.pop("DepositToAccountRef", None)
    for name, entity in (("DepositToAccountRef", "Account"), ("PaymentMethodRef", "PaymentMethod")):
        if name in content:
            content[name] = {"value": references.require(books, entity, content[name]).id}
    if not books.switches.multicurrency:
        content.pop("ExchangeRate", None)
    return content


def _wanted(books: Books, customer: Record, lines: list[Json], before: Applied) -> Applied:
    """What the lines ask for; what an invoice has not open stays in the payment."""
    wanted: Applied = {}
    for line in lines:
        key, amount = _line_target(line)
        document = books.get(*key)
        if document is None:
            raise not_found()
        _check_linkable(books, customer, document)
        available = document.amount("Balance") + before.get(key, ZERO) - wanted.get(key, ZERO)
        if available <= 0:
            raise fault("620", f"{key[0]} {key[1]} has nothing open to apply this to", "Line")
        if key[0] == "CreditMemo" and amount > available:
            raise fault("6000", "More credit than the credit memo has left", "Line")
        wanted[key] = wanted.get(key, ZERO) + min(amount, available)
    return wanted


def _line_target(line: Json) -> tuple[tuple[str, str], Decimal]:
    if "Amount" not in line:
        raise missing("Amount")
    links = line.get("LinkedTxn", [])
    if len(links) != 1 or "TxnId" not in links[0] or "TxnType" not in links[0]:
        raise fault("2020", "Each line needs one LinkedTxn with TxnId and TxnType", "LinkedTxn")
    if links[0]["TxnType"] not in _LINKABLE:
        raise fault("620", f"{links[0]['TxnType']} is not modelled by this sandbox", "LinkedTxn")
    if line["Amount"] <= 0:
        raise fault("2290", "The amount of a line must be positive", "Amount")
    return (links[0]["TxnType"], links[0]["TxnId"]), line["Amount"]


def _check_linkable(books: Books, payer: Record, document: Record) -> None:
    """A payment may settle its customer's documents and those of the customer's jobs."""
    owner = books.get("Customer", str(document.customer_id))
    if document.content["CurrencyRef"]["value"] != payer.content["CurrencyRef"]["value"]:
        raise fault("6000", "The document is in another currency", "LinkedTxn")
    while owner is not None and owner.id != payer.id:
        parent = owner.content.get("ParentRef")
        owner = books.get("Customer", parent["value"]) if parent else None
    if owner is None:
        raise fault("620", "The document belongs to another customer", "LinkedTxn")


def _check_free(record: Record) -> None:
    if "LinkedTxn" in record.content:
        detail = "The transaction was deposited. Remove it from the deposit first"
        raise fault("6540", detail)


def _check_change(books: Books, record: Record, content: Json, options: WriteOptions) -> None:
    if content == record.content:
        return
    check_period(books, options, record.content["TxnDate"], content["TxnDate"])
    money = ("TotalAmt", "CustomerRef", "DepositToAccountRef")
    if any(content.get(name) != record.content.get(name) for name in money):
        _check_free(record)


def _apply(books: Books, payment_id: str, before: Applied, after: Applied) -> None:
    """Move each document whose part changed; the others do not notice."""
    for entity, identity in {**before, **after}:
        old = before.get((entity, identity), ZERO)
        new = after.get((entity, identity), ZERO)
        document = books.get(entity, identity)
        if old == new:
            continue
        if document is None:
            raise bad_reference(entity, identity)
        applications.apply(books, document, payment_id, new - old, new)
