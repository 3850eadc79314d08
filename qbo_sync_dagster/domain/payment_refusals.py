"""Why a QuickBooks payment waits: the guards that AlgaPSA's invoices put before new money.

Belongs here: each reason with its figures. Does not: the sentence that staff read.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum

from qbo_sync_dagster.domain.same_money import LocalMoney


class RefusalKind(Enum):
    """Kinds of refusal, the one that staff should settle first standing first."""

    MATCHED_CHANGED = "matched_changed"
    CREDIT_CHANGED = "credit_changed"
    UNKNOWN_INVOICE = "unknown_invoice"
    CREDIT_STILL_OPEN = "credit_still_open"
    CREDIT_DISPUTED = "credit_disputed"
    NOT_PAYABLE = "not_payable"
    CURRENCY = "currency"
    PREPAID_REPLENISHMENT = "prepaid_replenishment"
    TOTAL_DIFFERENCE = "total_difference"
    SETTLED = "settled"
    SAME_MONEY = "same_money"


_PRECEDENCE = {kind: rank for rank, kind in enumerate(RefusalKind)}


@dataclass(frozen=True, slots=True)
class RefusalReason:
    """What stands in the way on one invoice.

    `invoice_id` and `number` are AlgaPSA's, of a credit note where a credit is meant; for an
    unknown invoice `invoice_id` is QuickBooks' id.
    `wanted_minor` is what QuickBooks holds on it, `room_minor` what AlgaPSA could take.
    `status` and `currency` are the invoice's, None where AlgaPSA no longer has it.
    """

    kind: RefusalKind
    invoice_id: str
    number: str | None = None
    status: str | None = None
    currency: str | None = None
    wanted_minor: int = 0
    room_minor: int = 0
    twin: LocalMoney | None = None


@dataclass(frozen=True, slots=True)
class Withheld:
    """Minor units that QuickBooks holds on the invoice and AlgaPSA does not show yet."""

    invoice_id: str
    minor: int


@dataclass(frozen=True, slots=True)
class Refusal:
    """A payment that waits whole. `withheld` names every cent that is missing meanwhile."""

    reasons: tuple[RefusalReason, ...]
    withheld: tuple[Withheld, ...]

    @property
    def kind(self) -> RefusalKind:
        """The kind whose title the exception carries."""
        return min((reason.kind for reason in self.reasons), key=_PRECEDENCE.__getitem__)

    @property
    def is_settled_by_others(self) -> bool:
        """Whether another payment of the same poll may make the room that is missing."""
        return all(reason.kind is RefusalKind.SETTLED for reason in self.reasons)
