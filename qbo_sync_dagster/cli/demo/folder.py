"""The data folder of a demo: its lock, its key, and the world that was built in it."""

from __future__ import annotations

import fcntl
import json
import os
import shlex
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, replace
from datetime import date, datetime
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

from cryptography.fernet import Fernet

from qbo_sync_dagster.cli.errors import CommandError
from qbo_sync_dagster.sandbox.demo import TIME_ZONE, DemoCompany, DemoWorld
from qbo_sync_dagster.sandbox.postgres import default_folder

CHECKOUT = Path(__file__).resolve().parents[3]


def data_folder(purpose: str) -> Path:
    """A folder for one purpose (`demo`, `sandbox`) of this checkout, made if it is not there."""
    folder = default_folder(CHECKOUT).expanduser().resolve() / purpose
    if " " in str(folder):
        raise CommandError(
            f"The data folder {folder} has a space in its path, which PostgreSQL cannot take. "
            "Set QBO_SYNC_DATA to a folder without one."
        )
    folder.mkdir(parents=True, exist_ok=True)
    return folder


@contextmanager
def only_one(folder: Path, name: str) -> Iterator[None]:
    """Hold the folder for this process. Raises CommandError if another process holds it."""
    with (folder / "lock").open("a+") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            lock.seek(0)
            holder = lock.read().strip()
            raise CommandError(
                f"The {name} runs already{f' (process {holder})' if holder else ''}, with its data "
                f"in {folder}. End that one first, or set QBO_SYNC_DATA to another folder."
            ) from error
        lock.seek(0)
        lock.truncate()
        lock.write(f"{os.getpid()}\n")
        lock.flush()
        yield


def secret_key(folder: Path) -> str:
    """The key that encrypts the demo's tokens; made once, readable by its owner only."""
    path = folder / "secret.key"
    if not path.exists():
        handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(handle, "w") as file:
            file.write(Fernet.generate_key().decode())
    return path.read_text().strip()


def write_settings(folder: Path, environment: Mapping[str, str]) -> Path:
    """A file for a shell to read (`. FILE`), after which any command talks to the demo."""
    path = folder / "settings.sh"
    path.touch(mode=0o600)
    lines = [f"export {name}={shlex.quote(value)}" for name, value in environment.items()]
    path.write_text("\n".join([*lines, ""]))
    return path


def today() -> date:
    """Today where the demo's provider is."""
    return datetime.now(ZoneInfo(TIME_ZONE)).date()


def remembered_world(folder: Path) -> DemoWorld | None:
    """The world built in this folder; None if none was finished, or by another version."""
    path = folder / "world.json"
    if not path.exists() or not (folder / "postgres").exists():
        return None
    try:
        return _world(json.loads(path.read_text()))
    except (ValueError, TypeError, KeyError):
        return None


def remember_world(folder: Path, world: DemoWorld) -> None:
    """Note that the world stands; before that a start builds it anew."""
    unfinished = folder / "world.json.new"
    unfinished.write_text(json.dumps(asdict(world), default=_as_json))
    unfinished.replace(folder / "world.json")


def _as_json(value: object) -> object:
    return sorted(value) if isinstance(value, frozenset) else str(value)


def _world(stored: dict[str, Any]) -> DemoWorld:
    world = DemoWorld(**stored)
    return replace(
        world,
        today=today(),
        companies=tuple(_company(each) for each in stored["companies"]),
        pending_homes=tuple(stored["pending_homes"]),
        connected_at=datetime.fromisoformat(stored["connected_at"]),
    )


def _company(stored: dict[str, Any]) -> DemoCompany:
    links = tuple((kind, ours, theirs) for kind, ours, theirs in stored["links"])
    values = {
        **stored,
        "go_live": date.fromisoformat(stored["go_live"]),
        "links": links,
        "left_alone": frozenset(stored["left_alone"]),
    }
    return DemoCompany(**values)
