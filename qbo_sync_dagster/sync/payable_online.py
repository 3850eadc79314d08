"""Stage 2, payments: warning of clients who can still pay online what QuickBooks shows as paid."""

from __future__ import annotations

from collections.abc import Collection

from qbo_sync_dagster.domain.catalogue import ExceptionKind
from qbo_sync_dagster.domain.payment_exceptions import payable_online
from qbo_sync_dagster.ledger import exceptions
from qbo_sync_dagster.sync.context import CycleContext

_KIND = ExceptionKind.PAYABLE_ONLINE


def warn_of_double_payment(ctx: CycleContext, settled: Collection[str]) -> None:
    """Raise the warning for invoices just settled; close those whose link or payment is gone.

    AlgaPSA retires the links of payments that it records itself, and cannot see ours.
    """
    with ctx.reading() as connection:
        warned = {
            each.record.removeprefix("invoice:")
            for each in exceptions.listed(connection, ctx.realm)
            if each.kind == _KIND
        }
    if not settled and not warned:
        return
    active = ctx.algapsa.payable_online() & {*settled, *warned}
    headers = ctx.algapsa.document_headers(active) if active else []
    raised = [payable_online(header) for header in headers if header.balance_minor <= 0]
    with ctx.ledger() as connection:
        ctx.tally.opened_exceptions += exceptions.raise_all(connection, ctx.realm, raised)
        exceptions.resolve_others(
            connection,
            ctx.realm,
            [_KIND],
            [record.record for record in raised],
            "The invoice can no longer be paid online, or is open again.",
        )
