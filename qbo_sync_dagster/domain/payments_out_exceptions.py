"""Payments out that wait, failed or were changed in QuickBooks, told to accounting staff."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import replace
from datetime import date

from qbo_sync_dagster.domain.algapsa_payments import PaymentRecord
from qbo_sync_dagster.domain.both_sides import in_words
from qbo_sync_dagster.domain.catalogue import ExceptionKind
from qbo_sync_dagster.domain.document_view import FieldDifference
from qbo_sync_dagster.domain.exception_record import ExceptionRecord, RecordReference
from qbo_sync_dagster.domain.money import format_minor
from qbo_sync_dagster.domain.own_money import Receipt
from qbo_sync_dagster.domain.payment_exceptions import payment_record
from qbo_sync_dagster.domain.payment_view import PaymentView
from qbo_sync_dagster.domain.payments_out import PaidDocument, Verdict

_MOST_FIELDS_TOLD = 12
_NOT_MAPPED = {
    Verdict.NO_INVOICE: (
        ExceptionKind.PUSH_INVOICE_NOT_MAPPED,
        "Its invoice is not in QuickBooks and will not get there by itself.",
    ),
    Verdict.NO_CUSTOMER: (
        ExceptionKind.PUSH_CUSTOMER_NOT_MAPPED,
        "Its client is not linked to a QuickBooks customer.",
    ),
    Verdict.LATE: (
        ExceptionKind.BEFORE_GO_LIVE,
        "It is dated before go-live, but was recorded after the company was connected.",
    ),
}
# The exception of its invoice under which a receipt waits. Staff may have dismissed it; a total
# difference cannot be dismissed, and of an imported link it is not known before it is read.
HELD_BY = {
    Verdict.REOPENED: ExceptionKind.REOPENED_IN_ALGAPSA,
    Verdict.GONE: ExceptionKind.DRIFT_GONE,
}
# What is raised about a receipt that QuickBooks lacks, keyed by its row in AlgaPSA.
PUSH_KINDS = (
    ExceptionKind.PUSH_INVOICE_NOT_MAPPED,
    ExceptionKind.PUSH_CUSTOMER_NOT_MAPPED,
    ExceptionKind.PUSH_FAILING,
    ExceptionKind.BEFORE_GO_LIVE,
    ExceptionKind.SAME_PAYMENT,
    ExceptionKind.ALREADY_SETTLED,
    ExceptionKind.CLOSED_PERIOD,
    ExceptionKind.ORPHAN,
)


def label(receipt: Receipt, number: str) -> str:
    """What people call a receipt of AlgaPSA."""
    return f"Payment of {format_minor(receipt.net or receipt.minor)} on invoice {number}"


def not_pushed(receipt: Receipt, document: PaidDocument, verdict: Verdict) -> ExceptionRecord:
    """The exception of a receipt that cannot be pushed before somebody links something."""
    kind, why = _NOT_MAPPED[verdict]
    return _about(kind, receipt, document, why)


def too_little_open(
    receipt: Receipt, document: PaidDocument, balance_minor: int
) -> ExceptionRecord:
    """The exception of a receipt for which QuickBooks has too little open on the invoice."""
    kind = ExceptionKind.SAME_PAYMENT if balance_minor > 0 else ExceptionKind.ALREADY_SETTLED
    why = (
        f"QuickBooks has only {format_minor(balance_minor)} open on that invoice, so the same "
        "money may have been entered there already. It was not sent."
    )
    told = _about(kind, receipt, document, why)
    told.amounts["open in QuickBooks"] = balance_minor
    return told


def beside_left_unapplied(
    receipt: Receipt, document: PaidDocument, payments: Collection[str]
) -> ExceptionRecord:
    """The exception of a receipt on an invoice with QuickBooks payments that staff left alone."""
    why = (
        "QuickBooks has a payment on that invoice which staff left unapplied in AlgaPSA, so the "
        "same money may have been entered there already. It was not sent."
    )
    told = _about(ExceptionKind.SAME_PAYMENT, receipt, document, why)
    named = [_object("Payment", each, each) for each in sorted(payments)]
    return replace(told, references=(*told.references, *named))


def invoice_left_alone(
    receipt: Receipt, document: PaidDocument, verdict: Verdict
) -> ExceptionRecord:
    """The exception of a receipt on an invoice that staff left as it is, though it holds it."""
    why = f"It waits: {verdict.value}, and staff left that as it is. It was not sent."
    return _about(ExceptionKind.PUSH_FAILING, receipt, document, why)


def push_refused(
    receipt: Receipt, document: PaidDocument, sentence: str, intuit_tid: str | None
) -> ExceptionRecord:
    """The exception of a receipt that QuickBooks refused for good."""
    reference = f" (Intuit reference {intuit_tid})" if intuit_tid else ""
    why = f"QuickBooks refused it: {sentence}{reference}"
    return _about(ExceptionKind.PUSH_FAILING, receipt, document, why)


def push_in_closed_period(
    receipt: Receipt, document: PaidDocument, closing_date: date | None
) -> ExceptionRecord:
    """The exception of a receipt, or of its reversal, dated in a period that is closed."""
    until = f" (closed through {closing_date})" if closing_date else ""
    why = f"QuickBooks has closed that period{until}. It waits and nothing was sent."
    return _about(ExceptionKind.CLOSED_PERIOD, receipt, document, why)


def not_applied(
    receipt: Receipt, document: PaidDocument, quickbooks_id: str, unapplied_minor: int
) -> ExceptionRecord:
    """The exception of a pushed payment of which QuickBooks left a part unapplied."""
    why = (
        f"It is in QuickBooks as payment {quickbooks_id}, but {format_minor(unapplied_minor)} of "
        "it was not applied to the invoice there."
    )
    return _about(ExceptionKind.PUSH_UNAPPLIED, receipt, document, why, quickbooks_id)


def refund_to_record(refund: PaymentRecord, number: str) -> ExceptionRecord:
    """The exception of a refund, which only staff can record in QuickBooks."""
    amount = format_minor(-refund.minor)
    method = f" by {refund.method}" if refund.method else ""
    return ExceptionRecord(
        kind=ExceptionKind.REFUND_TO_RECORD,
        record=payment_record(refund.row_id),
        what_happened=(
            f"AlgaPSA refunded {amount} on invoice {number} on {refund.date}{method}. Record in "
            f"QuickBooks a refund receipt, or a cheque or expense to accounts receivable, of "
            f"{amount} dated {refund.date} for this customer; or reduce the payment by {amount}."
        ),
        references=_references(refund.row_id, refund.invoice_id, number, "Refund"),
        amounts={"refund": -refund.minor},
        version=str(refund.minor),
    )


def reversal_to_record(
    receipt: Receipt, document: PaidDocument, quickbooks_id: str, lacking_minor: int, why: str
) -> ExceptionRecord:
    """The exception of a reversal that we cannot carry out on the QuickBooks payment.

    `lacking_minor` is what AlgaPSA took back beyond what QuickBooks took back already.
    """
    amount = format_minor(lacking_minor)
    told = _about(
        ExceptionKind.REVERSAL_TO_RECORD,
        receipt,
        document,
        f"AlgaPSA took {amount} of it back, and its QuickBooks payment {quickbooks_id} was left as "
        f"it is: {why}",
        quickbooks_id,
    )
    told.amounts["taken back"] = lacking_minor
    return told


def changed_in_quickbooks(
    row_id: str,
    invoice_id: str,
    quickbooks_id: str,
    agreed: PaymentView,
    shown: PaymentView,
    found: Sequence[FieldDifference],
    *,
    number: str,
    named: Sequence[FieldDifference],
    outcome: str = "",
) -> ExceptionRecord:
    """The exception of a payment that we pushed and somebody changed in QuickBooks.

    `number` is its invoice's, `named` what was `found` with names in place of ids. `outcome` says
    why it could not be sent again when staff chose that.
    """
    fields = in_words(named, _MOST_FIELDS_TOLD)
    return ExceptionRecord(
        kind=ExceptionKind.PAYMENT_DRIFT,
        record=payment_record(quickbooks_id),
        what_happened=(
            f"The payment of {format_minor(agreed.total_minor)} on invoice {number}, which came "
            f"from AlgaPSA, was changed in QuickBooks. {fields[:1].upper()}{fields[1:]}. AlgaPSA "
            "keeps its payment as it is."
            + (f" It was not sent again: {outcome}" if outcome else "")
        ),
        references=(
            RecordReference("quickbooks", "Payment", quickbooks_id, f"Payment {quickbooks_id}"),
            *_references(row_id, invoice_id, number, "Payment"),
        ),
        amounts={"pushed": agreed.total_minor, "in QuickBooks": shown.total_minor},
        version="|".join(f"{item.field}={item.shown}" for item in found),
    )


def matched_changed_in_algapsa(
    receipt: Receipt, number: str, quickbooks_id: str, agreed_minor: int
) -> ExceptionRecord:
    """The exception of a matched payment of which AlgaPSA took something back."""
    return ExceptionRecord(
        kind=ExceptionKind.PAYMENT_DRIFT,
        record=payment_record(receipt.row_id),
        what_happened=(
            f"A payment of {format_minor(agreed_minor)} on invoice {number} was matched with "
            f"QuickBooks payment {quickbooks_id}, and AlgaPSA now holds "
            f"{format_minor(receipt.net)} of it. Correct it in QuickBooks too, or accept the "
            "difference."
        ),
        references=(
            *_references(receipt.row_id, receipt.invoice_id, number, "Payment"),
            RecordReference("quickbooks", "Payment", quickbooks_id, f"Payment {quickbooks_id}"),
        ),
        amounts={"matched": agreed_minor, "in AlgaPSA": receipt.net},
        version=str(receipt.net),
    )


def _about(
    kind: ExceptionKind,
    receipt: Receipt,
    document: PaidDocument,
    why: str,
    quickbooks_id: str | None = None,
) -> ExceptionRecord:
    references: list[RecordReference] = [
        *_references(receipt.row_id, receipt.invoice_id, document.number, "Payment")
    ]
    if document.quickbooks_id:
        references.append(_object("Invoice", document.quickbooks_id, document.number))
    if quickbooks_id:
        references.append(_object("Payment", quickbooks_id, quickbooks_id))
    named = f" ({receipt.method} {receipt.reference})" if receipt.reference else ""
    return ExceptionRecord(
        kind=kind,
        record=payment_record(receipt.row_id),
        what_happened=(
            f"AlgaPSA's payment of {format_minor(receipt.minor)} {document.currency}{named} of "
            f"{receipt.date} on invoice {document.number}: {why}"
        ),
        references=tuple(references),
        amounts={"payment": receipt.net},
        version=str(receipt.net),
    )


def _object(entity: str, object_id: str, name: str) -> RecordReference:
    return RecordReference("quickbooks", entity, object_id, f"{entity} {name}")


def _references(
    row_id: str, invoice_id: str, number: str, what: str
) -> tuple[RecordReference, RecordReference]:
    return (
        RecordReference("algapsa", "payment", row_id, f"{what} on invoice {number}"),
        RecordReference("algapsa", "invoice", invoice_id, f"Invoice {number}"),
    )


def rows_named(references: Collection[RecordReference]) -> list[str]:
    """The AlgaPSA payment rows that an exception points to."""
    return [
        each.record_id for each in references if (each.side, each.kind) == ("algapsa", "payment")
    ]
