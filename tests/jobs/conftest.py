"""What the jobs work on: the shared ledger, and an instance whose history is in PostgreSQL."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import dagster as dg
import pytest
from dagster._core.instance.ref import InstanceRef

from tests.dagster_ledger import ledger  # noqa: F401
from tests.databases import Databases


@pytest.fixture
def postgres_instance(
    databases: Databases, fresh_database: Callable[..., str], tmp_path: Path
) -> Iterator[dg.DagsterInstance]:
    """An instance whose history is in PostgreSQL, as in production."""
    databases.know("dagster", _make_tables)
    with _instance_on(fresh_database("dagster"), str(tmp_path)) as instance:
        yield instance


def _make_tables(url: str) -> None:
    with tempfile.TemporaryDirectory() as folder, _instance_on(url, folder):
        pass


def _instance_on(url: str, folder: str) -> dg.DagsterInstance:
    settings = {
        "storage": {"postgres": {"postgres_url": url}},
        "telemetry": {"enabled": False},
        "compute_logs": {
            "module": "dagster._core.storage.noop_compute_log_manager",
            "class": "NoOpComputeLogManager",
        },
    }
    return dg.DagsterInstance.from_ref(InstanceRef.from_dir(folder, overrides=settings))
