"""Whether what AlgaPSA shows of payments may be believed: a restore fills table after table.

A sweep that met the invoices without their payments yet would take every payment for lost.
"""

from __future__ import annotations

from qbo_sync_dagster.algapsa.errors import AlgaPsaNotReadyError
from qbo_sync_dagster.ledger import audit, payment_links
from qbo_sync_dagster.ledger.connections import Connection
from qbo_sync_dagster.sync.engine import SyncEngine

# So few may be all that there was, and lost for good.
_FEW = 5


def require_payments(engine: SyncEngine, company: Connection) -> None:
    """Raise AlgaPsaNotReadyError if the preflight fails or every payment of many is gone."""
    algapsa = engine.open_algapsa(company)
    problems = algapsa.preflight(engine.clock.server_now())
    if fatal := [each.message for each in problems if each.is_fatal]:
        raise AlgaPsaNotReadyError(" ".join(fatal))
    if algapsa.has_payments():
        return
    with engine.ledger.connect() as connection:
        linked = payment_links.live_page(connection, company.realm, after=0, limit=_FEW + 1)
        applied = audit.last_of_each(connection, company.realm, ["apply payment"])
    if len(linked) + len(applied) > _FEW:
        raise AlgaPsaNotReadyError(
            "AlgaPSA shows no payment at all, although many were synced: a restore of its database "
            "may still run. No payment was taken for lost. Materialize the sweep again once the "
            "restore has ended. If the backup holds no payment, that is once the next is entered."
        )
