"""After a cycle people are told what is new, whatever became of it, and never while it holds the
lease."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import dagster as dg
import pytest
import sqlalchemy as sa

from assets.cycle import sync_cycle_assets
from qbo_sync_dagster.ledger import leases
from qbo_sync_dagster.partitions import PARTITIONS_NAME
from qbo_sync_dagster.resources import SyncEngineResource

if TYPE_CHECKING:
    from tests.dagster_ledger import Ledger

Run = Callable[[], dg.ExecuteInProcessResult]


@pytest.fixture
def told(monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, object]]:
    """The company of each call, and who held its lease then."""
    calls: list[tuple[str, object]] = []

    def announce(ledger: sa.Engine, _cipher: object, realm: str) -> int:
        with ledger.connect() as connection:
            calls.append((realm, leases.holder_of(connection, realm)))
        return 0

    monkeypatch.setattr("qbo_sync_dagster.notifications.announcing.announce", announce)
    return calls


@pytest.fixture
def run(ledger: Ledger, instance: dg.DagsterInstance) -> Run:
    """A cycle of a company whose AlgaPSA can't be read: it fails."""
    company = ledger.connect("1", "Alder")
    instance.add_dynamic_partitions(PARTITIONS_NAME, [company.company])
    return lambda: dg.materialize(
        [sync_cycle_assets],
        partition_key=company.company,
        instance=instance,
        resources={"sync_engine": SyncEngineResource()},
        raise_on_error=False,
    )


def test_people_are_told_after_a_failed_cycle_gave_its_lease_back(
    run: Run, told: list[tuple[str, object]]
) -> None:
    assert not run().success

    assert told == [("1", None)]


def test_nobody_is_told_by_a_cycle_that_was_skipped(
    run: Run, told: list[tuple[str, object]], ledger: Ledger
) -> None:
    assert leases.take(ledger.engine, "1", "another run") is not None

    assert run().success

    assert told == []
