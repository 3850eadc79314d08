"""The sandbox's own PostgreSQL database: tables, connections, one transaction per request.

Belongs here: DDL and how to get a cursor. Does not: statements about one aggregate, which stand
beside their aggregate.
"""

from __future__ import annotations

import queue
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import Any, TypeAlias

import psycopg2
import psycopg2.extras

from qbo_sync_dagster.sandbox.quickbooks.wire import decode

Cursor: TypeAlias = Any

_TABLES = """
CREATE TABLE IF NOT EXISTS clock (
    only_row boolean PRIMARY KEY DEFAULT true CHECK (only_row),
    offset_seconds double precision NOT NULL
);
INSERT INTO clock (offset_seconds) VALUES (0) ON CONFLICT DO NOTHING;
CREATE TABLE IF NOT EXISTS realm (
    realm text PRIMARY KEY,
    client_id text NOT NULL,
    client_secret text NOT NULL,
    company jsonb NOT NULL,
    switches jsonb NOT NULL,
    counters jsonb NOT NULL
);
CREATE TABLE IF NOT EXISTS object (
    realm text NOT NULL,
    entity text NOT NULL,
    id text NOT NULL,
    number bigint NOT NULL,
    token integer NOT NULL,
    deleted boolean NOT NULL,
    created timestamptz NOT NULL,
    updated timestamptz NOT NULL,
    pool text NOT NULL,
    name_key text,
    sort_name text,
    active boolean NOT NULL,
    doc_number text,
    customer_id text,
    fields jsonb NOT NULL,
    hidden jsonb NOT NULL,
    body text NOT NULL,
    PRIMARY KEY (realm, entity, id)
);
CREATE INDEX IF NOT EXISTS object_number ON object (realm, entity, number);
CREATE INDEX IF NOT EXISTS object_updated ON object (realm, entity, updated, number);
CREATE INDEX IF NOT EXISTS object_name ON object (realm, pool, name_key);
CREATE INDEX IF NOT EXISTS object_doc_number ON object (realm, entity, lower(doc_number));
CREATE INDEX IF NOT EXISTS object_customer ON object (realm, entity, customer_id);
CREATE TABLE IF NOT EXISTS answered_request (
    realm text NOT NULL,
    request_id text NOT NULL,
    status integer NOT NULL,
    body text NOT NULL,
    answered_at timestamptz NOT NULL,
    PRIMARY KEY (realm, request_id)
);
CREATE TABLE IF NOT EXISTS refresh_token (
    token text PRIMARY KEY,
    realm text NOT NULL,
    issued_at timestamptz NOT NULL,
    expires_at timestamptz NOT NULL,
    hard_expires_at timestamptz NOT NULL,
    revoked boolean NOT NULL DEFAULT false
);
CREATE TABLE IF NOT EXISTS authorization_code (
    code text PRIMARY KEY,
    realm text NOT NULL,
    client_id text NOT NULL,
    redirect_uri text NOT NULL,
    expires_at timestamptz NOT NULL
);
CREATE TABLE IF NOT EXISTS access_token (
    token text PRIMARY KEY,
    realm text NOT NULL,
    expires_at timestamptz NOT NULL,
    revoked boolean NOT NULL DEFAULT false
);
CREATE TABLE IF NOT EXISTS fault_rule (
    id bigserial PRIMARY KEY,
    realm text,
    kind text NOT NULL,
    entity text,
    match text,
    after_calls integer NOT NULL,
    times integer NOT NULL,
    effect text NOT NULL,
    hold_ms integer NOT NULL
);
CREATE TABLE IF NOT EXISTS call (
    id bigserial PRIMARY KEY,
    realm text NOT NULL,
    kind text NOT NULL,
    entity text NOT NULL,
    request_id text NOT NULL,
    items integer NOT NULL,
    metered integer NOT NULL,
    bytes_in integer NOT NULL,
    bytes_out integer NOT NULL,
    status integer NOT NULL,
    at timestamptz NOT NULL
);
CREATE INDEX IF NOT EXISTS call_realm ON call (realm, id);
"""

_EMPTY = """
TRUNCATE realm, object, answered_request, authorization_code, refresh_token, access_token,
    fault_rule, call;
UPDATE clock SET offset_seconds = 0;
"""

# Two processes may open a new database at once; CREATE ... IF NOT EXISTS alone can then collide.
_SCHEMA_LOCK = "SELECT pg_advisory_xact_lock(7302019)"


class Storage:
    """Connections to the sandbox's database, kept open between requests."""

    def __init__(self, dsn: str) -> None:
        self._dsn = dsn.replace("postgresql+psycopg2://", "postgresql://")
        self._idle: queue.LifoQueue[Any] = queue.LifoQueue()
        with self.transaction() as cursor:
            cursor.execute(_SCHEMA_LOCK)
            cursor.execute(_TABLES)

    @contextmanager
    def transaction(self) -> Iterator[Cursor]:
        """A cursor whose work is committed at the end, or undone if an exception passes."""
        connection = self._take()
        try:
            with connection.cursor() as cursor:
                yield cursor
            connection.commit()
        except BaseException:
            if not connection.closed:
                connection.rollback()
            raise
        finally:
            # A server that was restarted leaves closed connections behind.
            if not connection.closed:
                self._idle.put(connection)

    def empty(self) -> None:
        """Forget everything and set the clock to real time."""
        with self.transaction() as cursor:
            cursor.execute(_EMPTY)

    def close(self) -> None:
        """Close the idle connections."""
        while not self._idle.empty():
            self._idle.get_nowait().close()

    def _take(self) -> Any:  # noqa: ANN401  (psycopg2 has no types)
        try:
            return self._idle.get_nowait()
        except queue.Empty:
            connection = psycopg2.connect(self._dsn)
            psycopg2.extras.register_default_jsonb(connection, loads=decode)
            # It restarts with nothing to lose but a test; waiting for the disk is for the books.
            connection.cursor().execute("SET synchronous_commit = off")
            connection.commit()
            return connection


def clock_now(cursor: Cursor) -> datetime:
    """The sandbox's time: real time plus the offset that tests set."""
    cursor.execute("SELECT offset_seconds FROM clock")
    (offset,) = cursor.fetchone()
    return datetime.now(UTC) + timedelta(seconds=offset)


def advance_clock(cursor: Cursor, seconds: float) -> None:
    """Move the sandbox's time on (or back)."""
    cursor.execute("UPDATE clock SET offset_seconds = offset_seconds + %s", (seconds,))


def reset_clock(cursor: Cursor) -> None:
    """Back to real time."""
    cursor.execute("UPDATE clock SET offset_seconds = 0")
