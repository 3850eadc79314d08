"""Whether an exported document may be updated or voided in QuickBooks, judged on a fresh read.

Nothing is sent over a version that nobody has seen: any difference from it, balance and links
aside, is drift. How the write is made and recorded is stage 5's business.
"""

from __future__ import annotations

from enum import Enum

from qbo_sync_dagster.domain.algapsa_records import DocumentHeader
from qbo_sync_dagster.domain.catalogue import ExceptionKind
from qbo_sync_dagster.domain.document_kinds import CREDIT_MEMO, DocumentKind, kind_of
from qbo_sync_dagster.domain.document_view import (
    DELETED,
    LIVE,
    VOIDED,
    DocumentView,
    FieldDifference,
    differences,
)
from qbo_sync_dagster.domain.eligibility import CANCELLED_STATUSES
from qbo_sync_dagster.domain.exception_record import ExceptionRecord, RecordReference
from qbo_sync_dagster.domain.money import format_minor

# The content that a link stands for once we have voided its object: AlgaPSA has none like it.
WITHDRAWN = "withdrawn"


class ChangeStep(Enum):
    """What to do about an update or a void."""

    SEND = "send"
    DONE = "it stands as wanted"
    CREATE_ANEW = "it was deleted"
    GONE = "it is gone"
    DRIFTED = "it was changed"
    APPLIED = "something is applied to it"


def judge_void(
    kind: DocumentKind, expected: DocumentView, now: DocumentView, applied_minor: int
) -> ChangeStep:
    """What to do about a void; `expected` is what was agreed on, or what staff saw.

    `applied_minor` is what payments or credits, or uses of the credit, take of the total.
    """
    if now.state == VOIDED or (now.state == DELETED and kind is CREDIT_MEMO):
        return ChangeStep.DONE
    if now.state == DELETED:
        return ChangeStep.GONE
    if differences(expected, now):
        return ChangeStep.DRIFTED
    return ChangeStep.APPLIED if applied_minor else ChangeStep.SEND


def judge_update(
    expected: DocumentView, now: DocumentView, applied_minor: int, wanted_minor: int
) -> ChangeStep:
    """What to do about a re-export; `expected` is what staff saw when they chose it.

    It is refused if its new total is below what is applied: QuickBooks would unapply the rest.
    """
    if differences(expected, now):
        return ChangeStep.DRIFTED
    if now.state == DELETED:
        return ChangeStep.CREATE_ANEW
    return ChangeStep.APPLIED if wanted_minor < applied_minor else ChangeStep.SEND


def is_cancelled(header: DocumentHeader | None) -> bool:
    """Whether AlgaPSA has voided the document."""
    return header is not None and header.status in CANCELLED_STATUSES


def may_be_updated(header: DocumentHeader | None) -> bool:
    """Whether AlgaPSA has a final version of the document that QuickBooks could show."""
    return (
        header is not None
        and header.status not in {"draft", *CANCELLED_STATUSES}
        and header.finalized_at is not None
    )


def void_failing(
    kind: DocumentKind,
    invoice_id: str,
    quickbooks_id: str,
    number: str,
    sentence: str,
    version: str,
) -> ExceptionRecord:
    """The exception of a void that QuickBooks' document does not allow, with the reason."""
    label = f"{kind.noun} {number}"
    return ExceptionRecord(
        kind=ExceptionKind.VOID_FAILING,
        record=f"invoice:{invoice_id}",
        what_happened=(
            f"{label} is to be voided in QuickBooks and still stands there: {sentence} Nothing was "
            "sent."
        ),
        references=(
            RecordReference("algapsa", "invoice", invoice_id, label),
            RecordReference("quickbooks", kind.entity, quickbooks_id, label),
        ),
        version=version,
    )


def why_not_voided(step: ChangeStep, applied_minor: int, found: list[FieldDifference]) -> str:
    """Why a document is not voided, as a sentence with its cure."""
    if step is ChangeStep.GONE:
        return "it was deleted there."
    if step is ChangeStep.APPLIED:
        return (
            f"{format_minor(applied_minor)} of it is paid or applied there. Remove that first, or "
            "accept that QuickBooks keeps the document."
        )
    fields = "; ".join(f"{item.field}: {item.agreed} -> {item.shown}" for item in found)
    return f"it was changed there since ({fields}). Accept that version first."


def below_applied(
    header: DocumentHeader, quickbooks_id: str, applied_minor: int
) -> ExceptionRecord:
    """The exception of a re-export whose total is below what is already applied."""
    label = f"{kind_of(header).noun} {header.number}"
    total, applied = format_minor(header.exported_minor), format_minor(applied_minor)
    return ExceptionRecord(
        kind=ExceptionKind.EXPORT_FAILING,
        record=f"invoice:{header.invoice_id}",
        what_happened=(
            f"{label} is {total} {header.currency} in AlgaPSA, but {applied} is applied to it in "
            "QuickBooks. Unapply the rest there; the re-export follows by itself."
        ),
        references=(
            RecordReference("algapsa", "invoice", header.invoice_id, label),
            RecordReference("quickbooks", kind_of(header).entity, quickbooks_id, label),
        ),
        amounts={"AlgaPSA total": header.exported_minor, "applied in QuickBooks": applied_minor},
        version=header.fingerprint,
    )


def closed_change(
    kind: DocumentKind,
    invoice_id: str,
    quickbooks_id: str,
    shown: DocumentView,
    doing: str,
    closed_through: str,
    version: str,
) -> ExceptionRecord:
    """The exception of an update or void that waits for its period to be reopened."""
    label = f"{kind.noun} {shown.number}"
    return ExceptionRecord(
        kind=ExceptionKind.CLOSED_PERIOD,
        record=f"invoice:{invoice_id}",
        what_happened=(
            f"{label} of {format_minor(shown.total_minor)}, dated {shown.date}, is to be {doing} "
            f"in QuickBooks, which has closed that period{closed_through}. It waits and nothing "
            "was sent."
        ),
        references=(
            RecordReference("algapsa", "invoice", invoice_id, label),
            RecordReference("quickbooks", kind.entity, quickbooks_id, label),
        ),
        amounts={"total": shown.total_minor},
        version=f"{doing}:{version}",
    )


def is_reached(wanted: DocumentView, customer_id: str, now: DocumentView) -> bool:
    """Whether the document stands as an update whose answer was lost would leave it."""
    return now.state == LIVE and now.customer_id == customer_id and not differences(wanted, now)
