"""Payments from before the sync that found no counterpart: remembered, told, and settled by staff.

How they are paired stands in `history_pairing`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from enum import StrEnum
from hashlib import sha256

from qbo_sync_dagster.domain.algapsa_records import DocumentHeader
from qbo_sync_dagster.domain.catalogue import ExceptionKind
from qbo_sync_dagster.domain.eligibility import invoice_reference
from qbo_sync_dagster.domain.exception_record import ExceptionRecord, RecordReference
from qbo_sync_dagster.domain.money import format_minor

_MOST_TOLD = 12


class Choice(StrEnum):
    """What became of a payment that was left over: staff apply, push or match it."""

    WAIT = "wait"
    APPLY = "apply"
    PUSH = "push"


@dataclass(frozen=True, slots=True)
class StoredLeftover:
    """A payment of one side that waits on an invoice; `minor` in the invoice's minor units.

    `record_id` is a payment of QuickBooks, or a payment row of AlgaPSA if `is_ours`.
    """

    invoice_id: str
    record_id: str
    is_ours: bool
    minor: int
    date: date
    reason: str
    choice: Choice = Choice.WAIT

    @property
    def counterpart(self) -> str:
        """What keys it beside its invoice."""
        return f"{'payment_row' if self.is_ours else 'payment'}:{self.record_id}"


def history_exception(
    header: DocumentHeader, quickbooks_id: str, waiting: Sequence[StoredLeftover]
) -> ExceptionRecord:
    """One invoice's payments that wait for staff, each with its amount, day and reason."""
    told = [_sentence(each, header.currency) for each in waiting[:_MOST_TOLD]]
    if len(waiting) > _MOST_TOLD:
        told.append(f"{len(waiting) - _MOST_TOLD} more wait too.")
    keys = " ".join(sorted(each.counterpart for each in waiting))
    return ExceptionRecord(
        kind=ExceptionKind.HISTORY_PAYMENTS,
        record=f"invoice:{header.invoice_id}",
        what_happened=(
            f"Invoice {header.number} was linked with its history, and not every payment on it "
            f"has exactly one counterpart. {' '.join(told)}"
        ),
        references=(
            invoice_reference(header),
            RecordReference("quickbooks", "Invoice", quickbooks_id, f"Invoice {header.number}"),
            *(_reference(each) for each in waiting[:50]),
        ),
        amounts={_label(each): each.minor for each in waiting[:50]},
        version=sha256(keys.encode()).hexdigest()[:16],
    )


def _sentence(left: StoredLeftover, currency: str) -> str:
    amount = f"{format_minor(left.minor)} {currency}"
    return f"{_label(left)} of {amount}, dated {left.date}: {left.reason}."


def _label(left: StoredLeftover) -> str:
    return f"{'AlgaPSA' if left.is_ours else 'QuickBooks'} payment {left.record_id}"


def _reference(left: StoredLeftover) -> RecordReference:
    if left.is_ours:
        return RecordReference("algapsa", "payment", left.record_id, _label(left))
    return RecordReference("quickbooks", "Payment", left.record_id, _label(left))
