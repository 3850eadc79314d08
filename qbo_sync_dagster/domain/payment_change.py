"""What a pushed payment becomes in QuickBooks when AlgaPSA took part of it back or staff resend it.

A reversal takes away only what AlgaPSA took back with it: neither what staff accepted to be less
there nor what the payment was reduced by for a refund comes back, and what they accepted to be
more there stays.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from types import MappingProxyType

from qbo_sync_dagster.domain.document_view import LIVE
from qbo_sync_dagster.domain.money import format_minor
from qbo_sync_dagster.domain.payment_view import PaymentView, reduction
from qbo_sync_dagster.domain.payments_out import reduced_line


@dataclass(frozen=True, slots=True)
class PlannedChange:
    """`settled` is what both sides agree on afterwards, `wanted` how the payment is to look.

    The two differ by what it is smaller for a refund. `accepted_minor` is what AlgaPSA has more
    than is agreed on (negative: less), `unapplied_minor` what comes back without an invoice to go
    to.
    """

    settled: PaymentView
    wanted: PaymentView
    accepted_minor: int
    unapplied_minor: int = 0

    @property
    def is_removal(self) -> bool:
        """Whether nothing of the payment is left in QuickBooks."""
        return self.wanted.total_minor <= 0


def plan_reversal(
    agreed: PaymentView, net_minor: int, for_refunds_minor: int, kept_minor: int = 0
) -> PlannedChange:
    """The payment once AlgaPSA holds `net_minor` of it; `for_refunds_minor` is gone from it.

    `kept_minor` is what staff accepted that QuickBooks holds more.
    """
    net = max(0, net_minor)
    left = min(net + kept_minor, agreed.total_minor)
    settled = _of_total(agreed, left)
    wanted = _of_total(settled, max(0, left - for_refunds_minor))
    return PlannedChange(settled, wanted, net - left)


def plan_re_export(agreed: PaymentView, net_minor: int) -> PlannedChange:
    """The payment as AlgaPSA has it, on the invoice that was agreed on.

    What was accepted to be less there comes back on that invoice, not as an unapplied rest.
    """
    whole = _of_total(agreed, max(0, net_minor))
    more = net_minor - agreed.total_minor
    if more > 0 and len(whole.lines) == 1:
        raised = {invoice: minor + more for invoice, minor in whole.lines.items()}
        whole = replace(whole, lines=MappingProxyType(raised))
    return PlannedChange(whole, whole, 0, 0 if whole.lines else max(0, more))


def refund_allowance(refunded_minor: int, others: Iterable[tuple[PaymentView, PaymentView]]) -> int:
    """What a payment may be smaller for refunds of its invoice; `others` use up their part.

    They are the invoice's other payments, as agreed on and as shown.
    """
    return max(0, refunded_minor - sum(reduction(agreed, shown) for agreed, shown in others))


def lacking_room(
    wanted: PaymentView, shown: PaymentView, open_minor: Mapping[str, int]
) -> str | None:
    """Why its invoice cannot take the payment back, as a sentence; None if it can.

    `open_minor` is what QuickBooks has open by invoice id, this payment's own part not counted.
    """
    for invoice, minor in wanted.lines.items():
        more = minor - shown.lines.get(invoice, 0)
        room = max(0, open_minor.get(invoice, 0))
        if more > room:
            return (
                f"Its invoice has only {format_minor(room)} open in QuickBooks, and "
                f"{format_minor(more)} of the payment would have to go there."
            )
    return None


def _of_total(view: PaymentView, total_minor: int) -> PaymentView:
    lines = {
        invoice: reduced_line(minor, view.total_minor, total_minor)
        for invoice, minor in view.lines.items()
    }
    return replace(view, state=LIVE, total_minor=total_minor, lines=MappingProxyType(lines))
