"""Export batches: which documents somebody sent to a company, or wrote to a file, and when."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import sqlalchemy as sa

from qbo_sync_dagster.ledger.tables import connections, export_batches

QUICKBOOKS, CSV = "quickbooks", "csv"


@dataclass(frozen=True, slots=True)
class Batch:
    """A batch that was run. `selection` is how its documents were chosen, in words of the form."""

    batch_id: int
    realm: str
    selection: dict[str, Any]
    invoice_ids: list[str]
    target: str
    created_by: str
    created_at: datetime


def add(
    connection: sa.Connection,
    realm: str,
    *,
    selection: dict[str, Any],
    invoice_ids: Sequence[str],
    target: str,
    created_by: str,
) -> int:
    """Keep a batch; returns its number."""
    batch_id: int = connection.execute(
        sa.insert(export_batches)
        .values(
            realm=realm,
            selection=selection,
            invoice_ids=list(invoice_ids),
            target=target,
            created_by=created_by,
        )
        .returning(export_batches.c.batch_id)
    ).scalar_one()
    return batch_id


def listed(connection: sa.Connection, realm: str) -> list[Batch]:
    """The batches of a company, newest first."""
    rows = connection.execute(
        sa.select(*[export_batches.c[name] for name in Batch.__slots__])
        .where(export_batches.c.realm == realm)
        .order_by(export_batches.c.batch_id.desc())
    )
    return [Batch(*row) for row in rows]


def withdraw(connection: sa.Connection, realm: str, batch_id: int) -> Batch | None:
    """Forget a batch that was written to a file; None if there is no such file."""
    row = connection.execute(
        sa.delete(export_batches)
        .where(
            export_batches.c.realm == realm,
            export_batches.c.batch_id == batch_id,
            export_batches.c.target == CSV,
        )
        .returning(*[export_batches.c[name] for name in Batch.__slots__])
    ).one_or_none()
    return Batch(*row) if row else None


def booked_by_csv(connection: sa.Connection, tenant: str, invoice_ids: Collection[str]) -> set[str]:
    """Those of the documents that a file of ours took to one of the tenant's companies."""
    invoice = sa.func.jsonb_array_elements_text(export_batches.c.invoice_ids).alias("invoice")
    named: sa.ColumnClause[str] = sa.column("invoice")
    rows = connection.execute(
        sa.select(named)
        .select_from(
            export_batches.join(connections, connections.c.realm == export_batches.c.realm).join(
                invoice, sa.true()
            )
        )
        .where(
            connections.c.tenant == tenant,
            export_batches.c.target == CSV,
            named == sa.any_(sa.literal(list(invoice_ids), sa.ARRAY(sa.Text))),
        )
    )
    return set(rows.scalars())
