"""Databases that tests work in: copied from a template once, emptied between tests.

To copy a database and to drop it again costs PostgreSQL more than most tests cost the engine. So a
copy goes from test to test. What belongs here: making, emptying and giving up copies. What does
not: what is in them.
"""

from __future__ import annotations

import os
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import psycopg2
import sqlalchemy as sa
from psycopg2 import sql

from qbo_sync_dagster.ledger import migrate
from qbo_sync_dagster.ledger.engine import create_ledger_engine
from qbo_sync_dagster.sandbox.algapsa.role import create_role
from qbo_sync_dagster.sandbox.algapsa.schema import create_schema
from qbo_sync_dagster.sandbox.postgres import EmbeddedServer

Fill = Callable[[str], None]
Rows = dict[tuple[str, str], str]

_ROLE, _PASSWORD = "qbo_sync", "only for tests"

# Whoever changes tables, triggers or rights leaves a mark: such a copy is not lent again.
_WATCH = """
CREATE SCHEMA lending;
CREATE TABLE lending.changed ();
CREATE FUNCTION lending.note() RETURNS event_trigger LANGUAGE plpgsql SECURITY DEFINER AS $$
    BEGIN INSERT INTO lending.changed DEFAULT VALUES; END $$;
CREATE EVENT TRIGGER lending_note ON ddl_command_end EXECUTE FUNCTION lending.note();
"""
_IS_CHANGED = "SELECT EXISTS (SELECT FROM lending.changed)"
_END_OTHERS = """
SELECT coalesce(bool_and(pg_terminate_backend(pid, 10000)), true) FROM pg_stat_activity
WHERE datname = current_database() AND pid <> pg_backend_pid()
"""
_WRITTEN = """
SELECT n.nspname, c.relname FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE c.relkind = 'r' AND n.nspname NOT IN ('pg_catalog', 'information_schema', 'lending')
    AND pg_relation_size(c.oid) > 0
ORDER BY 1, 2
"""
_CONTENT = "SELECT coalesce(md5(string_agg(t::text, ',' ORDER BY t::text)), '') FROM {} t"
# As though newly made: plans must not depend on what earlier tests wrote.
_FORGET_SIZE = "SELECT pg_clear_relation_stats(%s, %s)"
_RESTART_SEQUENCES = """
SELECT setval(format('%I.%I', schemaname, sequencename), start_value, false) FROM pg_sequences
WHERE last_value IS NOT NULL
"""


def as_engine_role(url: str) -> str:
    """The URL by which the engine meets a copy of AlgaPSA: as the least-privilege role."""
    role = sa.make_url(url).set(username=_ROLE, password=_PASSWORD)
    return role.render_as_string(hide_password=False)


class Databases:
    """Templates by what is in them, and their copies. Close it when the worker ends."""

    def __init__(self, server: EmbeddedServer) -> None:
        self._server = server
        self._fills = dict(_FILLS)
        self._templates: dict[str, str] = {}
        self._copies: list[str] = []
        self._free: dict[str, list[str]] = {}
        self._as_made: dict[str, Rows] = {}

    def know(self, kind: str, fill: Fill) -> None:
        """Say what makes an empty database one of this kind."""
        self._fills[kind] = fill

    def lend(self, kind: str) -> str:
        """The name of a database of this kind, as good as new.

        `ledger` is a migrated ledger; `community` and `enterprise` are an AlgaPSA of that edition,
        open to the engine's role.
        """
        free = self._free.setdefault(kind, [])
        if not free:
            free.append(self._copied(kind))
        return free.pop()

    def take_back(self, kind: str, name: str) -> None:
        """Empty a copy for the next test, or give it up if it is no longer like its template."""
        if _emptied(self._server.dsn(name), self._as_made[kind]):
            self._free[kind].append(name)
        else:
            self._copies.remove(name)
            self._server.drop_database(name)

    def close(self) -> None:
        """Drop everything."""
        for name in (*self._copies, *self._templates.values()):
            self._server.drop_database(name)

    def _template(self, kind: str) -> str:
        if kind not in self._templates:
            self._templates[kind] = _new_name(kind)
            self._fills[kind](self._server.create_database(self._templates[kind]))
        return self._templates[kind]

    def _copied(self, kind: str) -> str:
        name = _new_name(kind)
        url = self._server.create_database(name, self._template(kind))
        self._copies.append(name)
        with _session(url) as cursor:
            self._as_made.setdefault(kind, _rows(cursor))
            cursor.execute(_WATCH)
        return name


def _new_name(kind: str) -> str:
    return f"test_{os.getpid()}_{kind}_{uuid.uuid4().hex[:8]}"


def _emptied(url: str, as_made: Rows) -> bool:
    """Leave only the rows that the template came with; whether that made it like new."""
    with _session(url) as cursor:
        if not _scalar(cursor, _END_OTHERS) or _scalar(cursor, _IS_CHANGED):
            return False
        written = [table for table in _written(cursor) if table not in as_made]
        if written:
            # Neither foreign keys nor append-only tables stand in the way then.
            cursor.execute("SET session_replication_role = replica")
            deletes = [sql.SQL("DELETE FROM {}").format(sql.Identifier(*each)) for each in written]
            cursor.execute(sql.SQL(";").join(deletes))
            # Rows of the next test would fill the gaps, and so stand in another order.
            names = sql.SQL(",").join(sql.Identifier(*each) for each in written)
            cursor.execute(sql.SQL("VACUUM (SKIP_DATABASE_STATS) {}").format(names))
            cursor.executemany(_FORGET_SIZE, written)
        cursor.execute(_RESTART_SEQUENCES)
        return _rows(cursor) == as_made


def _rows(cursor: Any) -> Rows:
    """What stands in each table that holds anything."""
    return {
        table: _scalar(cursor, sql.SQL(_CONTENT).format(sql.Identifier(*table)))
        for table in _written(cursor)
    }


def _written(cursor: Any) -> list[tuple[str, str]]:
    cursor.execute(_WRITTEN)
    return list(cursor.fetchall())


def _scalar(cursor: Any, statement: str | sql.Composed) -> Any:
    cursor.execute(statement)
    return cursor.fetchone()[0]


@contextmanager
def _session(url: str) -> Iterator[Any]:
    connection = psycopg2.connect(url)
    connection.autocommit = True
    try:
        with connection.cursor() as cursor:
            yield cursor
    finally:
        connection.close()


def _migrated(url: str) -> None:
    engine = create_ledger_engine(url)
    migrate.upgrade(engine)
    engine.dispose()


def _community(url: str) -> None:
    create_schema(url, "community")
    create_role(url, _ROLE, _PASSWORD)


def _enterprise(url: str) -> None:
    create_schema(url, "enterprise")
    create_role(url, _ROLE, _PASSWORD)


_FILLS: dict[str, Fill] = {
    "ledger": _migrated,
    "community": _community,
    "enterprise": _enterprise,
}
