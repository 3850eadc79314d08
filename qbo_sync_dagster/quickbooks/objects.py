"""What customers owe and pay, as typed values: invoices, payments, credit memos, customers.

What belongs here: the fields the engine needs of each, in `Decimal` and dates. What does not: what
they mean for the books (domain), and the company's lists and settings (company).
Unknown fields are ignored, QuickBooks adds them without notice. Each `parse_*` raises
MalformedObjectError naming the entity, its Id and the field.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, ClassVar

from qbo_sync_dagster.quickbooks.fields import Fields

_COMPUTED_LINES = frozenset({"SubTotalLineDetail"})
_LONGEST_NAME = 500


@dataclass(frozen=True, slots=True)
class DocumentLine:
    """One line of an invoice or credit memo, without the computed subtotal.

    `kind` is Intuit's DetailType. A group's lines stand beside it, not inside.
    """

    id: str | None
    kind: str
    amount: Decimal
    description: str
    item_id: str | None
    quantity: Decimal | None
    unit_price: Decimal | None
    class_id: str | None
    tax_code: str | None


@dataclass(frozen=True, slots=True)
class Invoice:
    """`currency` is None where the company has only its own. `balance` is what is still open.

    `exchange_rate` is home units per one unit of the currency, where the company has several.
    """

    entity: ClassVar[str] = "Invoice"

    id: str
    sync_token: str
    updated_at: dt.datetime | None
    doc_number: str | None
    date: dt.date
    due_date: dt.date | None
    total: Decimal
    balance: Decimal
    tax_total: Decimal
    customer_id: str
    currency: str | None
    exchange_rate: Decimal | None
    lines: tuple[DocumentLine, ...]
    linked_payment_ids: tuple[str, ...]
    private_note: str
    term_id: str | None
    class_id: str | None
    department_id: str | None

    @property
    def is_voided(self) -> bool:
        """QuickBooks has no flag: a void is the note it writes together with a total of zero."""
        return is_void_mark(self.private_note, self.total)


@dataclass(frozen=True, slots=True)
class CreditMemo:
    """`remaining` is QuickBooks' own figure of the credit not yet applied."""

    entity: ClassVar[str] = "CreditMemo"

    id: str
    sync_token: str
    updated_at: dt.datetime | None
    doc_number: str | None
    date: dt.date
    total: Decimal
    remaining: Decimal
    tax_total: Decimal
    customer_id: str
    currency: str | None
    lines: tuple[DocumentLine, ...]
    private_note: str
    class_id: str | None
    department_id: str | None

    @property
    def is_voided(self) -> bool:
        return is_void_mark(self.private_note, self.total)

    @property
    def balance(self) -> Decimal:
        """What of it is still open, under the name that invoices have for it."""
        return self.remaining

    @property
    def due_date(self) -> dt.date | None:
        """A credit memo is never due."""
        return None

    @property
    def linked_payment_ids(self) -> tuple[str, ...]:
        """QuickBooks names no payments on a credit memo, however it is applied."""
        return ()


SalesDocument = Invoice | CreditMemo


@dataclass(frozen=True, slots=True)
class LinkedAmount:
    """The part of a payment that goes to (invoice) or comes from (credit memo) one transaction."""

    txn_type: str
    txn_id: str
    amount: Decimal


@dataclass(frozen=True, slots=True)
class Payment:
    """A receipt or, with a total of zero, the application of credits to invoices."""

    id: str
    sync_token: str
    updated_at: dt.datetime | None
    date: dt.date
    total: Decimal
    unapplied: Decimal
    customer_id: str
    currency: str | None
    exchange_rate: Decimal | None
    reference: str | None
    private_note: str
    lines: tuple[LinkedAmount, ...]
    deposit_ids: tuple[str, ...]
    method_id: str | None
    deposit_account_id: str | None

    @property
    def invoice_lines(self) -> tuple[tuple[str, Decimal], ...]:
        """(invoice id, amount) per line; an invoice may come in several lines."""
        return tuple((x.txn_id, x.amount) for x in self.lines if x.txn_type == "Invoice")

    @property
    def credit_lines(self) -> tuple[tuple[str, Decimal], ...]:
        """(credit memo id, amount) per line, positive."""
        return tuple((x.txn_id, x.amount) for x in self.lines if x.txn_type == "CreditMemo")

    @property
    def is_void(self) -> bool:
        return not self.lines and is_void_mark(self.private_note, self.total)


@dataclass(frozen=True, slots=True)
class Customer:
    """`display_name` is unique over customers, vendors and employees; inactive ones end with
    " (deleted)". `balance` moves without a new sync token."""

    id: str
    sync_token: str
    updated_at: dt.datetime | None
    display_name: str
    company_name: str
    active: bool
    email: str
    currency: str | None
    parent_id: str | None
    balance: Decimal


def is_void_mark(private_note: str, total: Decimal) -> bool:
    """Anybody can type "Voided" into a note; with a total of zero it is QuickBooks' own mark."""
    return total == 0 and private_note.startswith("Voided")


def parse_invoice(payload: Mapping[str, Any]) -> Invoice:
    fields = Fields("Invoice", payload)
    if "Line" not in payload:
        # Taken as an invoice without lines, it would look changed once they are shown.
        raise fields.bad("Line", "is missing")
    return Invoice(
        id=fields.identifier("Id"),
        sync_token=fields.identifier("SyncToken"),
        updated_at=fields.part("MetaData").instant("LastUpdatedTime"),
        doc_number=fields.code("DocNumber"),
        date=fields.day("TxnDate"),
        due_date=fields.optional_day("DueDate"),
        total=fields.amount("TotalAmt"),
        balance=fields.amount("Balance"),
        tax_total=_tax(fields),
        customer_id=fields.reference("CustomerRef"),
        currency=fields.optional_reference("CurrencyRef"),
        exchange_rate=fields.optional_number("ExchangeRate"),
        lines=tuple(_document_lines(fields)),
        linked_payment_ids=_links(fields, "Payment"),
        private_note=fields.text("PrivateNote"),
        term_id=fields.optional_reference("SalesTermRef"),
        class_id=fields.optional_reference("ClassRef"),
        department_id=fields.optional_reference("DepartmentRef"),
    )


def parse_credit_memo(payload: Mapping[str, Any]) -> CreditMemo:
    fields = Fields("CreditMemo", payload)
    if "Line" not in payload:
        raise fields.bad("Line", "is missing")
    remaining = fields.optional_amount("RemainingCredit")
    return CreditMemo(
        id=fields.identifier("Id"),
        sync_token=fields.identifier("SyncToken"),
        updated_at=fields.part("MetaData").instant("LastUpdatedTime"),
        doc_number=fields.code("DocNumber"),
        date=fields.day("TxnDate"),
        total=fields.amount("TotalAmt"),
        remaining=fields.amount("Balance") if remaining is None else remaining,
        tax_total=_tax(fields),
        customer_id=fields.reference("CustomerRef"),
        currency=fields.optional_reference("CurrencyRef"),
        lines=tuple(_document_lines(fields)),
        private_note=fields.text("PrivateNote"),
        class_id=fields.optional_reference("ClassRef"),
        department_id=fields.optional_reference("DepartmentRef"),
    )


def parse_document(entity: str, payload: Mapping[str, Any]) -> SalesDocument:
    """An invoice or a credit memo, as the entity says."""
    return parse_credit_memo(payload) if entity == "CreditMemo" else parse_invoice(payload)


def parse_payment(payload: Mapping[str, Any]) -> Payment:
    fields = Fields("Payment", payload)
    lines = tuple(amount for line in fields.parts("Line") for amount in _linked_amounts(line))
    return Payment(
        id=fields.identifier("Id"),
        sync_token=fields.identifier("SyncToken"),
        updated_at=fields.part("MetaData").instant("LastUpdatedTime"),
        date=fields.day("TxnDate"),
        total=fields.amount("TotalAmt"),
        unapplied=fields.optional_amount("UnappliedAmt") or Decimal(0),
        customer_id=fields.reference("CustomerRef"),
        currency=fields.optional_reference("CurrencyRef"),
        exchange_rate=fields.optional_number("ExchangeRate"),
        reference=fields.code("PaymentRefNum"),
        private_note=fields.text("PrivateNote"),
        lines=lines,
        deposit_ids=_links(fields, "Deposit"),
        method_id=fields.optional_reference("PaymentMethodRef"),
        deposit_account_id=fields.optional_reference("DepositToAccountRef"),
    )


def parse_customer(payload: Mapping[str, Any]) -> Customer:
    fields = Fields("Customer", payload)
    name = fields.text("DisplayName", _LONGEST_NAME)
    if not name:
        raise fields.bad("DisplayName", "is missing")
    return Customer(
        id=fields.identifier("Id"),
        sync_token=fields.identifier("SyncToken"),
        updated_at=fields.part("MetaData").instant("LastUpdatedTime"),
        display_name=name,
        company_name=fields.text("CompanyName", _LONGEST_NAME),
        active=fields.flag("Active") is not False,
        email=fields.part("PrimaryEmailAddr").text("Address", _LONGEST_NAME),
        currency=fields.optional_reference("CurrencyRef"),
        parent_id=fields.optional_reference("ParentRef"),
        balance=fields.optional_amount("Balance") or Decimal(0),
    )


def _tax(fields: Fields) -> Decimal:
    return fields.part("TxnTaxDetail").optional_amount("TotalTax") or Decimal(0)


def _document_lines(fields: Fields) -> Iterator[DocumentLine]:
    for line in fields.parts("Line"):
        kind = line.text("DetailType")
        if kind in _COMPUTED_LINES:
            continue
        yield _document_line(line, kind)
        if kind == "GroupLineDetail":
            yield from _document_lines(line.part("GroupLineDetail"))


def _document_line(line: Fields, kind: str) -> DocumentLine:
    detail = line.part(kind)
    return DocumentLine(
        id=line.optional_identifier("Id"),
        kind=kind,
        amount=line.optional_number("Amount") or Decimal(0),
        description=line.text("Description"),
        item_id=detail.optional_reference("ItemRef"),
        quantity=detail.optional_number("Qty"),
        unit_price=detail.optional_number("UnitPrice"),
        class_id=detail.optional_reference("ClassRef"),
        tax_code=detail.optional_reference("TaxCodeRef"),
    )


def _linked_amounts(line: Fields) -> list[LinkedAmount]:
    """What one payment line goes to: nothing, or one transaction.

    A line with several links carries one amount for all of them, and no split of it could be
    proved right; the same transaction named twice is one.
    """
    links = {(x.text("TxnType"), x.identifier("TxnId")) for x in line.parts("LinkedTxn")}
    if not links:
        return []
    if len(links) > 1:
        raise line.bad("LinkedTxn", "names several transactions for one amount")
    ((txn_type, txn_id),) = links
    return [LinkedAmount(txn_type, txn_id, line.amount("Amount"))]


def _links(fields: Fields, txn_type: str) -> tuple[str, ...]:
    linked = (x for x in fields.parts("LinkedTxn") if x.text("TxnType") == txn_type)
    return tuple(dict.fromkeys(x.identifier("TxnId") for x in linked))
