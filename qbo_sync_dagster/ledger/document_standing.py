"""How every document of a company stands in the ledger, read in bulk for lists that people see."""

from __future__ import annotations

from collections import defaultdict

import sqlalchemy as sa

from qbo_sync_dagster.domain.invoice_sync import LinkStanding, QueueStanding
from qbo_sync_dagster.ledger.tables import OPEN_OPERATION_STATES, links, operations

_DOCUMENTS = ("invoice", "credit_memo")


def link_standings(connection: sa.Connection, realm: str) -> dict[str, LinkStanding]:
    """The links of a company's documents, by AlgaPSA id; those given up are not among them."""
    rows = connection.execute(
        sa.select(
            links.c.algapsa_id,
            links.c.kind,
            links.c.quickbooks_id,
            sa.func.coalesce(links.c.shown["number"].astext, ""),
            sa.func.coalesce(links.c.shown["state"].astext, "live"),
            links.c.drift.is_not(None),
            links.c.difference_minor != links.c.accepted_minor,
            links.c.shown_at,
        ).where(
            links.c.realm == realm,
            links.c.kind.in_(_DOCUMENTS),
            links.c.state.in_(("live", "accepted")),
        )
    )
    return {invoice_id: LinkStanding(*fields) for invoice_id, *fields in rows}


def queue_standings(connection: sa.Connection, realm: str) -> dict[str, list[QueueStanding]]:
    """The open operations of a company by the AlgaPSA record they are for."""
    rows = connection.execute(
        sa.select(
            operations.c.record_id,
            operations.c.state,
            sa.func.coalesce(operations.c.reason, ""),
            operations.c.changed_at,
        ).where(operations.c.realm == realm, operations.c.state.in_(OPEN_OPERATION_STATES))
    )
    found: defaultdict[str, list[QueueStanding]] = defaultdict(list)
    for record_id, *fields in rows:
        found[record_id].append(QueueStanding(*fields))
    return dict(found)
