"""The status that AlgaPSA gives an invoice once its payments have changed."""

from __future__ import annotations

from qbo_sync_dagster.domain.payment_standing import InvoiceState

_SHOWS_PAYMENT = frozenset({"paid", "partially_applied"})


def status_after(invoice: InvoiceState, written_minor: int) -> str:
    """The invoice's status after rows that add up to `written_minor`: AlgaPSA's own rule.

    A document that takes no payments keeps its status even while one is taken back: turning a
    cancelled invoice into a partly paid one would bring it back to life.
    """
    paid = invoice.paid_minor + written_minor
    if not invoice.is_payable:
        return invoice.status
    if paid > 0:
        balance = invoice.total_minor - invoice.credit_applied_minor - paid
        return "paid" if balance <= 0 else "partially_applied"
    return "sent" if invoice.status in _SHOWS_PAYMENT else invoice.status
