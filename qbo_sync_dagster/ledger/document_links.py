"""Links of documents as decisions see them: held meanwhile, given up, or known for good.

What does not belong here: the links that a cycle goes through in bulk (links).
"""

from __future__ import annotations

from collections.abc import Collection

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


def known_objects(connection: sa.Connection, realm: str, kind: str) -> set[str]:
    """QuickBooks ids of every object that is, or once was, a document of ours."""
    rows = connection.execute(
        sa.select(links.c.quickbooks_id).where(links.c.realm == realm, links.c.kind == kind)
    )
    return set(rows.scalars())


def give_way(
    connection: sa.Connection, realm: str, kind: str, invoice_ids: Collection[str]
) -> None:
    """Close the links of objects whose loss was accepted: another object takes their place."""
    connection.execute(
        sa.update(links)
        .where(
            links.c.realm == realm,
            links.c.kind == kind,
            links.c.state == "accepted",
            links.c.algapsa_id == sa.any_(sa.literal(list(invoice_ids), sa.ARRAY(sa.Text))),
        )
        .values(state="closed")
    )
