"""The total difference: QuickBooks' total of a document against AlgaPSA's, after every write."""

from __future__ import annotations

from dataclasses import replace

from qbo_sync_dagster.domain.algapsa_records import DocumentHeader
from qbo_sync_dagster.domain.catalogue import ExceptionKind
from qbo_sync_dagster.domain.document_kinds import kind_of
from qbo_sync_dagster.domain.document_view import LIVE, DocumentView
from qbo_sync_dagster.domain.eligibility import invoice_reference
from qbo_sync_dagster.domain.exception_record import ExceptionRecord, RecordReference
from qbo_sync_dagster.domain.money import format_minor


def accepted_part(difference_minor: int, accepted_cents: int) -> int:
    """What of a difference the company's setting accepts by itself: all of it or nothing.

    Both in minor units; the difference is QuickBooks' total minus AlgaPSA's.
    """
    return difference_minor if abs(difference_minor) <= accepted_cents else 0


def corrected(
    agreed: DocumentView, shown: DocumentView, difference_minor: int, accepted_minor: int
) -> DocumentView | None:
    """What is agreed on once an open difference was corrected in QuickBooks; None if it was not.

    Only what the correction had to move is taken over: any other field that moved is drift.
    """
    is_open = difference_minor != accepted_minor
    shows_ours = shown.total_minor == agreed.total_minor - difference_minor
    if not is_open or shown.state != LIVE or not shows_ours:
        return None
    return replace(
        agreed, total_minor=shown.total_minor, tax_minor=shown.tax_minor, lines=shown.lines
    )


def total_difference(
    header: DocumentHeader, quickbooks_id: str, quickbooks_minor: int
) -> ExceptionRecord:
    """The exception that names both totals."""
    noun, ours = kind_of(header).noun, format_minor(header.exported_minor)
    theirs = format_minor(quickbooks_minor)
    return ExceptionRecord(
        kind=ExceptionKind.TOTAL_DIFFERENCE,
        record=f"invoice:{header.invoice_id}",
        what_happened=(
            f"{noun} {header.number} is {ours} {header.currency} in AlgaPSA and {theirs} in "
            "QuickBooks. Its payments wait until the difference is settled."
        ),
        references=(
            invoice_reference(header),
            RecordReference(
                "quickbooks", kind_of(header).entity, quickbooks_id, f"{noun} {header.number}"
            ),
        ),
        amounts={"AlgaPSA total": header.exported_minor, "QuickBooks total": quickbooks_minor},
        version=str(quickbooks_minor),
    )
