"""Payments and credit applications as AlgaPSA shows them, for rules that compare the two sides.

Amounts are minor units of the invoice's currency; what leaves the invoice is negative.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime


@dataclass(frozen=True, slots=True)
class PaymentKey:
    """Which QuickBooks payment a row of ours stands for, and of which of its versions."""

    realm: str
    payment_id: str
    version: int


@dataclass(frozen=True, slots=True)
class PaymentRecord:
    """A payment row. `key` is None for what was born in AlgaPSA; `date` is its book date.

    `reverses` is the row that a reversal of ours takes back.
    """

    row_id: str
    invoice_id: str
    minor: int
    method: str | None
    date: date
    status: str
    reference: str | None
    key: PaymentKey | None
    created_at: datetime
    reverses: str | None = None


@dataclass(frozen=True, slots=True)
class CreditApplication:
    """The part of an application that one credit gave to an invoice.

    `source_invoice_id` is the credit note or prepayment that issued the credit, None for a
    direct grant; `source_type` is that document's type and `source_number` its number. A reversed
    one no longer counts.
    """

    transaction_id: str
    credit_id: str
    invoice_id: str
    minor: int
    date: date
    source_invoice_id: str | None
    source_type: str | None
    is_reversed: bool
    source_number: str = ""
    invoice_number: str = ""
    currency: str = "USD"

    @property
    def key(self) -> str:
        """What the application is known by: one note may be used many times, each once."""
        return f"{self.transaction_id}:{self.credit_id}"


@dataclass(frozen=True, slots=True)
class NoteCredit:
    """The credit that a finalized credit note issued: `minor` of it, and what is left.

    `left_minor` is zero once the credit has expired.
    """

    invoice_id: str
    number: str
    minor: int
    left_minor: int
    currency: str
