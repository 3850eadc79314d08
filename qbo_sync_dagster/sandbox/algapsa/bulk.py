"""Invoices by the thousand, for benchmarks: all alike, all finalized, none paid."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from decimal import Decimal

from sqlalchemy import Connection

from qbo_sync_dagster.sandbox.algapsa.charges import Charge
from qbo_sync_dagster.sandbox.algapsa.invoices import (
    InvoiceDraft,
    draft_invoices,
    finalize_invoices,
)

_CENTS = 12_500


def bulk_invoices(
    connection: Connection,
    tenant: str,
    count: int,
    *,
    client_ids: Sequence[str],
    service_ids: Sequence[str],
    invoice_date: date,
    charges_each: int = 3,
) -> list[str]:
    """`count` finalized invoices dealt over the clients, with `charges_each` lines each.

    Returns their ids.
    """
    drafts = [
        InvoiceDraft(
            client_ids[position % len(client_ids)],
            invoice_date,
            tuple(_line(service_ids, position, line) for line in range(charges_each)),
        )
        for position in range(count)
    ]
    ids = draft_invoices(connection, tenant, drafts)
    finalize_invoices(connection, tenant, ids, today=invoice_date)
    return ids


def _line(service_ids: Sequence[str], position: int, line: int) -> Charge:
    service = service_ids[(position + line) % len(service_ids)]
    return Charge(f"Managed service {line + 1}", _CENTS + position % 97, Decimal(line + 1), service)
