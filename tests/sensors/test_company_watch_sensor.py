"""What no cycle can see: new companies, silence, dead runs, and the overview of all of them."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import TYPE_CHECKING

import dagster as dg
import pytest
import sqlalchemy as sa

from qbo_sync_dagster.ledger import connections, cycles
from qbo_sync_dagster.partitions import PARTITIONS_NAME
from qbo_sync_dagster.resources import SyncEngineResource
from sensors.company_watch_sensor import company_watch_sensor

if TYPE_CHECKING:
    from tests.dagster_ledger import Ledger
    from tests.sensors.conftest import AddRun

Tick = Callable[..., dg.SensorResult]


@pytest.fixture
def tick(instance: dg.DagsterInstance) -> Tick:
    """`tick(cursor)` evaluates the sensor once."""

    def evaluate(cursor: str | None = None) -> dg.SensorResult:
        context = dg.build_sensor_context(
            instance=instance,
            cursor=cursor,
            resources={"sync_engine": SyncEngineResource()},
        )
        result = company_watch_sensor(context)
        assert isinstance(result, dg.SensorResult)
        return result

    return evaluate


def _freshness(result: dg.SensorResult) -> list[tuple[str | None, bool]]:
    return [
        (event.partition, event.passed)
        for event in result.asset_events
        if isinstance(event, dg.AssetCheckEvaluation)
        and event.asset_key == dg.AssetKey("sync_health")
    ]


def _overviews(result: dg.SensorResult) -> list[dg.AssetMaterialization]:
    return [event for event in result.asset_events if isinstance(event, dg.AssetMaterialization)]


def _age_cursor(ledger: Ledger, realm: str, span: str) -> None:
    with ledger.engine.begin() as connection:
        past = sa.text(f"ledger_now() - interval '{span}'")
        connections.update(connection, realm, cursor=past)


def test_a_new_company_gets_its_partition_once(
    ledger: Ledger, instance: dg.DagsterInstance, tick: Tick
) -> None:
    company = ledger.connect("1")

    (added,) = tick().dynamic_partitions_requests or []
    instance.add_dynamic_partitions(PARTITIONS_NAME, [company.company])

    assert added.partition_keys == [company.company]
    assert tick().dynamic_partitions_requests == []


def test_a_disconnected_company_keeps_its_partition(
    ledger: Ledger, instance: dg.DagsterInstance, tick: Tick
) -> None:
    company = ledger.connect("1", state="disconnected")
    instance.add_dynamic_partitions(PARTITIONS_NAME, [company.company])

    assert tick().dynamic_partitions_requests == []


def test_a_forgotten_company_loses_its_partition_and_the_others_keep_theirs(
    ledger: Ledger, instance: dg.DagsterInstance, tick: Tick
) -> None:
    company = ledger.connect("1")
    instance.add_dynamic_partitions(PARTITIONS_NAME, [company.company, "birch-2"])

    (deleted,) = tick().dynamic_partitions_requests or []

    assert isinstance(deleted, dg.DeleteDynamicPartitionsRequest)
    assert deleted.partition_keys == ["birch-2"]


def test_freshness_is_told_when_it_changes_and_not_in_between(ledger: Ledger, tick: Tick) -> None:
    company = ledger.connect("1")
    first = tick()
    second = tick(first.cursor)
    _age_cursor(ledger, "1", "2 hours")
    third = tick(second.cursor)
    fourth = tick(third.cursor)

    assert _freshness(first) == [(company.company, True)]
    assert _freshness(second) == []
    assert _freshness(third) == [(company.company, False)]
    assert _freshness(fourth) == []


def test_one_silent_company_is_told_although_another_one_is_busy(
    ledger: Ledger, tick: Tick
) -> None:
    ledger.connect("1", "Alder")
    silent = ledger.connect("2", "Birch")
    before = tick()
    _age_cursor(ledger, "2", "2 hours")

    assert _freshness(tick(before.cursor)) == [(silent.company, False)]


def test_freshness_can_be_told_again_and_again_without_a_run(
    ledger: Ledger, tick: Tick, instance: dg.DagsterInstance
) -> None:
    ledger.connect("1")
    cursor = None
    for span in ("0 seconds", "2 hours", "0 seconds"):
        _age_cursor(ledger, "1", span)
        result = tick(cursor)
        cursor = result.cursor
        for event in result.asset_events:
            instance.report_runless_asset_event(event)

    history = instance.event_log_storage.get_asset_check_execution_history(
        dg.AssetCheckKey(dg.AssetKey("sync_health"), "freshness"), limit=10
    )
    assert [record.status.value for record in history] == ["SUCCEEDED"]


def test_the_overview_is_refreshed_when_a_cycle_closes_and_not_in_between(
    ledger: Ledger, tick: Tick
) -> None:
    company = ledger.connect("1")
    first = tick()
    quiet = tick(first.cursor)
    running = ledger.begin_cycle(company)
    begun = tick(quiet.cursor)
    ledger.close_cycle(running)
    closed = tick(begun.cursor)

    assert [len(_overviews(each)) for each in (first, quiet, begun, closed)] == [1, 0, 0, 1]


@pytest.mark.parametrize("status", [dg.DagsterRunStatus.FAILURE, dg.DagsterRunStatus.CANCELED])
def test_a_cycle_whose_run_died_is_recorded_as_died(
    ledger: Ledger, tick: Tick, add_run: AddRun, status: dg.DagsterRunStatus
) -> None:
    company = ledger.connect("1")
    ledger.begin_cycle(company, run_id=add_run(status, {}))

    tick()

    with ledger.engine.connect() as connection:
        cycle = cycles.latest(connection, "1")
    assert cycle is not None
    assert cycle.outcome == "died"
    assert isinstance(cycle.finished_at, datetime)


@pytest.mark.parametrize("run_id", ["started", None, "started from the command line"])
def test_a_cycle_that_may_still_run_is_left_alone(
    ledger: Ledger, tick: Tick, add_run: AddRun, run_id: str | None
) -> None:
    company = ledger.connect("1")
    known = add_run(dg.DagsterRunStatus.STARTED, {}) if run_id == "started" else run_id
    ledger.begin_cycle(company, run_id=known)

    tick()

    with ledger.engine.connect() as connection:
        cycle = cycles.latest(connection, "1")
    assert cycle is not None
    assert cycle.outcome == "running"


@pytest.mark.parametrize("cursor", ["", "not json", "[]", '{"freshness": 3}', "null"])
def test_a_damaged_cursor_only_means_that_all_is_told_again(
    ledger: Ledger, tick: Tick, cursor: str
) -> None:
    company = ledger.connect("1")

    assert _freshness(tick(cursor)) == [(company.company, True)]


def test_a_ledger_that_can_not_be_read_fails_the_tick(
    ledger: Ledger, tick: Tick, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("QBO_SYNC_DATABASE_URL", "postgresql://nobody@127.0.0.1:9/none")

    with pytest.raises(dg.Failure, match="can't be reached"):
        tick()
