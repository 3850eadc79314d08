"""Credit that AlgaPSA applied, on its way to QuickBooks: what goes there and what waits.

An application becomes a payment of nothing that links a credit memo with an invoice. Judged here is
AlgaPSA's side; whether QuickBooks has the credit and the open amount is `credit_room`'s question.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from enum import Enum

from qbo_sync_dagster.domain.algapsa_payments import CreditApplication
from qbo_sync_dagster.domain.credits_in import CREDIT_NOTE


class CreditStanding(Enum):
    """What an application is to one company."""

    TO_PUSH = "to push"
    WAITING = "waits for its documents"
    LINKED = "linked"
    REVERSED = "reversed"
    NOT_EXPRESSIBLE = "not expressible"
    BEFORE_GO_LIVE = "before go-live"
    ELSEWHERE = "not of this company's documents"


@dataclass(frozen=True, slots=True)
class CreditScope:
    """What decides about applications in one company.

    `invoices` and `notes` are its linked documents, `unlinked` its invoices that QuickBooks does
    not have: on their way there, or kept out by staff. `linked` are the keys of applications that
    have their payment, or stay without one by decision.
    """

    go_live: date
    invoices: Collection[str]
    notes: Collection[str]
    unlinked: Collection[str]
    linked: Collection[str]


def credit_standing(application: CreditApplication, scope: CreditScope) -> CreditStanding:
    """Where the application stands; each use of a note is one of its own."""
    if application.is_reversed:
        return CreditStanding.REVERSED
    if application.key in scope.linked:
        return CreditStanding.LINKED
    if application.date < scope.go_live:
        return CreditStanding.BEFORE_GO_LIVE
    is_linked = application.invoice_id in scope.invoices
    if not is_linked and application.invoice_id not in scope.unlinked:
        return CreditStanding.ELSEWHERE
    if application.source_type != CREDIT_NOTE or application.source_invoice_id is None:
        return CreditStanding.NOT_EXPRESSIBLE if is_linked else CreditStanding.WAITING
    if is_linked and application.source_invoice_id in scope.notes:
        return CreditStanding.TO_PUSH
    return CreditStanding.WAITING


def is_wanted(application: CreditApplication, scope: CreditScope) -> bool:
    """Whether an operation should stand for it: it is to be sent now or once its documents are."""
    return application.source_type == CREDIT_NOTE and credit_standing(application, scope) in (
        CreditStanding.TO_PUSH,
        CreditStanding.WAITING,
    )


@dataclass(frozen=True, slots=True)
class ExportCredit:
    """An application as it goes to QuickBooks, by QuickBooks' ids; `currency` where it names one.

    `exchange_rate` is the invoice's, so that what it clears is what was booked.
    It bears AlgaPSA's date unless staff gave it another one.
    """

    customer_id: str
    memo_id: str
    invoice_id: str
    minor: int
    date: date
    marker: str
    currency: str | None = None
    exchange_rate: Decimal | None = None
