"""A migrated ledger with companies, and the environment that points Dagster's resource at it.

What assets, jobs and sensors all work on; their conftests import the fixture.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import date

import pytest
import sqlalchemy as sa
from cryptography.fernet import Fernet

from qbo_sync_dagster.ledger import connections, cycles
from qbo_sync_dagster.ledger.connections import Connection, NewConnection
from qbo_sync_dagster.ledger.cycles import Cycle
from qbo_sync_dagster.ledger.engine import create_ledger_engine


@dataclass
class Ledger:
    """A ledger to connect companies in, and to record cycles and requests."""

    engine: sa.Engine

    def connect(self, realm: str, name: str = "Slate Bay IT", **settings: object) -> Connection:
        with self.engine.begin() as connection:
            new = NewConnection(realm, f"tenant {realm}", name, "UTC", date(2026, 1, 1))
            connections.add(connection, new)
            if settings:
                connections.update(connection, realm, **settings)
            return connections.get(connection, realm)

    def request(self, realm: str) -> int:
        with self.engine.begin() as connection:
            return cycles.request(connection, realm, "Avery")

    def begin_cycle(self, company: Connection, run_id: str | None = None) -> Cycle:
        with self.engine.begin() as connection:
            return cycles.start(
                connection,
                company.realm,
                epoch=1,
                trigger="schedule",
                run_id=run_id,
                cursor=company.cursor,
            )

    def close_cycle(self, cycle: Cycle, outcome: str = "succeeded") -> Cycle:
        with self.engine.begin() as connection:
            return cycles.close(
                connection,
                cycle.cycle_id,
                outcome=outcome,
                counts={},
                calls={},
                summary="nothing to do",
                problem=None,
                cursor=cycle.started_at,
            )


@pytest.fixture
def ledger(fresh_database: Callable[..., str], monkeypatch: pytest.MonkeyPatch) -> Iterator[Ledger]:
    url = fresh_database("ledger")
    monkeypatch.setenv("QBO_SYNC_DATABASE_URL", url)
    monkeypatch.setenv("ALGAPSA_DATABASE_URL", url)
    monkeypatch.setenv("QBO_SYNC_SECRET_KEY", Fernet.generate_key().decode())
    monkeypatch.setenv("QBO_CLIENT_ID", "client")
    monkeypatch.setenv("QBO_CLIENT_SECRET", "secret")
    monkeypatch.setenv("QBO_API_BASE_URL", "http://127.0.0.1:9/v3/company")
    engine = create_ledger_engine(url)
    yield Ledger(engine)
    engine.dispose()
