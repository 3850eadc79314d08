"""What staff chose to send although it is dated before go-live.

What belongs here: how that decision is kept and read. What does not: who makes it (actions), and
what may be sent at all (domain.eligibility, domain.payments_out).
"""

from __future__ import annotations

import sqlalchemy as sa

from qbo_sync_dagster.ledger import decisions

EARLY = "export_early"


def chosen_early(connection: sa.Connection, realm: str) -> frozenset[str]:
    """The ids of AlgaPSA's documents and payments that are sent whatever their date."""
    return frozenset(
        decision.record.partition(":")[2]
        for decision in decisions.of_kind(connection, realm, EARLY)
    )
