"""Sync Now: one run per request at a time, again when that run ended without a cycle."""

from __future__ import annotations

from typing import TYPE_CHECKING

import dagster as dg
import pytest

from qbo_sync_dagster.partitions import PARTITIONS_NAME
from qbo_sync_dagster.resources import SyncEngineResource
from sensors.sync_now_sensor import sync_now_sensor

if TYPE_CHECKING:
    from tests.dagster_ledger import Ledger
    from tests.sensors.conftest import AddRun


def _tick(instance: dg.DagsterInstance) -> dg.SensorResult | dg.SkipReason:
    context = dg.build_sensor_context(
        instance=instance,
        resources={"sync_engine": SyncEngineResource()},
    )
    return sync_now_sensor(context)  # type: ignore[return-value]


def _keys(result: dg.SensorResult | dg.SkipReason) -> list[str | None]:
    assert isinstance(result, dg.SensorResult)
    return [request.run_key for request in result.run_requests or []]


def test_no_request_starts_nothing(ledger: Ledger, instance: dg.DagsterInstance) -> None:
    ledger.connect("1")

    assert isinstance(_tick(instance), dg.SkipReason)


def test_a_request_starts_a_run_ahead_of_scheduled_ones_even_with_auto_sync_off(
    ledger: Ledger, instance: dg.DagsterInstance
) -> None:
    company = ledger.connect("1", auto_sync=False)
    instance.add_dynamic_partitions(PARTITIONS_NAME, [company.company])
    number = ledger.request("1")

    result = _tick(instance)

    assert isinstance(result, dg.SensorResult)
    (request,) = result.run_requests or []
    assert request.run_key == f"{number}:0"
    assert request.partition_key == company.company
    assert request.tags["dagster/priority"] == "10"


def test_two_requests_of_one_company_start_one_run(
    ledger: Ledger, instance: dg.DagsterInstance
) -> None:
    company = ledger.connect("1")
    instance.add_dynamic_partitions(PARTITIONS_NAME, [company.company])
    ledger.request("1")
    newest = ledger.request("1")

    assert _keys(_tick(instance)) == [f"{newest}:0"]


def test_while_its_run_is_under_way_the_key_stays(
    ledger: Ledger, instance: dg.DagsterInstance, add_run: AddRun
) -> None:
    company = ledger.connect("1")
    instance.add_dynamic_partitions(PARTITIONS_NAME, [company.company])
    number = ledger.request("1")
    add_run(dg.DagsterRunStatus.STARTED, {"qbo_sync/request": str(number)})

    assert _keys(_tick(instance)) == [f"{number}:0"]


@pytest.mark.parametrize("status", [dg.DagsterRunStatus.FAILURE, dg.DagsterRunStatus.SUCCESS])
def test_a_run_that_ended_without_a_cycle_is_followed_by_another(
    ledger: Ledger,
    instance: dg.DagsterInstance,
    add_run: AddRun,
    status: dg.DagsterRunStatus,
) -> None:
    company = ledger.connect("1")
    instance.add_dynamic_partitions(PARTITIONS_NAME, [company.company])
    number = ledger.request("1")
    add_run(status, {"qbo_sync/request": str(number)})

    assert _keys(_tick(instance)) == [f"{number}:1"]


def test_a_fulfilled_request_starts_nothing_more(
    ledger: Ledger, instance: dg.DagsterInstance
) -> None:
    company = ledger.connect("1")
    ledger.request("1")
    ledger.close_cycle(ledger.begin_cycle(company))

    assert isinstance(_tick(instance), dg.SkipReason)


def test_a_company_connected_a_moment_ago_is_registered_and_run_in_one_tick(
    ledger: Ledger, instance: dg.DagsterInstance
) -> None:
    company = ledger.connect("1")
    ledger.request("1")

    result = _tick(instance)

    assert isinstance(result, dg.SensorResult)
    (added,) = result.dynamic_partitions_requests or []
    assert added.partition_keys == [company.company]


def test_a_disconnected_company_is_not_run(ledger: Ledger, instance: dg.DagsterInstance) -> None:
    ledger.connect("1", state="disconnected")
    ledger.request("1")

    assert isinstance(_tick(instance), dg.SkipReason)


def test_a_ledger_that_is_not_migrated_fails_the_tick_with_the_cure(
    ledger: Ledger,
    instance: dg.DagsterInstance,
    fresh_database: object,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("QBO_SYNC_DATABASE_URL", fresh_database())  # type: ignore[operator]

    with pytest.raises(dg.Failure, match="qbo-sync migrate"):
        _tick(instance)
