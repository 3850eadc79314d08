"""What the assets are shown on: the shared ledger, and an instance that forgets."""

from __future__ import annotations

from collections.abc import Iterator

import dagster as dg
import pytest

from tests.dagster_ledger import ledger  # noqa: F401


@pytest.fixture
def instance() -> Iterator[dg.DagsterInstance]:
    with dg.DagsterInstance.ephemeral(settings={"telemetry": {"enabled": False}}) as instance:
        yield instance
