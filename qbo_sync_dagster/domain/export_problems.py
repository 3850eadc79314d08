"""Exports that cannot happen, as exceptions that name every cause."""

from __future__ import annotations

from collections.abc import Sequence

from qbo_sync_dagster.domain.algapsa_records import DocumentHeader
from qbo_sync_dagster.domain.catalogue import ExceptionKind
from qbo_sync_dagster.domain.document_kinds import BY_ENTITY, kind_of
from qbo_sync_dagster.domain.eligibility import invoice_reference
from qbo_sync_dagster.domain.exception_record import ExceptionRecord, RecordReference


def not_ready(header: DocumentHeader, problems: Sequence[str]) -> ExceptionRecord:
    """The exception of a document that lacks something, with all that it lacks."""
    return ExceptionRecord(
        kind=ExceptionKind.EXPORT_NOT_READY,
        record=f"invoice:{header.invoice_id}",
        what_happened=f"{kind_of(header).noun} {header.number} is not ready for QuickBooks. "
        + " ".join(problems),
        references=(invoice_reference(header),),
        amounts={"total": header.total_minor},
        version=header.fingerprint,
    )


def refused(header: DocumentHeader, sentence: str, intuit_tid: str | None) -> ExceptionRecord:
    """The exception of a document that QuickBooks refused for good."""
    reference = f" (Intuit reference {intuit_tid})" if intuit_tid else ""
    return ExceptionRecord(
        kind=ExceptionKind.EXPORT_FAILING,
        record=f"invoice:{header.invoice_id}",
        what_happened=f"QuickBooks refused {_noun(header)} {header.number}: {sentence}{reference}",
        references=(invoice_reference(header),),
        amounts={"total": header.total_minor},
        version=header.fingerprint,
    )


def number_taken(header: DocumentHeader, bearers: Sequence[tuple[str, str]]) -> ExceptionRecord:
    """The exception of a document whose number objects in QuickBooks bear: (entity, id) each."""
    return ExceptionRecord(
        kind=ExceptionKind.ALREADY_IN_QUICKBOOKS,
        record=f"invoice:{header.invoice_id}",
        what_happened=(
            f"QuickBooks already has a document with the number {header.number}. This "
            f"{_noun(header)} was not sent."
        ),
        references=(
            invoice_reference(header),
            *(
                RecordReference(
                    "quickbooks", entity, object_id, f"{BY_ENTITY[entity].noun} {header.number}"
                )
                for entity, object_id in bearers
            ),
        ),
        amounts={"total": header.total_minor},
        version=header.fingerprint,
    )


def customer_refused(client_id: str, name: str, sentence: str) -> ExceptionRecord:
    """The exception of a client for whom no customer could be created."""
    return ExceptionRecord(
        kind=ExceptionKind.EXPORT_FAILING,
        record=f"client:{client_id}",
        what_happened=(
            f'No QuickBooks customer could be created for client "{name}": {sentence} Link the '
            "client to a customer; its invoices wait until then."
        ),
        references=(RecordReference("algapsa", "client", client_id, name),),
        version=name,
    )


def never_arrives(
    record_kind: str, record_id: str, label: str, times: int, version: str
) -> ExceptionRecord:
    """The exception of a record on which QuickBooks itself seems to fail."""
    return ExceptionRecord(
        kind=ExceptionKind.EXPORT_FAILING,
        record=f"{record_kind}:{record_id}",
        what_happened=(
            f"{label} was sent {times} times. QuickBooks gave no usable answer and has nothing of "
            "it. It is tried again in every cycle; look for something unusual in it, such as its "
            "characters or amounts."
        ),
        references=(RecordReference("algapsa", record_kind, record_id, label),),
        version=version,
    )


def _noun(header: DocumentHeader) -> str:
    return kind_of(header).noun.lower()
