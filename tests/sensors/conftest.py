"""What the sensors look at: the shared ledger, and an instance that forgets."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import dagster as dg
import pytest
from dagster._core.remote_origin import (
    InProcessCodeLocationOrigin,
    RemoteJobOrigin,
    RemoteRepositoryOrigin,
)
from dagster._core.types.loadable_target_origin import LoadableTargetOrigin
from dagster._core.utils import make_new_run_id

from tests.dagster_ledger import ledger  # noqa: F401


@pytest.fixture
def instance() -> Iterator[dg.DagsterInstance]:
    with dg.DagsterInstance.ephemeral(settings={"telemetry": {"enabled": False}}) as instance:
        yield instance


AddRun = Callable[[dg.DagsterRunStatus, dict[str, str]], str]


@pytest.fixture
def add_run(instance: dg.DagsterInstance) -> AddRun:
    """`add_run(status, tags)` records a run of the cycle; returns its id."""
    code = InProcessCodeLocationOrigin(LoadableTargetOrigin(module_name="not loaded"))
    origin = RemoteJobOrigin(RemoteRepositoryOrigin(code, "__repository__"), "sync_cycle")

    def add(status: dg.DagsterRunStatus, tags: dict[str, str]) -> str:
        run_id = make_new_run_id()
        queued = dg.DagsterRun(
            job_name="sync_cycle",
            run_id=run_id,
            status=status,
            tags=tags,
            remote_job_origin=origin,
        )
        instance.add_run(queued)
        return run_id

    return add
