"""QuickBooks' payments that AlgaPSA is to follow: what staff decided, while its ground still holds.

A row of ours takes back what was matched. What AlgaPSA takes back itself after the decision would
go twice, so such a decision no longer counts.
"""

from __future__ import annotations

from collections.abc import Collection

from qbo_sync_dagster.domain.own_money import own_money
from qbo_sync_dagster.domain.payment_exceptions import payment_record
from qbo_sync_dagster.ledger import decisions
from qbo_sync_dagster.sync.context import CycleContext


def load_followed(ctx: CycleContext, payment_ids: Collection[str]) -> dict[str, int]:
    """The version of each QuickBooks payment that is followed as things stand in AlgaPSA now."""
    records = [payment_record(each) for each in payment_ids]
    with ctx.reading() as connection:
        found = decisions.of_kind(connection, ctx.realm, "followed", records)
        otherwise = decisions.of_kind(connection, ctx.realm, "refund_recorded") if found else []
    recorded = {each.record.partition(":")[2] for each in otherwise}
    rows = {row for each in found for row in each.detail.get("taken_back", {})}
    now = _taken_back(ctx, rows, recorded) if rows else {}
    return {
        each.record.partition(":")[2]: int(each.detail["version"])
        for each in found
        if all(
            now.get(row, minor) == minor for row, minor in each.detail.get("taken_back", {}).items()
        )
    }


def _taken_back(
    ctx: CycleContext, rows: Collection[str], recorded: Collection[str]
) -> dict[str, int]:
    """What AlgaPSA has taken back of each of these rows; those that are gone are missing."""
    invoices = set(ctx.algapsa.invoices_of_payments(rows).values())
    records = ctx.algapsa.payments(invoices) if invoices else []
    found: dict[str, int] = {}
    for invoice in invoices:
        money = own_money([each for each in records if each.invoice_id == invoice], recorded)
        found |= {each.row_id: each.taken_back for each in money.receipts}
    return {row: minor for row, minor in found.items() if row in rows}
