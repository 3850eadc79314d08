"""Invoices and credit memos: create, update, void, delete, with totals and open amounts.

Belongs here: the document as a whole. Does not: its lines, its tax, what is applied to it.
"""

from __future__ import annotations

from datetime import date, timedelta
from decimal import Decimal

from qbo_sync_dagster.sandbox.quickbooks import applications, references, schema
from qbo_sync_dagster.sandbox.quickbooks.books import NOTHING_GIVEN, ZERO, Books, Given
from qbo_sync_dagster.sandbox.quickbooks.closing import WriteOptions, check_period
from qbo_sync_dagster.sandbox.quickbooks.document_lines import build_lines, lines_check, zeroed
from qbo_sync_dagster.sandbox.quickbooks.document_tax import build_tax, tax_check
from qbo_sync_dagster.sandbox.quickbooks.faults import fault, missing, unsupported
from qbo_sync_dagster.sandbox.quickbooks.objects import Record
from qbo_sync_dagster.sandbox.quickbooks.schema import Schema
from qbo_sync_dagster.sandbox.quickbooks.wire import Json

_FIRST_NUMBER = 1001
_SHARED: Schema = {
    **schema.COMMON,
    "CustomField": schema.custom_fields,
    "DocNumber": schema.text(21),
    "TxnDate": schema.day,
    "DepartmentRef": schema.reference,
    "ClassRef": schema.reference,
    "CurrencyRef": schema.reference,
    "ExchangeRate": schema.number,
    "PrivateNote": schema.text(4000),
    "Line": lines_check,
    "TxnTaxDetail": tax_check,
    "GlobalTaxCalculation": schema.one_of("TaxExcluded", "TaxInclusive", "NotApplicable"),
    "CustomerRef": schema.reference,
    "CustomerMemo": schema.memo,
    "BillAddr": schema.address,
    "ShipAddr": schema.address,
    "ShipFromAddr": schema.address,
    "BillEmail": schema.email_address,
    "ApplyTaxAfterDiscount": schema.flag,
    "PrintStatus": schema.one_of("NotSet", "NeedToPrint", "PrintComplete"),
    "EmailStatus": schema.one_of("NotSet", "NeedToSend", "EmailSent"),
    "FreeFormAddress": None,
    "LinkedTxn": None,
    "TotalAmt": None,
    "HomeTotalAmt": None,
    "Balance": None,
    "HomeBalance": None,
    "RemainingCredit": None,
    "TaxExemptionRef": None,
}
SCHEMAS: dict[str, Schema] = {
    "CreditMemo": _SHARED,
    "Invoice": {
        **_SHARED,
        "SalesTermRef": schema.reference,
        "DueDate": schema.day,
        "BillEmailCc": schema.email_address,
        "BillEmailBcc": schema.email_address,
        "AllowIPNPayment": schema.flag,
        "AllowOnlinePayment": schema.flag,
        "AllowOnlineCreditCardPayment": schema.flag,
        "AllowOnlineACHPayment": schema.flag,
    },
}
_ALWAYS: Json = {
    "CustomField": [],
    "FreeFormAddress": True,
    "ApplyTaxAfterDiscount": False,
    "PrintStatus": "NeedToPrint",
    "EmailStatus": "NotSet",
}
_INVOICE_FLAGS: Json = {
    "AllowIPNPayment": False,
    "AllowOnlinePayment": False,
    "AllowOnlineCreditCardPayment": False,
    "AllowOnlineACHPayment": False,
}


def create(
    books: Books, entity: str, accepted: Json, options: WriteOptions, given: Given = NOTHING_GIVEN
) -> Record:
    """A new document."""
    document = {"TxnDate": books.today.isoformat(), **accepted}
    check_period(books, options, document["TxnDate"])
    content = _content(books, entity, document, None)
    _give_number(books, entity, content, options)
    record = books.add(entity, content, given)
    applications.auto_apply(books, str(record.customer_id))
    return record


def update(books: Books, record: Record, accepted: Json, options: WriteOptions) -> Record:
    """The document with other content; what is applied to it stays, as far as it fits."""
    document = _merged(record, accepted, sparse=options.sparse)
    document.setdefault("TxnDate", books.today.isoformat())
    _check_customer(record, document)
    content = _content(books, record.entity, document, record)
    if content != record.content:
        check_period(books, options, record.content["TxnDate"], content["TxnDate"])
    number = content.get("DocNumber")
    if number and number != record.content.get("DocNumber"):
        _check_number(books, record.entity, number, record.id, options)
    if applications.open_part(content, record.entity) < 0:
        record = _make_room(books, record, content["TotalAmt"])
        content = _content(books, record.entity, document, record)
    changed = books.change(record, content)
    applications.auto_apply(books, str(changed.customer_id))
    return changed


def void(books: Books, record: Record, options: WriteOptions) -> Record:
    """An invoice at zero. Payments stay, without it. Voiding again changes nothing."""
    if record.entity != "Invoice":
        raise unsupported("void of CreditMemo")
    if is_voided(record):
        return record
    check_period(books, options, record.content["TxnDate"])
    record = applications.release(books, record)
    content = {
        **record.content,
        "Line": zeroed(record.content["Line"]),
        "TxnTaxDetail": {"TotalTax": ZERO},
        "TotalAmt": ZERO,
        "Balance": ZERO,
        "PrivateNote": voided_note(record),
        "LinkedTxn": [],
    }
    return books.change(record, {**content, **_home_amounts(books, content)})


def delete(books: Books, record: Record, options: WriteOptions) -> None:
    """Delete for good; payments applied to it stay, without it."""
    check_period(books, options, record.content["TxnDate"])
    if record.hidden.get("payments"):
        if books.switches.reject_delete_of_paid_invoice:
            raise fault("800", "Unlink the payments of this transaction before deleting it")
        record = applications.release(books, record)
    books.delete(record)


def voided_note(record: Record) -> str:
    """`Voided`, before whatever note there was."""
    note = record.content.get("PrivateNote", "")
    return f"Voided - {note}"[:4000] if note else "Voided"


def is_voided(record: Record) -> bool:
    """There is no flag for it: a total of zero under a note that begins with Voided."""
    note = record.content.get("PrivateNote", "")
    return note.startswith("Voided") and not record.amount("TotalAmt")


def _merged(record: Record, accepted: Json, *, sparse: bool) -> Json:
    """What the document should hold: a full update clears what it does not name."""
    writable = SCHEMAS[record.entity]
    if not sparse:
        return accepted
    kept = {n: v for n, v in record.content.items() if writable.get(n) is not None}
    return {**kept, **accepted}


def _content(books: Books, entity: str, document: Json, before: Record | None) -> Json:
    for name in ("CustomerRef", "Line"):
        if name not in document:
            raise missing(name)
    customer = references.require(books, "Customer", document["CustomerRef"])
    lines = build_lines(books, document["Line"], before.content["Line"] if before else [])
    tax = build_tax(books, document, lines, customer)
    total = lines.subtotal - lines.discount + tax["TotalTax"]
    if total < 0:
        raise fault("6000", "Transaction amount must be 0 or greater", "TotalAmt")
    content = {
        **(_INVOICE_FLAGS if entity == "Invoice" else {}),
        **_ALWAYS,
        **document,
        "CustomerRef": {"value": customer.id, "name": customer.content["DisplayName"]},
        "CurrencyRef": references.currency_of(books, document.get("CurrencyRef"), customer),
        "Line": lines.shown,
        "TxnTaxDetail": tax,
        "TotalAmt": total,
        **_open_amounts(entity, total, before),
    }
    if entity == "Invoice":
        content |= _due(books, document)
    return _finished(books, content, customer)


def _open_amounts(entity: str, total: Decimal, before: Record | None) -> Json:
    """The part that nothing is applied to, under the names the entity has for it."""
    applied = applications.applied_to(before) if before else ZERO
    if entity == "CreditMemo":
        return {"RemainingCredit": total - applied, "Balance": total - applied}
    linked = before.content["LinkedTxn"] if before else []
    return {"LinkedTxn": linked, "Balance": total - applied}


def _finished(books: Books, content: Json, customer: Record) -> Json:
    for name, entity in (("ClassRef", "Class"), ("DepartmentRef", "Department")):
        if name in content:
            content[name] = references.named(books, entity, content[name])
    for name in ("BillAddr", "ShipAddr"):
        if name in customer.content:
            content.setdefault(name, customer.content[name])
    if books.switches.country == "US":
        content.pop("GlobalTaxCalculation", None)
    if content["EmailStatus"] == "NeedToSend" and "BillEmail" not in content:
        raise missing("BillEmail")
    return {**content, **_home_amounts(books, content)}


def _home_amounts(books: Books, content: Json) -> Json:
    """Amounts in the company's currency, shown where several are in use."""
    if not books.switches.multicurrency:
        content.pop("ExchangeRate", None)
        return {}
    code = content["CurrencyRef"]["value"]
    default = "1" if code == books.switches.home_currency else ""
    configured = books.switches.exchange_rates.get(code, default)
    rate = content.get("ExchangeRate") or (Decimal(configured) if configured else None)
    if rate is None:
        raise fault("500", f"This sandbox has no exchange rate for {code}: send ExchangeRate")
    return {
        "ExchangeRate": rate,
        "HomeTotalAmt": (content["TotalAmt"] * rate).quantize(Decimal("0.01")),
        "HomeBalance": (content["Balance"] * rate).quantize(Decimal("0.01")),
    }


def _due(books: Books, document: Json) -> Json:
    """Term and due date: the date that was sent, or the day the term makes of it."""
    txn_date = date.fromisoformat(document["TxnDate"])
    if "SalesTermRef" not in document:
        return {"DueDate": document.get("DueDate", txn_date.isoformat())}
    term = references.require(books, "Term", document["SalesTermRef"])
    named = {"value": term.id, "name": term.name}
    if "DueDate" in document:
        return {"SalesTermRef": named, "DueDate": document["DueDate"]}
    if term.content["Type"] != "STANDARD":
        raise fault("500", "This sandbox does not model date driven terms: send DueDate")
    due = txn_date + timedelta(days=int(term.content.get("DueDays", 0)))
    return {"SalesTermRef": named, "DueDate": due.isoformat()}


def _give_number(books: Books, entity: str, content: Json, options: WriteOptions) -> None:
    """Check the number that was sent, or give the next of the one shared sequence."""
    if number := content.get("DocNumber"):
        if number == "AUTO_GENERATE":
            raise unsupported("DocNumber AUTO_GENERATE")
        _check_number(books, entity, number, None, options)
        if number.isdecimal() and len(number) < 10:
            books.realm.used("DocNumber", int(number))
    elif books.switches.custom_txn_numbers:
        content.pop("DocNumber", None)
    else:
        content["DocNumber"] = str(books.realm.next("DocNumber", _FIRST_NUMBER))


def _check_number(
    books: Books, entity: str, number: str, own_id: str | None, options: WriteOptions
) -> None:
    """Only a company with custom numbers refuses a number that is in use."""
    if not books.switches.custom_txn_numbers or options.allow_duplicate_number:
        return
    for other in books.with_number(entity, number):
        if other.id != own_id:
            detail = "You must specify a different number. This number has already been used. "
            where = f"DocNumber={number} is assigned to TxnType={entity} with TxnId={other.id}"
            raise fault("6140", f"Duplicate Document Number Error : {detail}{where}", "DocNumber")


def _check_customer(record: Record, document: Json) -> None:
    sent = document.get("CustomerRef")
    if sent and sent["value"] != record.customer_id and record.hidden.get("payments"):
        raise fault("6000", "The customer cannot be changed while payments are applied")


def _make_room(books: Books, record: Record, total: Decimal) -> Record:
    """Take back what no longer fits under a lower total."""
    if books.switches.reject_reduction_below_applied or record.entity != "Invoice":
        raise fault("6000", "The amount cannot be less than what is applied to it", "TotalAmt")
    return applications.release(books, record, keep=total)
