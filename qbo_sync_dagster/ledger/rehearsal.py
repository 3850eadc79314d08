"""A ledger in which everything happens and nothing stays: one transaction that is rolled back.

What a cycle would do is found out by running it here. Every transaction of the code that runs on
it becomes a savepoint, so it reads what it wrote and can fail and go on as on the real ledger.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import sqlalchemy as sa
from sqlalchemy.pool import StaticPool

from qbo_sync_dagster.ledger.engine import create_ledger_engine

# QuickBooks is asked while the transaction is open.
_IDLE = "-c idle_in_transaction_session_timeout=180000"


@contextmanager
def rehearsed(url: str) -> Iterator[sa.Engine]:
    """An engine on the ledger at `url`; what was done with it is undone at the end.

    For one thread whose transactions end in the reverse order of their beginning.
    """
    engine = create_ledger_engine(url, poolclass=StaticPool, session_options=_IDLE)
    _Savepoints().take_over(engine)
    try:
        yield engine
    finally:
        # The pool's only connection is closed without a commit.
        engine.dispose()


class _Savepoints:
    """Stands in for the beginnings and ends of transactions on one database connection."""

    def __init__(self) -> None:
        self._open: list[str] = []
        self._count = 0

    def take_over(self, engine: sa.Engine) -> None:
        """Have the engine's transactions begin and end as savepoints."""
        engine.dialect.do_begin = self._begin  # type: ignore[method-assign]
        engine.dialect.do_commit = self._commit  # type: ignore[method-assign]
        engine.dialect.do_rollback = self._roll_back  # type: ignore[method-assign]

    def _begin(self, dbapi_connection: Any) -> None:  # noqa: ANN401 - a driver's own type
        self._count += 1
        self._open.append(f"rehearsal_{self._count}")
        self._run(dbapi_connection, f"SAVEPOINT {self._open[-1]}")

    def _commit(self, dbapi_connection: Any) -> None:  # noqa: ANN401
        if self._open:
            self._run(dbapi_connection, f"RELEASE SAVEPOINT {self._open.pop()}")

    def _roll_back(self, dbapi_connection: Any) -> None:  # noqa: ANN401
        if self._open:
            name = self._open.pop()
            self._run(dbapi_connection, f"ROLLBACK TO SAVEPOINT {name}")
            self._run(dbapi_connection, f"RELEASE SAVEPOINT {name}")

    @staticmethod
    def _run(dbapi_connection: Any, statement: str) -> None:  # noqa: ANN401
        with dbapi_connection.cursor() as cursor:
            cursor.execute(statement)
