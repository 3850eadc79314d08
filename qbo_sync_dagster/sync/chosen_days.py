"""The days on which staff had documents booked because QuickBooks' books were closed.

The choice outlives the operation it was made for: AlgaPSA's own date is never drift afterwards,
and whatever is sent of the document later keeps the day.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping

import sqlalchemy as sa

from qbo_sync_dagster.ledger import decisions

Chosen = Mapping[str, str]


def chosen_days(
    connection: sa.Connection, realm: str, invoice_ids: Collection[str] | None = None
) -> dict[str, Chosen]:
    """What re-dating keeps of these documents, or of all, `{"date": ISO day}`, by AlgaPSA id."""
    records = None if invoice_ids is None else [f"invoice:{each}" for each in invoice_ids]
    found = decisions.of_kind(connection, realm, "re_dated", records)
    return {
        decision.record.partition(":")[2]: {"date": str(decision.detail["to"])}
        for decision in found
    }
