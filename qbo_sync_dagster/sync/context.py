"""What a stage of one cycle works with: the company, its lease, both gateways, the tally."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime

import sqlalchemy as sa

from qbo_sync_dagster.algapsa.gateway import AlgaPsa
from qbo_sync_dagster.ledger import leases
from qbo_sync_dagster.ledger.connections import Connection
from qbo_sync_dagster.quickbooks.calls import CallRecord
from qbo_sync_dagster.quickbooks.client import QuickBooksClient
from qbo_sync_dagster.sync.engine import SyncEngine

WRITE_KINDS = ("create", "update", "void", "delete")


@dataclass
class Tally:
    """What the cycle did so far: effects on both sides and calls by kind."""

    algapsa_writes: int = 0
    quickbooks_writes: int = 0
    opened_exceptions: int = 0
    calls: Counter[str] = field(default_factory=Counter)

    def count_call(self, record: CallRecord) -> None:
        """Add one HTTP call."""
        self.calls["http"] += 1
        self.calls[str(record.kind)] += 1
        if record.metered:
            self.calls["metered"] += record.items


@dataclass
class CycleContext:
    """One cycle of one company while it holds the lease.

    `started_at` is on the ledger's clock; `started_monotonic` in the engine's monotonic seconds,
    from the start of the run.
    """

    engine: SyncEngine
    connection: Connection
    lease: leases.Lease
    cycle_id: int
    started_at: datetime
    started_monotonic: float
    quickbooks: QuickBooksClient
    algapsa: AlgaPsa
    tally: Tally

    @property
    def realm(self) -> str:
        """The company's realm id."""
        return self.connection.realm

    @contextmanager
    def ledger(self) -> Iterator[sa.Connection]:
        """A ledger transaction that fails if the lease was taken over."""
        with leases.fenced(self.engine.ledger, self.lease) as connection:
            yield connection

    @contextmanager
    def reading(self) -> Iterator[sa.Connection]:
        """The ledger, for statements that only read; each sees the moment it is run."""
        with self.engine.ledger_reads.connect() as connection:
            yield connection

    def check_lease(self) -> None:
        """Raise LeaseLostError unless this cycle still holds the realm, read from the ledger now.

        Inside an AlgaPSA transaction this comes after the locks: read before them, a holder that
        slept while it waited could still write.
        """
        with self.engine.ledger.begin() as connection:
            leases.require(connection, self.lease)

    def seconds_left(self) -> float:
        """How long posting may still go on."""
        spent = self.engine.monotonic() - self.started_monotonic
        return self.engine.config.posting_budget_seconds - spent
