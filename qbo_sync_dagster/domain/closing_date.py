"""The closing date: nothing is written into a period that the company has closed."""

from __future__ import annotations

from datetime import date

from qbo_sync_dagster.domain.algapsa_records import DocumentHeader
from qbo_sync_dagster.domain.catalogue import ExceptionKind
from qbo_sync_dagster.domain.document_kinds import kind_of
from qbo_sync_dagster.domain.eligibility import invoice_reference
from qbo_sync_dagster.domain.exception_record import ExceptionRecord
from qbo_sync_dagster.domain.money import format_minor


def is_closed(day: date, closing_date: date | None) -> bool:
    """Whether the books of that day are closed: the closing date itself is."""
    return closing_date is not None and day <= closing_date


def closed_period(header: DocumentHeader, closing_date: date | None) -> ExceptionRecord:
    """The exception of an invoice that waits for its period to be reopened."""
    until = f" (closed through {closing_date})" if closing_date else ""
    return ExceptionRecord(
        kind=ExceptionKind.CLOSED_PERIOD,
        record=f"invoice:{header.invoice_id}",
        what_happened=(
            f"{kind_of(header).noun} {header.number} of {format_minor(header.exported_minor)} "
            f"{header.currency} is "
            f"dated {header.invoice_date}, in a period that QuickBooks has closed{until}. It waits "
            "and was not sent."
        ),
        references=(invoice_reference(header),),
        amounts={"total": header.total_minor},
        version=header.fingerprint,
    )
