"""The link of one document, held while staff decide about it.

What belongs here: reading and locking a single document's link. What does not: the links that a
cycle goes through in bulk (links).
"""

from __future__ import annotations

import sqlalchemy as sa

from qbo_sync_dagster.ledger.links import Link
from qbo_sync_dagster.ledger.tables import links

# To AlgaPSA a credit note is an invoice; in QuickBooks it is an object of its own.
DOCUMENT_KINDS = ("invoice", "credit_memo")


def held(connection: sa.Connection, realm: str, invoice_id: str) -> Link | None:
    """The live link of an AlgaPSA invoice or credit note; nobody moves it meanwhile."""
    row = connection.execute(
        sa.select(*[links.c[name] for name in Link.__slots__])
        .where(
            links.c.realm == realm,
            links.c.kind.in_(DOCUMENT_KINDS),
            links.c.algapsa_id == invoice_id,
            links.c.state == "live",
        )
        .with_for_update()
    ).one_or_none()
    return Link(*row) if row else None
