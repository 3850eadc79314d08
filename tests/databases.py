"""Databases that tests work in: copied from a template once, emptied between tests.

To copy a database and to drop it again costs PostgreSQL more than most tests cost the engine. So a
copy goes from test to test. What belongs here: making, emptying and giving up copies. What does
not: what is in them.
"""

from __future__ import annotations

import os
import uuid
from collections.abc import Callable
from contextlib import suppress
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

# How the sessions call themselves that outlive a test.
OURS = "lending"
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
# Ours stay connected: a new session first has to learn all tables. One in mid-transaction is lost.
_END_OTHERS = f"""
SELECT coalesce(bool_and(pg_terminate_backend(pid, 10000) AND NOT is_ours), true) FROM (
    SELECT pid, application_name = '{OURS}' AS is_ours, state FROM pg_stat_activity
    WHERE datname = current_database() AND pid <> pg_backend_pid()
) others WHERE NOT is_ours OR state <> 'idle'
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
        self._copies: dict[str, _Copy] = {}
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
        is_like_new = False
        # A test may have ended the very session that empties, or hold what that waits for.
        with suppress(psycopg2.Error):
            is_like_new = _emptied(self._copies[name].cursor, self._as_made[kind])
        if is_like_new:
            self._free[kind].append(name)
        else:
            self._give_up(name)

    def owner(self, url: str) -> sa.Engine:
        """An engine of the owner of a lent database. It stays open: the next test uses it, too."""
        return self._copies[str(sa.make_url(url).database)].owner

    def close(self) -> None:
        """Drop everything."""
        for name in list(self._copies):
            self._give_up(name)
        for name in self._templates.values():
            self._server.drop_database(name)

    def _give_up(self, name: str) -> None:
        self._copies.pop(name).close()
        self._server.drop_database(name)

    def _template(self, kind: str) -> str:
        if kind not in self._templates:
            self._templates[kind] = _new_name(kind)
            self._fills[kind](self._server.create_database(self._templates[kind]))
        return self._templates[kind]

    def _copied(self, kind: str) -> str:
        name = _new_name(kind)
        copy = _Copy(self._server.create_database(name, self._template(kind)))
        self._copies[name] = copy
        self._as_made.setdefault(kind, _rows(copy.cursor))
        copy.cursor.execute(_WATCH)
        # Neither foreign keys nor append-only tables stand in the way of emptying it.
        copy.cursor.execute("SET session_replication_role = replica; SET lock_timeout = '10s'")
        return name


class _Copy:
    """One copy, and the sessions on it that stay from test to test."""

    def __init__(self, url: str) -> None:
        named = sa.make_url(url).update_query_dict({"application_name": OURS})
        self.owner = sa.create_engine(named, pool_pre_ping=True)
        self._connection = psycopg2.connect(url, application_name=OURS)
        self._connection.autocommit = True
        self.cursor = self._connection.cursor()

    def close(self) -> None:
        """Hang up."""
        self.owner.dispose()
        self._connection.close()


def _new_name(kind: str) -> str:
    return f"test_{os.getpid()}_{kind}_{uuid.uuid4().hex[:8]}"


def _emptied(cursor: Any, as_made: Rows) -> bool:
    """Leave only the rows that the template came with; whether that made it like new."""
    if not _scalar(cursor, _END_OTHERS) or _scalar(cursor, _IS_CHANGED):
        return False
    written = [table for table in _written(cursor) if table not in as_made]
    if written:
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
