"""Engines on the ledger and the one clock of the project.

Every ledger time comes from the SQL function `ledger_now()`: the database's `now()` plus a session
setting that only tests set, through the DSN's options, so that processes they start have it too.
"""

from __future__ import annotations

import time
from datetime import datetime
from functools import partial
from typing import Any

import simplejson
import sqlalchemy as sa
from sqlalchemy.engine.interfaces import DBAPIConnection
from sqlalchemy.pool import ConnectionPoolEntry, PoolProxiedConnection

# A sleeper that holds row locks must lose them before its lease runs out (300 s).
_SESSION_OPTIONS = "-c idle_in_transaction_session_timeout=30000 -c timezone=UTC"

_REST_SECONDS = 1.0
_RESTS_SINCE = "rests_since"


def create_ledger_engine(
    url: str,
    *,
    pool_size: int = 5,
    poolclass: type[sa.Pool] | None = None,
    session_options: str = "",
    only_reads: bool = False,
) -> sa.Engine:
    """An engine on the ledger database at `url`, UTC sessions, tried after a rest.

    `session_options` are PostgreSQL's, in the form `-c name=value`, and win over ours. With
    `only_reads` each statement is its own transaction: no BEGIN and no ROLLBACK around every
    single question. A pool of its own, since switching a session to and fro asks the server, too.
    """
    parsed = sa.make_url(url)
    if parsed.drivername in ("postgresql", "postgres"):
        parsed = parsed.set(drivername="postgresql+psycopg2")
    given = parsed.query.get("options", "")
    options = [_SESSION_OPTIONS, *([given] if isinstance(given, str) else given), session_options]
    parsed = parsed.set(query={**parsed.query, "options": " ".join(options).strip()})
    pool: dict[str, Any] = {"pool_size": pool_size, "max_overflow": 10}
    if poolclass is not None:
        pool = {"poolclass": poolclass, "pool_reset_on_return": None}
    if only_reads:
        pool["isolation_level"] = "AUTOCOMMIT"
    engine = sa.create_engine(
        parsed,
        **pool,
        # A failed statement is logged: without the customer's data that it carried.
        hide_parameters=True,
        # Payloads are kept as QuickBooks sent them: an amount through a float could lose a cent.
        json_serializer=partial(simplejson.dumps, use_decimal=True, default=str),
        json_deserializer=partial(simplejson.loads, use_decimal=True),
    )
    if poolclass is None:
        ping_after_rest(engine)
    return engine


def ping_after_rest(engine: sa.Engine) -> None:
    """Have the pool try a connection before it is lent again, if it rested for a second.

    A server that was restarted between two cycles then costs none of them. Trying each time, as
    SQLAlchemy's own pre-ping does, was a hundred of the questions of a cycle with nothing to do.
    """

    @sa.event.listens_for(engine, "checkin")
    def note(_: object, record: ConnectionPoolEntry) -> None:
        record.info[_RESTS_SINCE] = time.monotonic()

    @sa.event.listens_for(engine, "checkout")
    def check(
        dbapi_connection: DBAPIConnection, record: ConnectionPoolEntry, _: PoolProxiedConnection
    ) -> None:
        since = record.info.get(_RESTS_SINCE)
        if since is None or time.monotonic() - since < _REST_SECONDS:
            return
        try:
            engine.dialect.do_ping(dbapi_connection)
        except engine.dialect.loaded_dbapi.Error as error:
            raise sa.exc.InvalidatePoolError from error


def ledger_now(connection: sa.Connection) -> datetime:
    """The instant of the current ledger transaction, UTC."""
    now: datetime = connection.execute(sa.text("SELECT ledger_now()")).scalar_one()
    return now


class LedgerClock:
    """The engine's clock: reads `ledger_now()`, so that it cannot disagree with stored times."""

    def __init__(self, engine: sa.Engine) -> None:
        self._engine = engine

    def server_now(self) -> datetime:
        """The database server's own instant, UTC: what other servers' clocks are held against."""
        with self._engine.connect() as connection:
            now: datetime = connection.execute(sa.text("SELECT now()")).scalar_one()
            return now

    def now(self) -> datetime:
        """The current instant, UTC."""
        with self._engine.connect() as connection:
            return ledger_now(connection)
