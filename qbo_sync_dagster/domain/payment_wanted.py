"""What a QuickBooks payment wants of AlgaPSA: its allocations to linked invoices.

Belongs here: the inbound payment as the rules see it. Does not: how QuickBooks writes it in JSON.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from enum import StrEnum
from types import MappingProxyType

from qbo_sync_dagster.domain.credits_in import NO_CREDIT, CreditVerdict
from qbo_sync_dagster.domain.errors import MalformedObjectError


class PaymentEnd(StrEnum):
    """Why a payment holds no money on any invoice any more."""

    VOIDED = "voided"
    DELETED = "deleted"
    UNAPPLIED = "unapplied"


@dataclass(frozen=True, slots=True)
class WantedLine:
    """One invoice line of the payment: an amount in minor units on an invoice."""

    invoice_id: str
    minor: int


@dataclass(frozen=True, slots=True)
class WantedPayment:
    """The newest known version of a QuickBooks payment.

    `lines` are those on linked invoices; `unknown_lines` are those on the other invoices it pays,
    by their QuickBooks ids, one each, unless staff said that they are not from AlgaPSA. `version`
    is the SyncToken.
    `currency` is None where QuickBooks names none. `is_credit` marks an application of a
    QuickBooks credit memo, whose total is zero; `credit` is what it means for credit notes of ours.
    Raises MalformedObjectError for a negative line.
    """

    realm: str
    payment_id: str
    version: int
    date: date
    currency: str | None
    reference: str
    customer_id: str | None
    lines: tuple[WantedLine, ...]
    is_credit: bool = False
    gone: PaymentEnd | None = None
    unknown_lines: tuple[WantedLine, ...] = ()
    credit: CreditVerdict = NO_CREDIT

    def __post_init__(self) -> None:
        if any(line.minor < 0 for line in self.lines):
            raise MalformedObjectError(
                f"QuickBooks payment {self.payment_id} has a line with a negative amount."
            )

    @property
    def is_deleted(self) -> bool:
        """Whether QuickBooks no longer has the payment at all: no later version can follow."""
        return self.gone is PaymentEnd.DELETED

    def per_invoice(self) -> Mapping[str, int]:
        """Minor units per linked invoice over all lines; empty once the payment is gone.

        The payment's total is never asked: an application of a credit memo has total zero. What
        AlgaPSA's own credit applications show of it already is not wanted a second time.
        """
        if self.gone:
            return MappingProxyType({})
        nets: Counter[str] = Counter()
        for line in self.lines:
            nets[line.invoice_id] += line.minor
        nets.subtract(self.credit.answered)
        return MappingProxyType({key: minor for key, minor in nets.items() if minor > 0})
