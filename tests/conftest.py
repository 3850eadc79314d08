"""What every room's tests share: one PostgreSQL server, a fresh database, the sandbox.

The server is one per checkout and machine, used by all xdist workers and by runs that overlap;
the run that ends last stops it.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import uuid
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings
from xdist.remote import Producer
from xdist.scheduler.loadgroup import LoadGroupScheduling

from qbo_sync_dagster.sandbox import postgres
from qbo_sync_dagster.sandbox.quickbooks.control import SandboxControl
from qbo_sync_dagster.sandbox.quickbooks.process import SandboxProcess

# A property says what holds, not how fast: on a busy machine either check fails for nothing.
settings.register_profile(
    "any machine", deadline=None, suppress_health_check=[HealthCheck.too_slow]
)
settings.load_profile("any machine")

FreshDatabase = Callable[..., str]

# Rooms whose tests share services that take long to start: one worker runs all of a room.
_SHARING = ("tests/dagster_daemon/", "tests/webserver/")

_CHECKOUT = Path(__file__).resolve().parents[1]
_FOLDER = Path(tempfile.gettempdir()) / f"qbo-sync-tests-{postgres.folder_key(_CHECKOUT)}" / "pg"


class _RoomByRoom(LoadGroupScheduling):
    """Tests as they come, but those of a sharing room all to one worker.

    The mark `xdist_group` would say so, too, but pytest-xdist 3.8 loses it with pytest 9.
    """

    def _split_scope(self, nodeid: str) -> str:
        return next((room for room in _SHARING if nodeid.startswith(room)), nodeid)


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Producer) -> LoadGroupScheduling:
    """How `-n` shares out the tests."""
    return _RoomByRoom(config, log)


def _users() -> Path:
    """A file per living pytest process, so that nobody stops the server under another run."""
    folder = _FOLDER.parent / "users"
    folder.mkdir(parents=True, exist_ok=True)
    return folder


def _is_alive(pid: str) -> bool:
    try:
        os.kill(int(pid), 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True


def pytest_configure(config: pytest.Config) -> None:
    """Say that this process may use the server, and that QuickBooks is the sandbox here."""
    os.environ["QBO_ALLOW_OTHER_HOSTS"] = "true"
    (_users() / str(os.getpid())).touch()


def pytest_unconfigure(config: pytest.Config) -> None:
    """Stop the server if no living pytest process is left."""
    with postgres.starting_lock(_FOLDER):
        (_users() / str(os.getpid())).unlink(missing_ok=True)
        if not any(_is_alive(entry.name) for entry in _users().iterdir()):
            postgres.stop_server(_FOLDER)


@pytest.fixture(scope="session")
def _guarded() -> Iterator[None]:
    """A process that outlives this one if it is killed, and then stops the server."""
    arguments = [str(_FOLDER), str(_users()), str(os.getpid())]
    command = [sys.executable, str(Path(__file__).with_name("postgres_guard.py")), *arguments]
    # A session of its own: what kills this process's group must not kill its guard.
    guard = subprocess.Popen(command, stdin=subprocess.PIPE, start_new_session=True)
    yield
    # Nothing is left to guard: this process stops the server itself once it ends.
    guard.kill()
    guard.communicate()


@pytest.fixture(scope="session")
def postgres_server(_guarded: None) -> postgres.EmbeddedServer:
    """The shared server; whoever comes first starts it and clears what a killed run left."""
    server = postgres.start(_FOLDER, postgres.FAST_AND_FORGETFUL)
    if server.started_here:
        for name in server.databases():
            # Another run may have attached and made its database in the meantime.
            if _is_left_over(name):
                server.drop_database(name)
    return server


def _is_left_over(name: str) -> bool:
    prefix, _, rest = name.partition("_")
    with suppress(ValueError):
        return prefix == "test" and not _is_alive(str(int(rest.partition("_")[0])))
    return False


@pytest.fixture
def fresh_database(postgres_server: postgres.EmbeddedServer) -> Iterator[FreshDatabase]:
    """`fresh_database()` gives the URL of a new empty database that ends with the test.

    `fresh_database(template="name")` copies a database instead (it must have no connections).
    """
    names: list[str] = []

    def create(template: str | None = None) -> str:
        names.append(f"test_{os.getpid()}_{uuid.uuid4().hex[:12]}")
        return postgres_server.create_database(names[-1], template)

    yield create
    for name in names:
        postgres_server.drop_database(name)


@pytest.fixture(scope="session")
def sandbox_process(postgres_server: postgres.EmbeddedServer) -> Iterator[SandboxProcess]:
    """A sandbox QuickBooks over HTTP, one per worker, over its own database."""
    name = f"test_{os.getpid()}_sandbox"
    with SandboxProcess(postgres_server.create_database(name)) as process:
        yield process
    postgres_server.drop_database(name)


@pytest.fixture
def sandbox(sandbox_process: SandboxProcess) -> Iterator[SandboxControl]:
    """The sandbox's remote control. Make a company per test: `sandbox.create_realm()`.

    The clock is back at real time afterwards, and no fault rule is left.
    """
    yield sandbox_process.control
    sandbox_process.control.reset_clock()
    sandbox_process.control.clear_faults()
