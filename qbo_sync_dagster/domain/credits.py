"""What a credit application consists of, the same for both sides: note, invoice, amount."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from qbo_sync_dagster.domain.algapsa_payments import CreditApplication


@dataclass(frozen=True, slots=True)
class CreditParts:
    """Credit of a note on an invoice, by AlgaPSA's ids, in minor units.

    `note_id` is empty where QuickBooks took it from a credit memo that is not linked.
    """

    note_id: str
    invoice_id: str
    minor: int

    def as_json(self) -> dict[str, Any]:
        """The parts as a link stores them."""
        return asdict(self)

    @classmethod
    def from_json(cls, stored: Mapping[str, Any]) -> CreditParts | None:
        """The parts that a link stores; None if it stores something else."""
        try:
            return cls(str(stored["note_id"]), str(stored["invoice_id"]), int(stored["minor"]))
        except (KeyError, TypeError, ValueError):
            return None

    @classmethod
    def of(cls, application: CreditApplication) -> CreditParts:
        """The parts of AlgaPSA's application."""
        return cls(application.source_invoice_id or "", application.invoice_id, application.minor)


def credit_record(key: str) -> str:
    """What keys the exceptions of a credit application."""
    return f"credit_application:{key}"


def credit_label(application: CreditApplication) -> str:
    """What people call it."""
    note = f" {application.source_number}" if application.source_number else ""
    return f"Credit{note} on invoice {application.invoice_number}"
