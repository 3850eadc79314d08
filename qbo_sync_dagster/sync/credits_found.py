"""Credit that QuickBooks applied by itself since the poll, read right before anything is sent.

What turns out to be an application of AlgaPSA is linked to it; nothing is held or told here.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress

from qbo_sync_dagster.domain.credits_in import CreditUse
from qbo_sync_dagster.domain.errors import DomainError
from qbo_sync_dagster.domain.payment_intake import InboundPayment
from qbo_sync_dagster.ledger import credit_links, inbox
from qbo_sync_dagster.quickbooks.objects import Invoice
from qbo_sync_dagster.sync.context import CycleContext
from qbo_sync_dagster.sync.credit_items import CreditDocuments, CreditItem
from qbo_sync_dagster.sync.credits_in import read_credits
from qbo_sync_dagster.sync.payment_intake import inbound_payment
from qbo_sync_dagster.sync.translate import delivered


def found_since_poll(
    ctx: CycleContext, items: Sequence[CreditItem], shown: CreditDocuments
) -> list[CreditUse]:
    """What payments that no poll brought take of our notes, beside what answers an application.

    Raises the gateway's errors.
    """
    unseen = unseen_payments(ctx, shown.invoices.values())
    if not unseen:
        return []
    payments = list(_read(ctx, unseen))
    invoices = {item.invoice.quickbooks_id: item.application.invoice_id for item in items}
    credit = read_credits(ctx, payments, invoices)
    return [
        CreditUse(payment_id, {}, {each.note_id: each.minor})
        for payment_id, verdict in credit.verdicts.items()
        for each in verdict.open
    ]


def unseen_payments(ctx: CycleContext, invoices: Iterable[Invoice]) -> set[str]:
    """Payments on the invoices that no poll has brought yet."""
    ids = {payment for invoice in invoices for payment in invoice.linked_payment_ids}
    if not ids:
        return set()
    with ctx.reading() as connection:
        seen = inbox.newest(connection, ctx.realm, "Payment", ids)
        linked = credit_links.of_payments(connection, ctx.realm, ids)
    return ids - set(seen) - {link.payment_id for link in linked}


def _read(ctx: CycleContext, payment_ids: Iterable[str]) -> Iterator[InboundPayment]:
    for raw in ctx.quickbooks.query_in("Payment", "Id", sorted(payment_ids)):
        with suppress(DomainError):
            yield inbound_payment(_as_change(delivered(raw)), ctx.started_at.date())


def _as_change(read: inbox.Delivered) -> inbox.Change:
    return inbox.Change(
        0,
        read.entity,
        read.object_id,
        read.version or 0,
        read.deleted,
        "received",
        read.updated_at,
        read.payload,
    )
