"""Sync Now: ask for a cycle of one company; the sensor or the next cycle answers."""

from __future__ import annotations

import sqlalchemy as sa

from qbo_sync_dagster.actions.errors import ActionRefusedError
from qbo_sync_dagster.ledger import connections, cycles


def request_sync_now(ledger: sa.Engine, company: str, requested_by: str) -> int:
    """File a request for a cycle of a company (its key or realm id); returns its number.

    Raises UnknownRealmError, and ActionRefusedError for a disconnected company.
    """
    with ledger.begin() as connection:
        found = connections.get(connection, company)
        if found.state == "disconnected":
            raise ActionRefusedError(
                f"{found.company_name} is disconnected, so no cycle can run. Connect it again "
                f"with `qbo-sync connections reconnect {found.company}`."
            )
        return cycles.request(connection, found.realm, requested_by)
