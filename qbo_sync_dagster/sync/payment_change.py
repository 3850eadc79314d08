"""A pushed payment that is to become something else, as a cycle sees it."""

from __future__ import annotations

from dataclasses import dataclass, replace

from qbo_sync_dagster.domain.own_money import Receipt
from qbo_sync_dagster.domain.payment_change import (
    PlannedChange,
    plan_re_export,
    plan_reversal,
    refund_allowance,
)
from qbo_sync_dagster.domain.payment_view import PaymentView, reduction
from qbo_sync_dagster.domain.payments_out import PaidDocument
from qbo_sync_dagster.ledger import operations
from qbo_sync_dagster.ledger.payment_links import PaymentLink
from qbo_sync_dagster.sync.payment_books import PaymentBooks


@dataclass(frozen=True, slots=True)
class PaymentChange:
    """A pushed payment that is to become something else."""

    operation: operations.Operation
    receipt: Receipt
    document: PaidDocument
    link: PaymentLink
    # What refunds of its invoice allow it to be smaller by, and what of that it is.
    allowance: int
    for_refunds: int = 0

    @property
    def key(self) -> str:
        """What it is held for: it is looked at again once this moves."""
        return f"{self.receipt.net}:{self.link.sync_token}"

    @property
    def agreed(self) -> PaymentView:
        """What both sides last agreed on."""
        return PaymentView.from_json(self.link.snapshot or {})

    @property
    def is_re_export(self) -> bool:
        """Whether staff chose it; the version that they saw is kept with it."""
        return bool(self.operation.detail.get("re_export"))

    @property
    def plan(self) -> PlannedChange:
        """What the payment is to become."""
        if self.is_re_export:
            return plan_re_export(self.agreed, self.receipt.net)
        kept = max(0, -self.link.accepted_minor)
        return plan_reversal(self.agreed, self.receipt.net, self.for_refunds, kept)


def beside_refunds(change: PaymentChange, shown: PaymentView) -> PaymentChange:
    """The change of a payment that is smaller already, for refunds of its invoice."""
    if change.is_re_export:
        return change
    return replace(change, for_refunds=reduction(change.agreed, shown))


def allowance_of(books: PaymentBooks, receipt: Receipt, link: PaymentLink) -> int:
    """What refunds of its invoice let it be smaller by, beside what they took from others."""
    own = {each.row_id for each in books.money[receipt.invoice_id].receipts}
    others = [
        (PaymentView.from_json(each.snapshot or {}), PaymentView.from_json(each.shown))
        for row_id, each in books.pushed.items()
        if row_id in own and each.link_id != link.link_id
        if each.is_pushed and each.state == "live" and each.drift is None and each.shown
    ]
    return refund_allowance(books.money[receipt.invoice_id].refunded_minor, others)
