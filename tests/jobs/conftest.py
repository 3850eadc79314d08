"""A migrated ledger with companies, and the environment that points Dagster's resource at it."""

from __future__ import annotations

import os
import tempfile
import uuid
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import date
from pathlib import Path

import dagster as dg
import pytest
import sqlalchemy as sa
from cryptography.fernet import Fernet
from dagster._core.instance.ref import InstanceRef

from qbo_sync_dagster.ledger import connections, cycles, migrate
from qbo_sync_dagster.ledger.connections import Connection, NewConnection
from qbo_sync_dagster.ledger.cycles import Cycle
from qbo_sync_dagster.ledger.engine import create_ledger_engine
from qbo_sync_dagster.sandbox.postgres import EmbeddedServer


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


@pytest.fixture(scope="session")
def ledger_template(postgres_server: EmbeddedServer) -> Iterator[str]:
    name = f"test_{os.getpid()}_{uuid.uuid4().hex[:8]}_ledger"
    engine = create_ledger_engine(postgres_server.create_database(name))
    migrate.upgrade(engine)
    engine.dispose()
    yield name
    postgres_server.drop_database(name)


@pytest.fixture
def ledger(
    ledger_template: str,
    fresh_database: Callable[..., str],
    monkeypatch: pytest.MonkeyPatch,
) -> Iterator[Ledger]:
    url = fresh_database(template=ledger_template)
    monkeypatch.setenv("QBO_SYNC_DATABASE_URL", url)
    monkeypatch.setenv("ALGAPSA_DATABASE_URL", url)
    monkeypatch.setenv("QBO_SYNC_SECRET_KEY", Fernet.generate_key().decode())
    monkeypatch.setenv("QBO_CLIENT_ID", "client")
    monkeypatch.setenv("QBO_CLIENT_SECRET", "secret")
    monkeypatch.setenv("QBO_API_BASE_URL", "http://127.0.0.1:9/v3/company")
    engine = create_ledger_engine(url)
    yield Ledger(engine)
    engine.dispose()


@pytest.fixture(scope="session")
def dagster_template(postgres_server: EmbeddedServer) -> Iterator[str]:
    name = f"test_{os.getpid()}_{uuid.uuid4().hex[:8]}_dagster"
    url = postgres_server.create_database(name)
    with tempfile.TemporaryDirectory() as folder, _instance_on(url, folder):
        pass
    yield name
    postgres_server.drop_database(name)


@pytest.fixture
def postgres_instance(
    dagster_template: str, fresh_database: Callable[..., str], tmp_path: Path
) -> Iterator[dg.DagsterInstance]:
    """An instance whose history is in PostgreSQL, as in production."""
    with _instance_on(fresh_database(template=dagster_template), str(tmp_path)) as instance:
        yield instance


def _instance_on(url: str, folder: str) -> dg.DagsterInstance:
    settings = {
        "storage": {"postgres": {"postgres_url": url}},
        "telemetry": {"enabled": False},
        "compute_logs": {
            "module": "dagster._core.storage.noop_compute_log_manager",
            "class": "NoOpComputeLogManager",
        },
    }
    return dg.DagsterInstance.from_ref(InstanceRef.from_dir(folder, overrides=settings))
