"""Credit that does not reach QuickBooks, told to accounting staff: which, why, which figures."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping
from datetime import date, timedelta

from qbo_sync_dagster.domain.algapsa_payments import CreditApplication, NoteCredit
from qbo_sync_dagster.domain.catalogue import ExceptionKind
from qbo_sync_dagster.domain.credits import credit_label, credit_record
from qbo_sync_dagster.domain.credits_in import Dispute
from qbo_sync_dagster.domain.exception_record import ExceptionRecord, RecordReference
from qbo_sync_dagster.domain.money import format_minor

LONGEST_WAIT_UNTOLD = timedelta(days=7)
# What an application can wait for; at most one of them is open for it.
WAITING_KINDS = (
    ExceptionKind.CREDIT_FAILING,
    ExceptionKind.CREDIT_CONSUMED,
    ExceptionKind.CREDIT_WAITING,
    ExceptionKind.CLOSED_PERIOD,
    ExceptionKind.ORPHAN,
)
_SOURCES: Mapping[str, tuple[ExceptionKind, str]] = {
    "prepayment": (ExceptionKind.CREDIT_PREPAYMENT, "a prepayment"),
    "standard": (ExceptionKind.CREDIT_DEPOSIT, "a project deposit"),
}
_GRANTED = (ExceptionKind.CREDIT_NOT_EXPRESSIBLE, "a granted or transferred credit")
NOT_EXPRESSIBLE_KINDS = (
    ExceptionKind.CREDIT_PREPAYMENT,
    ExceptionKind.CREDIT_DEPOSIT,
    ExceptionKind.CREDIT_NOT_EXPRESSIBLE,
)


def not_expressible(application: CreditApplication) -> ExceptionRecord:
    """The exception of credit that has no credit memo in QuickBooks; nothing is ever sent of it."""
    kind, what = _SOURCES.get(application.source_type or "", _GRANTED)
    source = f" {application.source_number}" if application.source_number else ""
    return ExceptionRecord(
        kind=kind,
        record=credit_record(application.key),
        what_happened=(
            f"AlgaPSA applied {_amount(application)} of {what}{source} to invoice "
            f"{application.invoice_number} on {application.date}. QuickBooks has no credit memo "
            "for it and still shows that amount open."
        ),
        references=_references(application),
        amounts={"credit": application.minor},
        version=application.key,
    )


def vanished_credits(
    notes: Iterable[NoteCredit],
    applications: Iterable[CreditApplication],
    linked_notes: Collection[str],
) -> Iterator[ExceptionRecord]:
    """Notes of which more is gone than was applied: that part expired or was moved away."""
    used: dict[str, int] = {}
    for each in applications:
        if not each.is_reversed and each.source_invoice_id:
            used[each.source_invoice_id] = used.get(each.source_invoice_id, 0) + each.minor
    for note in notes:
        gone = note.minor - note.left_minor - used.get(note.invoice_id, 0)
        if gone > 0 and note.invoice_id in linked_notes:
            yield ExceptionRecord(
                kind=ExceptionKind.CREDIT_NOT_EXPRESSIBLE,
                record=f"invoice:{note.invoice_id}",
                what_happened=(
                    f"{format_minor(gone)} {note.currency} of credit note {note.number} expired "
                    "or was transferred in AlgaPSA. QuickBooks still shows it open."
                ),
                references=(_note(note.invoice_id, note.number),),
                amounts={"credit": gone},
                version=str(gone),
            )


def waits_too_long(application: CreditApplication, today: date) -> ExceptionRecord | None:
    """The exception of an application whose documents have not come for over a week."""
    if today - application.date <= LONGEST_WAIT_UNTOLD:
        return None
    return _told(
        application,
        ExceptionKind.CREDIT_WAITING,
        f"AlgaPSA applied {_amount(application)} of credit note {application.source_number} to "
        f"invoice {application.invoice_number} on {application.date}, and the two are not both in "
        "QuickBooks yet. It follows once they are.",
    )


def keeps_failing(application: CreditApplication, why: str) -> ExceptionRecord:
    """The exception of an application that QuickBooks does not take."""
    return _told(
        application,
        ExceptionKind.CREDIT_FAILING,
        f"{_amount(application)} of credit note {application.source_number} could not be applied "
        f"to invoice {application.invoice_number}: {why}",
    )


def cannot_be_removed(
    key: str, label: str, why: str, kind: ExceptionKind = ExceptionKind.CREDIT_FAILING
) -> ExceptionRecord:
    """The exception of an application that AlgaPSA took back and QuickBooks still has."""
    return ExceptionRecord(
        kind=kind,
        record=credit_record(key),
        what_happened=(
            f"{label} was taken back in AlgaPSA, but its payment still stands in QuickBooks: {why}"
        ),
        references=(RecordReference("algapsa", "credit_application", key, label),),
        version=removal_version(key),
    )


def removal_version(key: str) -> str:
    """What a dismissal of such an exception stands for."""
    return f"removal {key}"


def consumed(application: CreditApplication, left_minor: int) -> ExceptionRecord:
    """The exception of an application for which QuickBooks' credit memo has too little left."""
    return _told(
        application,
        ExceptionKind.CREDIT_CONSUMED,
        f"AlgaPSA applied {_amount(application)} of credit note {application.source_number} to "
        f"invoice {application.invoice_number}, but its credit memo in QuickBooks has only "
        f"{format_minor(max(left_minor, 0))} left. Nothing was sent.",
        {"left in QuickBooks": max(left_minor, 0)},
    )


def closed_for_credit(
    application: CreditApplication, day: date, closing_date: date | None
) -> ExceptionRecord:
    """The exception of an application that waits for its period to be reopened."""
    until = f" (closed through {closing_date})" if closing_date else ""
    return _told(
        application,
        ExceptionKind.CLOSED_PERIOD,
        f"{credit_label(application)} of {_amount(application)} is dated {day}, in a period that "
        f"QuickBooks has closed{until}. It waits and was not sent.",
    )


def disputed(dispute: Dispute) -> ExceptionRecord:
    """The exception of a note that both sides applied, each in its own way, naming both."""
    first = dispute.applications[0]
    ours = "; ".join(
        f"{_amount(each)} to invoice {each.invoice_number}" for each in dispute.applications
    )
    theirs = "; ".join(
        f"{format_minor(use.from_notes[dispute.note_id])} by payment {use.payment_id}"
        for use in dispute.uses
    )
    amounts = {f"AlgaPSA on invoice {each.invoice_number}": 0 for each in dispute.applications}
    for each in dispute.applications:
        amounts[f"AlgaPSA on invoice {each.invoice_number}"] += each.minor
    payments = {
        f"QuickBooks by payment {use.payment_id}": use.from_notes[dispute.note_id]
        for use in dispute.uses
    }
    return ExceptionRecord(
        kind=ExceptionKind.CREDIT_USED_ELSEWHERE,
        record=f"invoice:{dispute.note_id}",
        what_happened=(
            f"AlgaPSA applied of credit note {first.source_number}: {ours}. QuickBooks applied "
            f"of it: {theirs}. Nothing more of this credit note is sent or received until this "
            "is settled."
        ),
        references=(
            _note(dispute.note_id, first.source_number),
            *(
                RecordReference("algapsa", "credit_application", each.key, credit_label(each))
                for each in dispute.applications
            ),
            *(
                RecordReference("quickbooks", "Payment", use.payment_id, "Credit applied there")
                for use in dispute.uses
            ),
        ),
        amounts=amounts | payments,
        version=dispute_version(dispute),
    )


def dispute_version(dispute: Dispute) -> str:
    """What a dismissal of the dispute stands for."""
    uses = (f"{use.payment_id}={use.from_notes[dispute.note_id]}" for use in dispute.uses)
    return " ".join([*(each.key for each in dispute.applications), *uses])


def _told(
    application: CreditApplication,
    kind: ExceptionKind,
    what_happened: str,
    amounts: Mapping[str, int] | None = None,
) -> ExceptionRecord:
    return ExceptionRecord(
        kind=kind,
        record=credit_record(application.key),
        what_happened=what_happened,
        references=_references(application),
        amounts={"credit": application.minor, **(amounts or {})},
        version=application.key,
    )


def _references(application: CreditApplication) -> tuple[RecordReference, ...]:
    invoice = RecordReference(
        "algapsa", "invoice", application.invoice_id, f"Invoice {application.invoice_number}"
    )
    if application.source_invoice_id is None:
        return (invoice,)
    return (invoice, _note(application.source_invoice_id, application.source_number))


def _note(note_id: str, number: str) -> RecordReference:
    return RecordReference("algapsa", "invoice", note_id, f"Credit note {number}")


def _amount(application: CreditApplication) -> str:
    return f"{format_minor(application.minor)} {application.currency}"
