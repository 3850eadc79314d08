"""The total difference: QuickBooks' total of a document against AlgaPSA's, after every write."""

from __future__ import annotations

from qbo_sync_dagster.domain.algapsa_records import DocumentHeader
from qbo_sync_dagster.domain.catalogue import ExceptionKind
from qbo_sync_dagster.domain.eligibility import invoice_reference
from qbo_sync_dagster.domain.exception_record import ExceptionRecord, RecordReference
from qbo_sync_dagster.domain.money import format_minor


def accepted_part(difference_minor: int, accepted_cents: int) -> int:
    """What of a difference the company's setting accepts by itself: all of it or nothing.

    Both in minor units; the difference is QuickBooks' total minus AlgaPSA's.
    """
    return difference_minor if abs(difference_minor) <= accepted_cents else 0


def total_difference(
    header: DocumentHeader, quickbooks_id: str, quickbooks_minor: int
) -> ExceptionRecord:
    """The exception that names both totals."""
    ours, theirs = format_minor(header.total_minor), format_minor(quickbooks_minor)
    return ExceptionRecord(
        kind=ExceptionKind.TOTAL_DIFFERENCE,
        record=f"invoice:{header.invoice_id}",
        what_happened=(
            f"Invoice {header.number} is {ours} {header.currency} in AlgaPSA and {theirs} in "
            "QuickBooks. Its payments wait until the difference is settled."
        ),
        references=(
            invoice_reference(header),
            RecordReference("quickbooks", "Invoice", quickbooks_id, f"Invoice {header.number}"),
        ),
        amounts={"AlgaPSA total": header.total_minor, "QuickBooks total": quickbooks_minor},
        version=str(quickbooks_minor),
    )
