"""The quarter-hour tick: one run per company that is due, and never a silent empty list."""

from __future__ import annotations

from typing import TYPE_CHECKING

import dagster as dg
import pytest

from qbo_sync_dagster.partitions import PARTITIONS_NAME
from qbo_sync_dagster.resources import SyncEngineResource
from sensors.sync_cycle_schedule import cycles_to_start

if TYPE_CHECKING:
    from tests.dagster_ledger import Ledger
    from tests.sensors.conftest import AddRun


def _tick(instance: dg.DagsterInstance) -> list[dg.RunRequest] | dg.SkipReason:
    return cycles_to_start(instance, SyncEngineResource())


def test_each_due_company_gets_one_run(ledger: Ledger, instance: dg.DagsterInstance) -> None:
    alder, birch = ledger.connect("1", "Alder"), ledger.connect("2", "Birch")
    ledger.connect("3", "Cedar", auto_sync=False)
    instance.add_dynamic_partitions(PARTITIONS_NAME, [alder.company, birch.company, "cedar-3"])

    requests = _tick(instance)

    assert isinstance(requests, list)
    assert [request.partition_key for request in requests] == [alder.company, birch.company]


@pytest.mark.parametrize(
    "status",
    [
        dg.DagsterRunStatus.QUEUED,
        dg.DagsterRunStatus.STARTING,
        dg.DagsterRunStatus.STARTED,
        dg.DagsterRunStatus.CANCELING,
    ],
)
def test_a_company_whose_last_round_still_runs_is_left_out(
    ledger: Ledger,
    instance: dg.DagsterInstance,
    add_run: AddRun,
    status: dg.DagsterRunStatus,
) -> None:
    alder, birch = ledger.connect("1", "Alder"), ledger.connect("2", "Birch")
    instance.add_dynamic_partitions(PARTITIONS_NAME, [alder.company, birch.company])
    add_run(status, {"dagster/partition": alder.company})

    requests = _tick(instance)

    assert isinstance(requests, list)
    assert [request.partition_key for request in requests] == [birch.company]


@pytest.mark.parametrize(
    "status",
    [
        dg.DagsterRunStatus.SUCCESS,
        dg.DagsterRunStatus.FAILURE,
        dg.DagsterRunStatus.CANCELED,
        dg.DagsterRunStatus.NOT_STARTED,
    ],
)
def test_a_round_that_ended_or_never_began_does_not_hold_up_the_next(
    ledger: Ledger,
    instance: dg.DagsterInstance,
    add_run: AddRun,
    status: dg.DagsterRunStatus,
) -> None:
    alder = ledger.connect("1", "Alder")
    instance.add_dynamic_partitions(PARTITIONS_NAME, [alder.company])
    add_run(status, {"dagster/partition": alder.company})

    assert isinstance(_tick(instance), list)


def test_a_company_that_is_not_registered_yet_does_not_fail_the_tick(
    ledger: Ledger, instance: dg.DagsterInstance
) -> None:
    ledger.connect("1", "Alder")

    assert isinstance(_tick(instance), dg.SkipReason)


def test_a_ledger_that_can_not_be_read_fails_the_tick(
    ledger: Ledger, instance: dg.DagsterInstance, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("QBO_SYNC_DATABASE_URL", "postgresql://nobody@127.0.0.1:9/none")

    with pytest.raises(dg.Failure, match="can't be reached"):
        _tick(instance)


def test_a_missing_setting_fails_the_tick_with_its_name(
    ledger: Ledger, instance: dg.DagsterInstance, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("QBO_SYNC_DATABASE_URL")

    with pytest.raises(dg.Failure, match="QBO_SYNC_DATABASE_URL is not set"):
        _tick(instance)
