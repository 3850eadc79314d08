"""Engines on the ledger and the one clock of the project.

Every ledger time comes from the SQL function `ledger_now()`: the database's `now()` plus a session
setting that only tests set, through the DSN's options, so that processes they start have it too.
"""

from __future__ import annotations

from datetime import datetime
from functools import partial
from typing import Any

import simplejson
import sqlalchemy as sa

# A sleeper that holds row locks must lose them before its lease runs out (300 s).
_SESSION_OPTIONS = "-c idle_in_transaction_session_timeout=30000 -c timezone=UTC"


def create_ledger_engine(
    url: str,
    *,
    pool_size: int = 5,
    poolclass: type[sa.Pool] | None = None,
    session_options: str = "",
) -> sa.Engine:
    """An engine on the ledger database at `url`, UTC sessions, pre-pinged.

    `session_options` are PostgreSQL's, in the form `-c name=value`, and win over ours.
    """
    parsed = sa.make_url(url)
    if parsed.drivername in ("postgresql", "postgres"):
        parsed = parsed.set(drivername="postgresql+psycopg2")
    given = parsed.query.get("options", "")
    options = [_SESSION_OPTIONS, *([given] if isinstance(given, str) else given), session_options]
    parsed = parsed.set(query={**parsed.query, "options": " ".join(options).strip()})
    pool: dict[str, Any] = {"pool_size": pool_size, "max_overflow": 10, "pool_pre_ping": True}
    if poolclass is not None:
        pool = {"poolclass": poolclass, "pool_reset_on_return": None}
    return sa.create_engine(
        parsed,
        **pool,
        # A failed statement is logged: without the customer's data that it carried.
        hide_parameters=True,
        # Payloads are kept as QuickBooks sent them: an amount through a float could lose a cent.
        json_serializer=partial(simplejson.dumps, use_decimal=True, default=str),
        json_deserializer=partial(simplejson.loads, use_decimal=True),
    )


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
