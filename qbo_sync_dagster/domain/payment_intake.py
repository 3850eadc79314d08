"""Which QuickBooks payments concern us: ours to apply, ours to hold, or somebody else's sales.

A company that bills only partly from AlgaPSA has many payments that never had an invoice there;
they are counted and make no exception.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from datetime import date
from types import MappingProxyType

from qbo_sync_dagster.domain.credits_in import NO_CREDIT, CreditVerdict
from qbo_sync_dagster.domain.payment_wanted import PaymentEnd, WantedLine, WantedPayment


@dataclass(frozen=True, slots=True)
class InboundPayment:
    """A payment as QuickBooks holds it.

    `invoice_lines` are (QuickBooks invoice id, minor), `credit_lines` (credit memo id, minor);
    `markers` are those of ours that its private note carries.
    """

    payment_id: str
    version: int
    date: date
    currency: str | None
    reference: str
    customer_id: str | None
    invoice_lines: tuple[tuple[str, int], ...]
    is_credit: bool = False
    gone: PaymentEnd | None = None
    credit_lines: tuple[tuple[str, int], ...] = ()
    markers: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class KnownRecords:
    """What of QuickBooks is linked: `invoices` gives AlgaPSA's id of each linked invoice.

    `ours_by_number` are unlinked QuickBooks invoices that carry the number of one of ours;
    `credits` says of payments that use credit notes of ours what that means. `not_ours` are
    QuickBooks invoices that staff said are not from AlgaPSA.
    """

    invoices: Mapping[str, str]
    customers: Collection[str]
    ours_by_number: Collection[str] = ()
    credits: Mapping[str, CreditVerdict] = field(default_factory=lambda: MappingProxyType({}))
    not_ours: Collection[str] = ()


def recognise(
    realm: str, payment: InboundPayment, known: KnownRecords, *, stands: bool
) -> WantedPayment | None:
    """What the payment wants of AlgaPSA, or None if it is foreign.

    `stands`: AlgaPSA has rows for it. It is foreign with neither rows, a line on a linked invoice,
    a credit note of ours, a linked customer nor an invoice with one of our numbers.
    """
    unknown: Counter[str] = Counter()
    for invoice, minor in payment.invoice_lines:
        if invoice not in known.invoices and invoice not in known.not_ours:
            unknown[invoice] += minor
    has_linked_line = any(invoice in known.invoices for invoice, _ in payment.invoice_lines)
    concerns_us = (
        stands
        or has_linked_line
        or payment.payment_id in known.credits
        or payment.customer_id in known.customers
        or any(invoice in known.ours_by_number for invoice in unknown)
    )
    return _wanted(realm, payment, known, unknown) if concerns_us else None


def _wanted(
    realm: str, payment: InboundPayment, known: KnownRecords, unknown: Mapping[str, int]
) -> WantedPayment:
    return WantedPayment(
        realm=realm,
        payment_id=payment.payment_id,
        version=payment.version,
        date=payment.date,
        currency=payment.currency,
        reference=payment.reference,
        customer_id=payment.customer_id,
        lines=tuple(
            WantedLine(known.invoices[invoice], minor)
            for invoice, minor in payment.invoice_lines
            if invoice in known.invoices
        ),
        is_credit=payment.is_credit,
        gone=payment.gone,
        unknown_lines=tuple(WantedLine(*each) for each in unknown.items()),
        credit=known.credits.get(payment.payment_id, NO_CREDIT),
    )
