"""What every room's tests share: one PostgreSQL server, a fresh database, the sandbox.

The server is one per checkout and machine, used by all xdist workers and by runs that overlap;
the run that ends last stops it.
"""

from __future__ import annotations

import gc
import os
import subprocess
import sys
import tempfile
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import suppress
from datetime import datetime
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
from hypothesis import HealthCheck, settings
from xdist.remote import Producer
from xdist.scheduler.loadgroup import LoadGroupScheduling

from qbo_sync_dagster.sandbox import postgres
from qbo_sync_dagster.sandbox.quickbooks.control import SandboxControl
from qbo_sync_dagster.sandbox.quickbooks.process import SandboxProcess
from tests.databases import Databases

# A property says what holds, not how fast: on a busy machine either check fails for nothing. The
# examples are the same each time, lest a change fail for what it did not do; with
# QBO_SYNC_EXPLORE set they are new ones.
settings.register_profile(
    "any machine",
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow],
    derandomize="QBO_SYNC_EXPLORE" not in os.environ,
)
settings.load_profile("any machine")

FreshDatabase = Callable[..., str]

# Tests that share what takes long to make: one worker runs all of a room, or of a file.
_SHARING = (
    "tests/dagster_daemon/",
    "tests/webserver/",
    "tests/cli/test_demo.py",
    "tests/sandbox/test_algapsa_demo.py",
    "tests/simulation/test_judge.py",
)

# One test as long as hundreds of others: begun last, it would keep one worker waiting.
_LONGEST = "tests/simulation/test_weeks.py"

_ZONES = (ZoneInfo("UTC"), ZoneInfo("America/Los_Angeles"))
# Longer than nearly all tests take.
_BEFORE_MIDNIGHT_SECONDS = 20

# No copy is so old that it needed vacuuming, and plans must not depend on when it was last done.
_SERVER_SETTINGS = {**postgres.FAST_AND_FORGETFUL, "autovacuum": "off"}

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


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """The longest test goes first; the others stay in order."""
    items.sort(key=lambda item: not item.nodeid.startswith(_LONGEST))


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
    # No test trusts a stranger, and to read the world's authorities takes 40 ms per HTTP client.
    os.environ["SSL_CERT_DIR"] = str(_users())
    os.environ.pop("SSL_CERT_FILE", None)


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_setup() -> None:
    """Begin no test right before a day does, in UTC or where the companies are.

    What it does before midnight and after would be dated on two days.
    """
    for zone in _ZONES:
        now = datetime.now(zone)
        left = 86_400 - (now.hour * 3600 + now.minute * 60 + now.second)
        if left <= _BEFORE_MIDNIGHT_SECONDS:
            time.sleep(left)


def pytest_collection_finish() -> None:
    """Nothing imported goes away any more: no need to look through it for garbage each time."""
    gc.collect()
    gc.freeze()


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
    server = postgres.start(_FOLDER, _SERVER_SETTINGS)
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


@pytest.fixture(scope="session")
def databases(postgres_server: postgres.EmbeddedServer) -> Iterator[Databases]:
    """The databases of this worker, by what is in them."""
    made = Databases(postgres_server)
    yield made
    made.close()


@pytest.fixture
def fresh_database(
    postgres_server: postgres.EmbeddedServer, databases: Databases
) -> Iterator[FreshDatabase]:
    """`fresh_database()` gives the URL of a new empty database that ends with the test.

    `fresh_database("ledger")` gives one of that kind, with nothing but what it was made with.
    """
    made: list[str] = []
    lent: list[tuple[str, str]] = []

    def create(kind: str | None = None) -> str:
        if kind is None:
            made.append(f"test_{os.getpid()}_{uuid.uuid4().hex[:12]}")
            return postgres_server.create_database(made[-1])
        lent.append((kind, databases.lend(kind)))
        return postgres_server.dsn(lent[-1][1])

    yield create
    for name in made:
        postgres_server.drop_database(name)
    for kind, name in lent:
        databases.take_back(kind, name)


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
