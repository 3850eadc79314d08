"""What AlgaPSA shows: its clients, documents and payments as immutable values.

Amounts are minor units (1/100) of the record's currency. Book dates are dates in the connection's
time zone. Reading them is the gateway's business, judging them that of the rules beside this file.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal


@dataclass(frozen=True, slots=True)
class Client:
    """A client of the tenant, with what a QuickBooks customer is made of."""

    client_id: str
    name: str
    billing_email: str | None
    payment_terms: str
    currency: str
    is_tax_exempt: bool
    is_inactive: bool


@dataclass(frozen=True, slots=True)
class Service:
    """A service or product of the catalogue, with the tax it usually carries."""

    service_id: str
    name: str
    is_active: bool


@dataclass(frozen=True, slots=True)
class TaxRegion:
    """A tax region; its code is what charges name and what tax codes are linked to."""

    region_code: str
    name: str


@dataclass(frozen=True, slots=True)
class ChargeDetail:
    """One service inside a fixed-plan charge, with its part of the charge's net amount."""

    service_id: str
    service_name: str | None
    quantity: Decimal
    allocated_minor: int | None
    period_start: date | None


@dataclass(frozen=True, slots=True)
class Charge:
    """One line of a document. `net_minor` excludes tax and includes discounts; None is a fault."""

    item_id: str
    service_id: str | None
    service_name: str | None
    description: str
    quantity: Decimal
    unit_price_minor: int
    net_minor: int | None
    tax_minor: int
    tax_region: str | None
    is_taxable: bool
    is_discount: bool
    details: tuple[ChargeDetail, ...] = ()


@dataclass(frozen=True, slots=True)
class DocumentHeader:
    """An invoice or credit note without its lines: what every cycle looks at in bulk.

    `fingerprint` covers every field that an export carries, the charges included, and neither
    payments nor credits, so that it moves exactly when what we exported would look different.
    `mapped_by_algapsa` says that AlgaPSA itself keeps a mapping (quickbooks_online, or
    quickbooks_csv) which is not ours; `mapped_external_id` is the object it names, if any, and
    `mapped_realm` the QuickBooks company of that object, None where AlgaPSA does not say.
    """

    invoice_id: str
    number: str
    client_id: str
    status: str
    invoice_type: str
    is_prepayment: bool
    invoice_date: date
    due_date: date
    finalized_at: datetime | None
    created_at: datetime
    currency: str
    total_minor: int
    credit_applied_minor: int
    paid_minor: int
    fingerprint: str
    mapped_by_algapsa: str | None = None
    mapped_external_id: str | None = None
    mapped_realm: str | None = None

    @property
    def is_credit_note(self) -> bool:
        """Whether it is a credit note, which QuickBooks knows as another sort of object."""
        return self.invoice_type == "credit_note" or self.total_minor < 0

    @property
    def exported_minor(self) -> int:
        """Its total as QuickBooks is to show it: that of a credit note is positive there."""
        return -self.total_minor if self.is_credit_note else self.total_minor

    @property
    def balance_minor(self) -> int:
        """What the client still owes on it, in minor units; negative when overpaid."""
        return self.total_minor - self.credit_applied_minor - self.paid_minor


@dataclass(frozen=True, slots=True)
class Document:
    """An invoice or credit note with its lines, as it would be exported now."""

    header: DocumentHeader
    subtotal_minor: int
    tax_minor: int
    po_number: str | None
    exchange_rate_basis_points: int | None
    tax_source: str
    charges: tuple[Charge, ...]
