"""Invoices that stand on both sides and are linked, as after months of syncing."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import sqlalchemy as sa

from benchmarks.world import World, today

_BILLED_DAYS_AGO = 20
_INVOICES = sa.text(
    "SELECT invoice_id::text, invoice_number, client_id::text, total_amount FROM invoices"
)


@dataclass(frozen=True, slots=True)
class LinkedInvoice:
    """An invoice and its object in QuickBooks."""

    quickbooks_id: str
    client_id: str
    cents: int


def linked_invoices(world: World, count: int) -> list[LinkedInvoice]:
    """Bill invoices, give QuickBooks the same, link them, and run the cycle that reads them."""
    world.bill(count, days_ago=_BILLED_DAYS_AGO)
    with world.algapsa.connect() as connection:
        billed = connection.execute(_INVOICES).all()
    ids = world.seed([_invoice(world, row) for row in billed])
    pairs = list(zip(billed, ids, strict=True))
    world.link([("invoice", row.invoice_id, quickbooks_id) for row, quickbooks_id in pairs])
    world.cycle(keeps_limits=False)
    return [LinkedInvoice(found, row.client_id, row.total_amount) for row, found in pairs]


def _invoice(world: World, row: sa.Row[Any]) -> dict[str, Any]:
    [item, *_] = world.services.values()
    made = datetime.now(UTC) - timedelta(days=_BILLED_DAYS_AGO)
    line = {
        "Amount": Decimal(row.total_amount).scaleb(-2),
        "DetailType": "SalesItemLineDetail",
        "SalesItemLineDetail": {"ItemRef": {"value": item}},
    }
    return {
        "entity": "Invoice",
        "created": made.isoformat(),
        "body": {
            "CustomerRef": {"value": world.customers[row.client_id]},
            "DocNumber": row.invoice_number,
            "TxnDate": (today() - timedelta(days=_BILLED_DAYS_AGO)).isoformat(),
            "Line": [line],
        },
    }
