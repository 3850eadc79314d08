"""A migrated ledger with one connected company per test."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass
from datetime import date, timedelta

import pytest
import sqlalchemy as sa

from qbo_sync_dagster.ledger import connections
from qbo_sync_dagster.ledger.engine import create_ledger_engine

REALM = "9341453000000001"
OTHER = "9341453000000002"
TENANT = "0b4d2a52-6f5b-4a0e-9a57-0d6c53a3f001"


@dataclass
class Ledger:
    """A ledger with the company `realm`; `connect` adds more, `begin` opens a transaction."""

    engine: sa.Engine
    url: str
    realm: str = REALM
    other: str = OTHER
    tenant: str = TENANT

    def begin(self) -> AbstractContextManager[sa.Connection]:
        return self.engine.begin()

    def connect(self, realm: str, tenant: str = TENANT, **values: object) -> connections.Connection:
        described: dict[str, object] = {
            "realm": realm,
            "tenant": tenant,
            "company_name": "Slate Bay IT",
            "time_zone": "America/Los_Angeles",
            "go_live_date": date(2026, 3, 1),
        }
        new = connections.NewConnection(**(described | values))  # type: ignore[arg-type]
        with self.begin() as connection:
            return connections.add(connection, new)

    def on_clock(self, offset: timedelta) -> sa.Engine:
        """Another process's engine whose clock is off by this much."""
        parsed = sa.make_url(self.url)
        options = f"-c qbo_sync.clock_offset={offset.total_seconds()}s"
        shifted = parsed.set(query={**parsed.query, "options": options})
        return create_ledger_engine(shifted.render_as_string(hide_password=False))


@pytest.fixture
def empty_ledger(fresh_database: Callable[..., str]) -> Iterator[Ledger]:
    """A migrated ledger without companies."""
    url = fresh_database("ledger")
    engine = create_ledger_engine(url)
    yield Ledger(engine, url)
    engine.dispose()


@pytest.fixture
def ledger(empty_ledger: Ledger) -> Ledger:
    """A migrated ledger with one company."""
    empty_ledger.connect(REALM)
    return empty_ledger
