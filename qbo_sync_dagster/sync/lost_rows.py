"""Payments of AlgaPSA that it no longer holds, though QuickBooks holds their counterpart.

AlgaPSA takes money back by further rows and deletes none: a row that is gone was lost when the
database was set back to a backup. QuickBooks' payment then stands for itself. It comes in like any
other, and if somebody enters the lost one again, the two are the same money and wait for staff.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence

import sqlalchemy as sa

from qbo_sync_dagster.algapsa.gateway import AlgaPsa
from qbo_sync_dagster.ledger import audit, inbox, links
from qbo_sync_dagster.ledger.payment_links import PaymentLink


def lost_of(algapsa: AlgaPsa, linked: Collection[PaymentLink]) -> list[PaymentLink]:
    """Those of the links whose row is gone from an invoice that AlgaPSA still has."""
    if not linked:
        return []
    there = algapsa.invoices_of_payments([link.algapsa_id for link in linked])
    missing = [link for link in linked if link.algapsa_id not in there]
    kept = algapsa.existing([link.invoice_id for link in missing if link.invoice_id])
    return [link for link in missing if link.invoice_id in kept]


def let_go(connection: sa.Connection, realm: str, lost: Sequence[PaymentLink]) -> None:
    """Unlink QuickBooks' payments from the lost rows, and have them planned as its own."""
    if not lost:
        return
    for link in lost:
        links.update(connection, link.link_id, state="closed")
    inbox.plan_again(connection, realm, "Payment", [link.quickbooks_id for link in lost])
    effects = [
        audit.Effect(
            "ledger",
            "payment lost in AlgaPSA",
            f"payment:{link.algapsa_id}",
            {"quickbooks_id": link.quickbooks_id, "invoice_id": link.invoice_id},
        )
        for link in lost
    ]
    audit.append(connection, realm, effects)
