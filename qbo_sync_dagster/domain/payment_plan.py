"""The effects that planning a payment gives: rows to append, statuses to set, what waits."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from enum import StrEnum

from qbo_sync_dagster.domain.payment_refusals import Refusal
from qbo_sync_dagster.domain.payment_standing import RowKind


@dataclass(frozen=True, slots=True)
class PaymentRow:
    """A row to append to AlgaPSA's payments, with its transaction.

    `minor` is negative for a reversal. `date` is QuickBooks' TxnDate; of a reversal it is the date
    of the row it takes back, `reverses`, which figures as of a day count it on.
    """

    row_id: str
    transaction_id: str
    invoice_id: str
    kind: RowKind
    minor: int
    date: date
    version: int
    reverses: str | None = None
    reverses_transaction: str | None = None


@dataclass(frozen=True, slots=True)
class StatusChange:
    """The status an invoice gets because of the rows."""

    invoice_id: str
    status: str


class CapReason(StrEnum):
    """What names the part of an allocation that AlgaPSA cannot take."""

    ACCEPTED_DIFFERENCE = "accepted_difference"
    OVERPAID = "overpaid"


@dataclass(frozen=True, slots=True)
class Capped:
    """Minor units that QuickBooks holds on the invoice and that stay unapplied in AlgaPSA."""

    invoice_id: str
    minor: int
    reason: CapReason


@dataclass(frozen=True, slots=True)
class PaymentPlan:
    """What to write for one payment, all in one AlgaPSA transaction; empty when it agrees.

    With a refusal the rows only take back what QuickBooks no longer holds.
    `still_payable_online` are invoices this plan settles while a payment link is still active.
    """

    rows: tuple[PaymentRow, ...] = ()
    statuses: tuple[StatusChange, ...] = ()
    capped: tuple[Capped, ...] = ()
    refusal: Refusal | None = None
    still_payable_online: tuple[str, ...] = ()

    @property
    def is_empty(self) -> bool:
        """Whether AlgaPSA already shows what this plan would leave there."""
        return not self.rows


@dataclass(frozen=True, slots=True)
class StalePlan:
    """AlgaPSA already shows a newer version of the payment: this change has been overtaken."""

    payment_id: str
    version: int
    standing_version: int
