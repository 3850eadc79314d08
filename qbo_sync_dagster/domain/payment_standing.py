"""What stands in AlgaPSA when a payment is planned, read under the locks of its invoices."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from datetime import date
from enum import StrEnum
from types import MappingProxyType

from qbo_sync_dagster.domain.same_money import LocalMoney

NOT_PAYABLE_STATUSES = frozenset({"draft", "cancelled", "void"})


class RowKind(StrEnum):
    """What a payment row is to the QuickBooks payment it stands for."""

    PAYMENT = "payment"
    REVERSAL = "reversal"
    MATCHED = "matched"


@dataclass(frozen=True, slots=True)
class StandingRow:
    """A payment row of AlgaPSA that stands for the QuickBooks payment.

    Ours carry the payment's key; a matched row was born in AlgaPSA, and we take it back only
    where staff chose to follow QuickBooks.
    `minor` is negative for a reversal, and `reverses` then names the row it takes back.
    `records_deletion` marks a reversal written because QuickBooks deleted the payment.
    `takes_own` marks one of a row that AlgaPSA entered and that is matched with the payment no
    more, as after a restored backup: the two are AlgaPSA's affair, and nothing of the payment.
    """

    row_id: str
    invoice_id: str
    minor: int
    kind: RowKind
    date: date
    version: int
    reverses: str | None = None
    records_deletion: bool = False
    takes_own: bool = False


@dataclass(frozen=True, slots=True)
class InvoiceState:
    """An invoice of AlgaPSA under its row lock; amounts in minor units of `currency`.

    `paid_minor` sums all its payment rows, ours included; `local_money` is what AlgaPSA itself
    put on it. `has_prepaid_replenishment`: a payment must also mint prepaid credit, which only
    AlgaPSA can do. `has_active_payment_link`: its client can still pay it online.
    """

    invoice_id: str
    number: str
    status: str
    currency: str
    total_minor: int
    credit_applied_minor: int
    paid_minor: int
    has_prepaid_replenishment: bool = False
    has_active_payment_link: bool = False
    local_money: tuple[LocalMoney, ...] = ()

    @property
    def is_payable(self) -> bool:
        """Whether AlgaPSA takes payments in this status."""
        return self.status not in NOT_PAYABLE_STATUSES

    def room_minor(self, own_minor: int) -> int:
        """What it can still take if this payment's own rows were not there; never negative."""
        others = self.paid_minor - own_minor
        return max(0, self.total_minor - self.credit_applied_minor - others)


@dataclass(frozen=True, slots=True)
class PaymentDecisions:
    """What staff decided and what is still open for the invoices of one payment.

    `accepted_difference`: per invoice, the part of an accepted positive total difference that no
    other payment has used. `open_difference`: invoices whose totals differ and wait for staff,
    or were not compared yet.
    `both_real`: invoices where staff said that both payments are real money. `matched_rows`:
    AlgaPSA payment rows that staff or a pairing linked to this payment, `taken_before` what AlgaPSA
    had taken back of such a row by then, and `follows` that staff want this version of it in
    AlgaPSA although it was changed since. `with_counterpart`:
    AlgaPSA payments and credit applications that a live QuickBooks payment already answers to.
    """

    accepted_difference: Mapping[str, int] = field(default_factory=lambda: MappingProxyType({}))
    open_difference: Collection[str] = ()
    both_real: Collection[str] = ()
    matched_rows: Collection[str] = ()
    taken_before: Mapping[str, int] = field(default_factory=lambda: MappingProxyType({}))
    follows: bool = False
    with_counterpart: Collection[str] = ()


NO_DECISIONS = PaymentDecisions()
