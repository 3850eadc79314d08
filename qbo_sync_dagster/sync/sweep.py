"""The nightly sweep: payments that AlgaPSA no longer holds as they were applied.

A cycle plans only what changed in QuickBooks. When AlgaPSA is restored from a backup, payments that
were applied since are gone and no change will ever bring them back: here they are wanted again.
What else a restored side lacks, each cycle finds by itself. Local, no calls to QuickBooks.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from qbo_sync_dagster.domain.payment_exceptions import payment_record
from qbo_sync_dagster.ledger import audit, inbox, payment_links
from qbo_sync_dagster.ledger.connections import Connection
from qbo_sync_dagster.sync.engine import SyncEngine
from qbo_sync_dagster.sync.lost_rows import let_go, lost_of
from qbo_sync_dagster.sync.standing_nets import lost_payments
from qbo_sync_dagster.sync.still_restored import require_payments

_PAGE = 1000
# AlgaPSA has no index on our key: each question for some of them reads all its payments.
_PAYMENTS_A_QUESTION = 20_000
_APPLIED = ("apply payment", "reverse payment")


def plan_lost_payments(engine: SyncEngine, company: Connection) -> int:
    """Have the next cycle plan every payment anew that AlgaPSA does not hold as it did.

    These are payments of QuickBooks whose rows are not those written, and those that stood for a
    row of AlgaPSA's own that is gone. Returns how many. Without the lease: it only marks changes
    to be planned, which a cycle that runs meanwhile does under its own locks. Raises AlgaPsaError.
    """
    require_payments(engine, company)
    algapsa = engine.open_algapsa(company)
    lost = _let_go_of_lost(engine, company)
    for written in _written(engine, company.realm):
        differing = lost_payments(engine, algapsa, company.realm, written)
        with engine.ledger.begin() as connection:
            lost += inbox.plan_again(connection, company.realm, "Payment", differing)
    return lost


def _let_go_of_lost(engine: SyncEngine, company: Connection) -> int:
    algapsa = engine.open_algapsa(company)
    lost = after = 0
    while True:
        with engine.ledger.connect() as connection:
            page = payment_links.live_page(connection, company.realm, after=after, limit=_PAGE)
        if not page:
            return lost
        after = page[-1].link_id
        gone = lost_of(algapsa, page)
        with engine.ledger.begin() as connection:
            let_go(connection, company.realm, gone)
        lost += len(gone)


def _written(engine: SyncEngine, realm: str) -> Iterator[dict[str, Mapping[str, int]]]:
    """By payment what was last written of it, net per invoice, by the audit log; in pages."""
    start = payment_record("")
    with engine.ledger.connect() as connection:
        last = audit.last_of_each(connection, realm, _APPLIED)
    found = {record.removeprefix(start): after["per_invoice"] for record, after in last.items()}
    ids = sorted(found)
    for first in range(0, len(ids), _PAYMENTS_A_QUESTION):
        portion = ids[first : first + _PAYMENTS_A_QUESTION]
        yield {payment_id: found[payment_id] for payment_id in portion}
