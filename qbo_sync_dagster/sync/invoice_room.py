"""What is open on invoices in QuickBooks, read right before payments are sent there once more.

Read only where a payment is to take room back: a reversal needs none, and costs no call.
"""

from __future__ import annotations

from collections.abc import Iterable

from qbo_sync_dagster.domain.errors import DomainError
from qbo_sync_dagster.domain.money import to_minor
from qbo_sync_dagster.domain.payment_change import lacking_room
from qbo_sync_dagster.domain.payment_view import PaymentView
from qbo_sync_dagster.quickbooks.objects import parse_invoice
from qbo_sync_dagster.sync.context import CycleContext


class InvoiceRoom:
    """The open balances of some payments' invoices; each payment that goes takes its part."""

    def __init__(self, ctx: CycleContext, payments: Iterable[PaymentView]) -> None:
        """Raises the gateway's errors."""
        ids = sorted({invoice for payment in payments for invoice in payment.lines})
        self._open: dict[str, int] = {}
        for raw in ctx.quickbooks.query_in("Invoice", "Id", ids) if ids else ():
            try:
                invoice = parse_invoice(raw.payload)
                self._open[invoice.id] = 0 if invoice.is_voided else to_minor(invoice.balance)
            except DomainError:
                continue  # parked with its cause; nothing is sent to it

    def lacking(self, wanted: PaymentView, shown: PaymentView) -> str | None:
        """Why the payment does not fit on its invoice; None if it does, and then it is counted."""
        why = lacking_room(wanted, shown, self._open)
        if why is None:
            for invoice, minor in wanted.lines.items():
                taken = minor - shown.lines.get(invoice, 0)
                self._open[invoice] = self._open.get(invoice, 0) - taken
        return why
