"""Work on one company outside a cycle, under its lease, so that no cycle runs beside it."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from contextlib import contextmanager

from qbo_sync_dagster.ledger import leases
from qbo_sync_dagster.ledger.connections import Connection
from qbo_sync_dagster.sync.context import CycleContext, Tally
from qbo_sync_dagster.sync.engine import SyncEngine

_NO_CYCLE = 0


@contextmanager
def alone_with(
    engine: SyncEngine, company: Connection, purpose: str
) -> Iterator[CycleContext | None]:
    """What a stage works with, while nobody else works on the company; None while a cycle runs.

    `purpose` names the holder of the lease.
    """
    started = engine.monotonic()
    lease = leases.take(engine.ledger, company.realm, f"{purpose}-{uuid.uuid4()}")
    if lease is None:
        yield None
        return
    tally = Tally()
    try:
        yield CycleContext(
            engine=engine,
            connection=company,
            lease=lease,
            cycle_id=_NO_CYCLE,
            started_at=engine.now(),
            started_monotonic=started,
            quickbooks=engine.open_quickbooks(
                company.realm,
                before_call=lambda _: leases.renew(engine.ledger, lease),
                meter=tally.count_call,
            ),
            algapsa=engine.open_algapsa(company),
            tally=tally,
        )
    finally:
        leases.release(engine.ledger, lease)
