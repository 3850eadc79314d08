"""Another date than AlgaPSA's, where staff chose one because QuickBooks' books are closed.

What belongs here: what that choice means for what is sent. What does not: the choice (actions).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import date
from typing import Any

from qbo_sync_dagster.domain.export import ExportDocument


def chosen_day(detail: Mapping[str, Any]) -> date | None:
    """The day that staff chose for one create, from what its operation keeps; None without one."""
    day = detail.get("date")
    return date.fromisoformat(day) if day else None


def re_dated(document: ExportDocument, detail: Mapping[str, Any]) -> ExportDocument:
    """The document as it is to be created: dated as staff chose, else as AlgaPSA has it.

    A day that AlgaPSA has passed by itself needs no choice any more. The due date stays.
    """
    return replace(document, invoice_date=booked_on(document.invoice_date, detail))


def booked_on(invoice_date: date, detail: Mapping[str, Any]) -> date:
    """The date of a document of this date in QuickBooks' books."""
    return max(invoice_date, chosen_day(detail) or invoice_date)
