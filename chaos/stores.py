"""The three databases of a world, kept at a moment and set back to it quickly.

Belongs here: creating, keeping, setting back, and the clocks that live in the databases. Does not:
what stands in them. Rows are set back in place: to copy whole databases each time takes PostgreSQL
two checkpoints, and every new session reads its catalogue anew.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import sqlalchemy as sa

from qbo_sync_dagster.ledger import migrate
from qbo_sync_dagster.ledger.engine import create_ledger_engine
from qbo_sync_dagster.sandbox.algapsa.role import create_role
from qbo_sync_dagster.sandbox.algapsa.schema import Edition, create_schema
from qbo_sync_dagster.sandbox.postgres import EmbeddedServer

_ROLE, _PASSWORD = "chaos_engine", "opens nothing but a throw-away server"
_NEW = "new"
_TABLES = sa.text("SELECT tablename FROM pg_tables WHERE schemaname = 'public' ORDER BY 1")
_SEQUENCES = sa.text(
    "SELECT sequencename, COALESCE(last_value, start_value), last_value IS NOT NULL"
    " FROM pg_sequences WHERE schemaname = 'public'"
)


@dataclass(frozen=True, slots=True)
class Kept:
    """A moment that the stores can be set back to; `at` is on the world's clock.

    `set_back` holds the statements that do it, one per database.
    """

    at: datetime
    set_back: tuple[str, ...]


class Stores:
    """Ledger, AlgaPSA and the sandbox's database of one world at a time.

    `prefix` tells the databases apart from those of other worlds on the same server.
    """

    def __init__(self, server: EmbeddedServer, prefix: str, sandbox_url: str) -> None:
        self._server = server
        self._names = {side: f"{prefix}_{side}" for side in ("ledger", "algapsa")}
        self._offset = timedelta()
        self._new: Kept | None = None
        self.ledger_url = server.dsn(self._names["ledger"])
        self.role_url = ""
        self.ledger = create_ledger_engine(self.ledger_url)
        self.algapsa = sa.create_engine(server.dsn(self._names["algapsa"]))
        self.sandbox = sa.create_engine(sandbox_url)

    def prepare(self, edition: Edition = "community") -> None:
        """Empty databases, as a new installation has them."""
        if self._new is None:
            for name in self._names.values():
                self._server.create_database(name)
            migrate.upgrade(self.ledger)
            algapsa_url = self._server.dsn(self._names["algapsa"])
            create_schema(algapsa_url, edition)
            self.role_url = create_role(algapsa_url, _ROLE, _PASSWORD)
            self._new = self.keep(_NEW)
        self.restore(self._new)

    def keep(self, name: str) -> Kept:
        """Keep this moment; whoever works in the databases is done."""
        engines = (self.ledger, self.algapsa, self.sandbox)
        kept = Kept(self.now(), tuple(_keep(engine, f"kept_{name}") for engine in engines))
        self.let_go()
        return kept

    def restore(self, kept: Kept) -> None:
        """Everything is as it was at that moment, the clocks too."""
        for engine, statements in zip(
            (self.ledger, self.algapsa, self.sandbox), kept.set_back, strict=True
        ):
            with engine.begin() as connection:
                connection.exec_driver_sql(statements)
        self.set_clock(kept.at)

    def now(self) -> datetime:
        """The instant on the world's clock."""
        return datetime.now(UTC) + self._offset

    def set_clock(self, at: datetime) -> None:
        """Set the clocks of QuickBooks and the ledger. It holds for new connections."""
        self._offset = at - datetime.now(UTC)
        seconds = f"{self._offset.total_seconds():.3f}"
        with self.ledger.begin() as connection:
            name = self._names["ledger"]
            connection.exec_driver_sql(
                f"ALTER DATABASE \"{name}\" SET qbo_sync.clock_offset = '{seconds}s'"
            )
        with self.sandbox.begin() as connection:
            connection.exec_driver_sql(f"UPDATE clock SET offset_seconds = {seconds}")
        self.let_go()

    def let_go(self) -> None:
        """Close this process's connections, which no child may use."""
        for engine in (self.ledger, self.algapsa, self.sandbox):
            engine.dispose()

    def close(self) -> None:
        """Give back connections and drop the databases."""
        self.let_go()
        for name in self._names.values():
            self._server.drop_database(name)


def _keep(engine: sa.Engine, schema: str) -> str:
    """Copy all rows aside; the statements that bring them back."""
    with engine.begin() as connection:
        tables = connection.execute(_TABLES).scalars().all()
        sequences = connection.execute(_SEQUENCES).all()
        connection.exec_driver_sql(f"DROP SCHEMA IF EXISTS {schema} CASCADE")
        connection.exec_driver_sql(f"CREATE SCHEMA {schema}")
        for table in tables:
            statement = f"CREATE TABLE {schema}.{table} AS SELECT * FROM public.{table}"
            connection.exec_driver_sql(statement)
    back = [
        f"DELETE FROM public.{table}; INSERT INTO public.{table} OVERRIDING SYSTEM VALUE"
        f" SELECT * FROM {schema}.{table}"
        for table in tables
    ]
    back += [
        f"SELECT setval('public.{name}', {value}, {str(is_called).lower()})"
        for name, value, is_called in sequences
    ]
    # Rows come back in any order: their references were kept with them.
    return "; ".join(["SET LOCAL session_replication_role = replica", *back])


@contextmanager
def open_stores(server: EmbeddedServer, prefix: str, sandbox_url: str) -> Iterator[Stores]:
    """Stores that are gone when the context ends."""
    stores = Stores(server, prefix, sandbox_url)
    try:
        yield stores
    finally:
        stores.close()
