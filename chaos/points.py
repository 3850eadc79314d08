"""The moments at which a process may die: around each commit and each call, found by watching.

Belongs here: watching every PostgreSQL connection and every HTTP call of one process, and killing
it. Does not: what is run, and what must hold afterwards. Nothing is listed by hand, so that code
written later is covered without anyone remembering.
"""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from types import FrameType
from typing import Any

import httpx
import psycopg2
import psycopg2.extensions

_ENGINE = "qbo_sync_dagster."
# Plumbing that every write passes through says nothing about where one is.
_PLUMBING = frozenset(
    {"sync.context", "sync.engine", "ledger.leases", "quickbooks.transport", "quickbooks.client"}
)
_FRAMES_SHOWN = 3
_OUTWARD = ("after POST", "after commit to algapsa", "after write to algapsa")
_ONLY_ASKED = ("query",)
_IN_TRANSACTION = psycopg2.extensions.TRANSACTION_STATUS_INTRANS
_READS = ("select", "show", "set", "with", "begin", "rollback", "savepoint", "release")


@dataclass(frozen=True, slots=True)
class Point:
    """One moment: what happens there, and where in the engine.

    `is_new` where something became durable since the point before, so that what a crash leaves
    behind differs from what a crash at that one leaves.
    """

    number: int
    event: str
    where: str
    is_new: bool

    @property
    def is_outward(self) -> bool:
        """Whether another side has moved and the ledger does not know of it yet."""
        return self.event.startswith(_OUTWARD) and not self.event.endswith(_ONLY_ASKED)

    def __str__(self) -> str:
        return f"{self.event} in {self.where}"


class Watch:
    """Numbers the moments of this process and hands each to `at`."""

    def __init__(self, at: Callable[[Point], None]) -> None:
        self._at = at
        self._number = 0
        self._has_changed = True

    def before(self, event: str) -> None:
        """Something is about to become durable."""
        self._pass(f"before {event}")

    def after(self, event: str, *, changed: bool = True) -> None:
        """It is durable now; not `changed` where nothing but a lock was held."""
        self._has_changed = self._has_changed or changed
        self._pass(f"after {event}")

    def _pass(self, event: str) -> None:
        self._number += 1
        point = Point(self._number, event, _where(), self._has_changed)
        self._has_changed = False
        self._at(point)


def kill_here() -> None:
    """End this process as a power cut would: nothing is tidied up, no exception passes."""
    os.kill(os.getpid(), signal.SIGKILL)
    raise AssertionError("unreachable")


def watch_this_process(watch: Watch) -> None:
    """From now on each commit and each HTTP call of this process passes `watch`.

    For a process that ends afterwards: nothing takes the watching off again.
    """
    _watch_connections(watch)
    _watch_calls(watch)


def _watch_connections(watch: Watch) -> None:
    class Watched(psycopg2.extensions.connection):  # type: ignore[misc]
        has_changed = False

        def commit(self) -> None:
            is_open = self.info.transaction_status == _IN_TRANSACTION
            if not (is_open and _holds_locks(self)):
                super().commit()
                return
            event = f"commit to {_database(self)}"
            watch.before(event)
            super().commit()
            changed, self.has_changed = self.has_changed, False
            watch.after(event, changed=changed)

        def rollback(self) -> None:
            self.has_changed = False
            super().rollback()

    class Cursor(psycopg2.extensions.cursor):  # type: ignore[misc]
        def execute(self, query: Any, vars: Any = None) -> None:  # noqa: A002, ANN401
            reads = _only_reads(query)
            if reads or not self.connection.autocommit:
                super().execute(query, vars)
                self.connection.has_changed |= not reads and self.rowcount != 0
                return
            event = f"write to {_database(self.connection)}"
            watch.before(event)
            super().execute(query, vars)
            watch.after(event)

        def executemany(self, query: Any, vars_list: Any) -> None:  # noqa: ANN401
            super().executemany(query, vars_list)
            self.connection.has_changed = True

    connect = psycopg2.connect

    def connect_watched(*args: Any, **options: Any) -> Any:  # noqa: ANN401
        options.setdefault("cursor_factory", Cursor)
        return connect(*args, connection_factory=Watched, **options)

    psycopg2.connect = connect_watched


def _database(connection: Any) -> str:  # noqa: ANN401  (psycopg2 has no types)
    return str(connection.info.dbname).rpartition("_")[2]


def _holds_locks(connection: Any) -> bool:  # noqa: ANN401
    """Whether the transaction changed or locked a row: only then it is given an id."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_current_xact_id_if_assigned() IS NOT NULL")
        (has_id,) = cursor.fetchone()
        return bool(has_id)


def _only_reads(query: object) -> bool:
    text = query.decode() if isinstance(query, bytes) else str(query)
    return text.lstrip().lower().startswith(_READS)


def _watch_calls(watch: Watch) -> None:
    handle = httpx.HTTPTransport.handle_request

    def handle_watched(self: httpx.HTTPTransport, request: httpx.Request) -> httpx.Response:
        event = f"{request.method} {_call(request)}"
        watch.before(event)
        response = handle(self, request)
        watch.after(event)
        return response

    httpx.HTTPTransport.handle_request = handle_watched  # type: ignore[method-assign]


def _call(request: httpx.Request) -> str:
    """The call without ids: what stands last in its path, and what is asked there."""
    parts = [part for part in request.url.path.split("/") if part and not part.isdigit()]
    operation = request.url.params.get("operation", "")
    return " ".join(filter(None, [parts[-1] if parts else "", operation]))


def _where() -> str:
    found = list(_frames())
    return " < ".join(found[:_FRAMES_SHOWN]) or "outside the engine"


def _frames() -> Iterator[str]:
    """The engine's functions from the innermost out, each once, without plumbing."""
    frame: FrameType | None = sys._getframe(1)
    last = ""
    while frame is not None:
        module = str(frame.f_globals.get("__name__", ""))
        if module.startswith(_ENGINE):
            name = module.removeprefix(_ENGINE)
            shown = f"{name.partition('.')[2] or name}.{frame.f_code.co_qualname}"
            if name not in _PLUMBING and shown != last:
                last = shown
                yield shown
        frame = frame.f_back
