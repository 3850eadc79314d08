"""A payment that waits, told to accounting staff: which payment, which invoices, which figures."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta

from qbo_sync_dagster.domain.algapsa_records import DocumentHeader
from qbo_sync_dagster.domain.catalogue import ExceptionKind
from qbo_sync_dagster.domain.eligibility import invoice_reference
from qbo_sync_dagster.domain.exception_record import ExceptionRecord, RecordReference
from qbo_sync_dagster.domain.money import format_minor
from qbo_sync_dagster.domain.payment_refusals import Refusal, RefusalKind, RefusalReason
from qbo_sync_dagster.domain.payment_wanted import WantedPayment
from qbo_sync_dagster.domain.same_money import LocalKind, LocalMoney

# A total difference has its own exception on the invoice, and a credit note that both sides used
# differently on the note; a second one would be noise.
_KINDS = {
    RefusalKind.MATCHED_CHANGED: ExceptionKind.PAYMENT_DRIFT,
    RefusalKind.CREDIT_CHANGED: ExceptionKind.PAYMENT_DRIFT,
    RefusalKind.CREDIT_STILL_OPEN: ExceptionKind.CREDIT_STILL_OPEN,
    RefusalKind.UNKNOWN_INVOICE: ExceptionKind.UNKNOWN_INVOICE,
    RefusalKind.NOT_PAYABLE: ExceptionKind.NON_PAYABLE,
    RefusalKind.CURRENCY: ExceptionKind.PAYMENT_CURRENCY,
    RefusalKind.PREPAID_REPLENISHMENT: ExceptionKind.PREPAID_REPLENISHMENT,
    RefusalKind.SETTLED: ExceptionKind.ALREADY_SETTLED,
    RefusalKind.SAME_MONEY: ExceptionKind.SAME_PAYMENT,
}

_ON_NOTES = (RefusalKind.CREDIT_STILL_OPEN, RefusalKind.CREDIT_DISPUTED)
PAYMENT_KINDS = (*_KINDS.values(), ExceptionKind.INVOICE_LOCKED)
# Somebody who edits an invoice holds it for seconds; a job for minutes.
LONGEST_WAIT_UNTOLD = timedelta(hours=1)
_MOST_REASONS_TOLD = 10


def payment_record(payment_id: str) -> str:
    """What keys the exceptions of a QuickBooks payment."""
    return f"payment:{payment_id}"


def refusal_exception(
    wanted: WantedPayment, refusal: Refusal, numbers: Mapping[str, str]
) -> ExceptionRecord | None:
    """The exception of a waiting payment; None if it waits under its invoice's own exception.

    `numbers` gives the document numbers of unlinked QuickBooks invoices, where known.
    """
    kind = _KINDS.get(refusal.kind)
    if kind is None:
        return None
    sentences = [_sentence(wanted, reason, numbers) for reason in refusal.reasons]
    told = sentences[:_MOST_REASONS_TOLD]
    if len(sentences) > len(told):
        told.append(f"{len(sentences) - len(told)} more of its lines wait too.")
    return ExceptionRecord(
        kind=kind,
        record=payment_record(wanted.payment_id),
        what_happened=(
            f"{_label(wanted)} of {wanted.date.isoformat()} waits whole. {' '.join(told)}"
        ),
        references=_references(wanted, refusal, numbers),
        amounts=_amounts(refusal, numbers),
        version=str(wanted.version),
    )


def invoice_locked(wanted: WantedPayment) -> ExceptionRecord:
    """The exception of a payment whose invoices AlgaPSA has kept locked for too long."""
    return ExceptionRecord(
        kind=ExceptionKind.INVOICE_LOCKED,
        record=payment_record(wanted.payment_id),
        what_happened=(
            f"{_label(wanted)} of {wanted.date.isoformat()} could not be applied for more than "
            "an hour: another session keeps one of its invoices locked in AlgaPSA."
        ),
        references=(RecordReference("quickbooks", "Payment", wanted.payment_id, _label(wanted)),),
        version=str(wanted.version),
    )


def payable_online(header: DocumentHeader) -> ExceptionRecord:
    """The warning that a client can still pay an invoice that QuickBooks' payments have settled."""
    return ExceptionRecord(
        kind=ExceptionKind.PAYABLE_ONLINE,
        record=f"invoice:{header.invoice_id}",
        what_happened=(
            f"Invoice {header.number} was settled by a payment recorded in QuickBooks, and its "
            "online payment link is still active: the client could pay it twice."
        ),
        references=(invoice_reference(header),),
        amounts={"total": header.total_minor},
    )


def _label(wanted: WantedPayment) -> str:
    reference = f" {wanted.reference}" if wanted.reference else ""
    return f"QuickBooks payment{reference} (id {wanted.payment_id})"


def _sentence(wanted: WantedPayment, reason: RefusalReason, numbers: Mapping[str, str]) -> str:
    invoice, number = _invoice(reason, numbers), reason.number or reason.invoice_id
    held, room = format_minor(reason.wanted_minor), format_minor(reason.room_minor)
    gone = f"AlgaPSA no longer has {invoice}, to which QuickBooks applies {held}."
    sentences = {
        RefusalKind.MATCHED_CHANGED: (
            f"It was matched with a payment of AlgaPSA and now holds {held} on {invoice}."
        ),
        RefusalKind.CREDIT_CHANGED: (
            f"It carried AlgaPSA's application of {held} of credit to {invoice}, and carries it no "
            "more."
        ),
        RefusalKind.CREDIT_STILL_OPEN: (
            f"It takes {held} from credit note {number}, which AlgaPSA still shows open."
        ),
        RefusalKind.CREDIT_DISPUTED: (
            f"It takes {held} from credit note {number}, which AlgaPSA applied differently."
        ),
        RefusalKind.UNKNOWN_INVOICE: (
            f"It applies {held} to {invoice}, which no AlgaPSA invoice is linked to."
        ),
        RefusalKind.NOT_PAYABLE: (
            f"It applies {held} to {invoice}, which is {reason.status} in AlgaPSA."
            if reason.status
            else gone
        ),
        RefusalKind.CURRENCY: (
            f"It is in {wanted.currency or 'another currency'}, and {invoice} is in "
            f"{reason.currency}."
        ),
        RefusalKind.PREPAID_REPLENISHMENT: (
            f"{held} on {invoice} must also grant prepaid credit, which only AlgaPSA itself does."
        ),
        RefusalKind.TOTAL_DIFFERENCE: f"The total of {invoice} differs in QuickBooks.",
        RefusalKind.SETTLED: (
            f"QuickBooks applies {held} to {invoice}, of which AlgaPSA can take {room}."
        ),
        RefusalKind.SAME_MONEY: f"QuickBooks applies {held} to {invoice}.",
    }
    return f"{sentences[reason.kind]}{_twin(reason)}"


def _twin(reason: RefusalReason) -> str:
    if reason.twin is None:
        return ""
    is_payment = reason.twin.kind is LocalKind.PAYMENT
    what = "payment" if is_payment else "credit application"
    minor = format_minor(reason.twin.minor)
    return f" AlgaPSA itself has a {what} of {minor} there: it may be the same money."


def _invoice(reason: RefusalReason, numbers: Mapping[str, str]) -> str:
    if reason.kind is RefusalKind.UNKNOWN_INVOICE:
        number = numbers.get(reason.invoice_id)
        return f"QuickBooks invoice {number or f'with id {reason.invoice_id}'}"
    return f"invoice {reason.number or reason.invoice_id}"


def _references(
    wanted: WantedPayment, refusal: Refusal, numbers: Mapping[str, str]
) -> tuple[RecordReference, ...]:
    payment = RecordReference("quickbooks", "Payment", wanted.payment_id, _label(wanted))
    twins = [_twin_reference(each.twin) for each in refusal.reasons[:50] if each.twin]
    return (payment, *(_reference(reason, numbers) for reason in refusal.reasons[:50]), *twins)


def _twin_reference(found: LocalMoney) -> RecordReference:
    label = "Payment" if found.kind is LocalKind.PAYMENT else "Applied credit"
    return RecordReference("algapsa", str(found.kind), found.record_id, f"{label} in AlgaPSA")


def _reference(reason: RefusalReason, numbers: Mapping[str, str]) -> RecordReference:
    if reason.kind is RefusalKind.UNKNOWN_INVOICE:
        label = f"Invoice {numbers.get(reason.invoice_id) or reason.invoice_id}"
        return RecordReference("quickbooks", "Invoice", reason.invoice_id, label)
    what = "Credit note" if reason.kind in _ON_NOTES else "Invoice"
    label = f"{what} {reason.number or reason.invoice_id}"
    return RecordReference("algapsa", "invoice", reason.invoice_id, label)


def _amounts(refusal: Refusal, numbers: Mapping[str, str]) -> dict[str, int]:
    amounts: dict[str, int] = {}
    for reason in refusal.reasons:
        if reason.kind in _ON_NOTES:
            amounts[f"QuickBooks from credit note {reason.number}"] = reason.wanted_minor
            continue
        name = _invoice(reason, numbers)
        if reason.kind is RefusalKind.UNKNOWN_INVOICE:
            amounts[f"applied to {name}"] = reason.wanted_minor
        else:
            amounts[f"QuickBooks on {name}"] = reason.wanted_minor
            amounts[f"room on {name}"] = reason.room_minor
    return amounts
