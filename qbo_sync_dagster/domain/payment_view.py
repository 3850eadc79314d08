"""How a payment that we pushed looks in QuickBooks, and what of it people changed there.

A reduction by what AlgaPSA refunded is that refund, not drift: staff recorded it on the receipt.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from types import MappingProxyType
from typing import Any

from qbo_sync_dagster.domain.document_view import (
    DELETED,
    LIVE,
    NO_NAMES,
    FieldDifference,
    Names,
    called,
)
from qbo_sync_dagster.domain.money import format_minor


@dataclass(frozen=True, slots=True)
class PaymentView:
    """A payment as QuickBooks shows it: minor units; `lines` by QuickBooks invoice id.

    What was agreed on names the payment's own invoice even where nothing of it went there.
    """

    state: str
    customer_id: str
    date: str
    currency: str
    total_minor: int
    lines: Mapping[str, int]

    def as_json(self) -> dict[str, Any]:
        """The view as a link stores it."""
        return {name: getattr(self, name) for name in self.__slots__} | {"lines": dict(self.lines)}

    @classmethod
    def from_json(cls, stored: Mapping[str, Any]) -> PaymentView:
        """The view that a link stores."""
        return cls(**{**stored, "lines": MappingProxyType(dict(stored["lines"]))})

    @property
    def applied_minor(self) -> int:
        """What its lines give to invoices."""
        return sum(self.lines.values())

    def gone(self, state: str = DELETED) -> PaymentView:
        """The same payment, voided or deleted."""
        return replace(self, state=state, total_minor=0, lines=MappingProxyType({}))


def payment_differences(
    agreed: PaymentView, shown: PaymentView, refunded_minor: int = 0, names: Names = NO_NAMES
) -> list[FieldDifference]:
    """What people changed in QuickBooks; `refunded_minor` may be missing from total and line.

    What differs is judged by ids; `names` only say it in words.
    """
    if _is_reduced_by_refund(agreed, shown, refunded_minor):
        return []
    if agreed.state != shown.state:
        return [FieldDifference("state", agreed.state, shown.state)]
    found = [
        FieldDifference(name, before or "none", after or "none")
        for name, before, after in (
            ("customer", *called(names, agreed.customer_id, shown.customer_id)),
            ("date", agreed.date, shown.date),
            ("currency", agreed.currency, shown.currency),
            ("total", format_minor(agreed.total_minor), format_minor(shown.total_minor)),
        )
        if before != after
    ]
    return found + [
        FieldDifference(
            f"on invoice {names.invoices.get(invoice, invoice)}",
            format_minor(agreed.lines.get(invoice, 0)),
            format_minor(shown.lines.get(invoice, 0)),
        )
        for invoice in sorted({*agreed.lines, *shown.lines})
        if not _as_agreed(agreed.lines.get(invoice), shown.lines.get(invoice, 0))
    ]


def as_applied(agreed: PaymentView, shown: PaymentView) -> PaymentView:
    """What to agree on of a payment just made, where QuickBooks applied less than was sent.

    Money that was never applied was not changed by anybody: it is told as unapplied, not as drift.
    """
    is_as_sent = replace(shown, lines=agreed.lines) == agreed
    if not is_as_sent or not shown.lines.keys() <= agreed.lines.keys():
        return agreed
    lines = {key: min(minor, shown.lines.get(key, 0)) for key, minor in agreed.lines.items()}
    return replace(agreed, lines=MappingProxyType(lines))


def applied_since(agreed: PaymentView, shown: PaymentView) -> PaymentView | None:
    """What is agreed on once a bookkeeper applied more of the payment to its own invoice.

    None if nothing of that kind happened, or more than that.
    """
    if replace(shown, lines=agreed.lines) != agreed or shown.lines.keys() != agreed.lines.keys():
        return None
    is_more = shown.applied_minor > agreed.applied_minor and not payment_differences(agreed, shown)
    return replace(agreed, lines=shown.lines) if is_more else None


def reduction(agreed: PaymentView, shown: PaymentView) -> int:
    """What is missing of the payment in QuickBooks, in minor units; never negative."""
    return max(0, agreed.total_minor - shown.total_minor)


def _as_agreed(agreed: int | None, shown: int) -> bool:
    # More of it on its own invoice is what a bookkeeper does with a rest that was unapplied.
    return shown == 0 if agreed is None else shown >= agreed


def _is_reduced_by_refund(agreed: PaymentView, shown: PaymentView, refunded_minor: int) -> bool:
    missing = reduction(agreed, shown)
    if not 0 < missing <= refunded_minor or agreed.state != LIVE:
        return False
    if shown.state != LIVE:
        return missing == agreed.total_minor
    kept = {invoice: minor for invoice, minor in shown.lines.items() if minor}
    return (
        (agreed.customer_id, agreed.date, agreed.currency)
        == (shown.customer_id, shown.date, shown.currency)
        and kept.keys() <= agreed.lines.keys()
        and all(minor <= agreed.lines[invoice] for invoice, minor in kept.items())
        and agreed.applied_minor - shown.applied_minor <= missing
    )
