"""Linking a client to the customer that was created or found for it."""

from __future__ import annotations

import sqlalchemy as sa

from qbo_sync_dagster.domain.catalogue import ExceptionKind
from qbo_sync_dagster.ledger import audit, exceptions, links
from qbo_sync_dagster.sync.context import CycleContext


def link_customer(
    connection: sa.Connection,
    ctx: CycleContext,
    client_id: str,
    customer_id: str,
    name: str,
    *,
    origin: str,
    request_id: str | None = None,
    intuit_tid: str | None = None,
) -> None:
    """Make the link in the caller's transaction, with its audit row.

    Raises DoubleLinkError if either is linked already.
    """
    new = links.NewLink("client", client_id, customer_id, origin, snapshot={"name": name})
    links.add(connection, ctx.realm, [new])
    audit.append(
        connection,
        ctx.realm,
        [
            audit.Effect(
                side="quickbooks" if origin == "exported" else "ledger",
                effect="create customer" if origin == "exported" else "adopt customer",
                record=f"client:{client_id}",
                after={"quickbooks_id": customer_id, "name": name},
                request_id=request_id,
                intuit_tid=intuit_tid,
            )
        ],
    )
    exceptions.resolve(
        connection,
        ctx.realm,
        [ExceptionKind.EXPORT_FAILING, ExceptionKind.ORPHAN],
        [f"client:{client_id}"],
        "The client has its customer.",
    )
