"""Pruning: what is old goes, what a company still shows stays."""

# Dagster reads the type of `context` itself, so annotations here are not put off.

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import dagster as dg
import pytest
import sqlalchemy as sa

from qbo_sync_dagster.jobs.dagster_storage import (
    forget_runless_check,
    prune_check_results,
    prune_operational_events,
    prune_runless_events,
)
from qbo_sync_dagster.jobs.prune_history import prune_history, prune_runs
from qbo_sync_dagster.ledger.tables import cycles
from qbo_sync_dagster.partitions import PARTITIONS_NAME, realm_check, realm_partitions
from qbo_sync_dagster.resources import SyncEngineResource

if TYPE_CHECKING:
    from tests.dagster_ledger import Ledger

ALDER, BIRCH = "alder-1", "birch-2"
HEALTH = dg.AssetKey("sync_health")
FRESHNESS = dg.AssetCheckKey(HEALTH, "freshness")


@dg.multi_asset(
    specs=[dg.AssetSpec("sync_health", skippable=True)],
    partitions_def=realm_partitions,
    check_specs=[realm_check("freshness", asset="sync_health", description="Fresh.")],
)
def _cycle(
    context: dg.AssetExecutionContext,
) -> Iterator[dg.MaterializeResult[None] | dg.AssetCheckResult]:
    if not context.run.tags.get("skips"):
        yield dg.MaterializeResult(asset_key="sync_health")
    yield dg.AssetCheckResult(asset_key="sync_health", check_name="freshness", passed=True)


def _run(instance: dg.DagsterInstance, company: str, **tags: str) -> str:
    return dg.materialize([_cycle], instance=instance, partition_key=company, tags=tags).run_id


def _far_ahead() -> datetime:
    """Everything recorded so far is older than this."""
    return datetime.now(UTC) + timedelta(days=1)


@pytest.fixture
def history(postgres_instance: dg.DagsterInstance) -> dg.DagsterInstance:
    postgres_instance.add_dynamic_partitions(PARTITIONS_NAME, [ALDER, BIRCH])
    return postgres_instance


def test_old_runs_go_and_the_newest_of_each_company_stays(history: dg.DagsterInstance) -> None:
    old = [_run(history, ALDER), _run(history, ALDER), _run(history, BIRCH)]
    newest = [_run(history, ALDER), _run(history, BIRCH)]

    assert prune_runs(history, _far_ahead()) == len(old)
    assert {run.run_id for run in history.get_runs()} == set(newest)
    assert history.get_materialized_partitions(HEALTH) == {ALDER, BIRCH}


def test_the_run_that_holds_a_companys_newest_result_stays_behind_newer_runs_without_one(
    history: dg.DagsterInstance,
) -> None:
    shown = _run(history, ALDER)
    skipped = [_run(history, ALDER, skips="yes") for _ in range(3)]

    prune_runs(history, _far_ahead())

    assert {run.run_id for run in history.get_runs()} == {shown, skipped[-1]}
    assert history.get_materialized_partitions(HEALTH) == {ALDER}


def test_runs_younger_than_the_limit_stay(history: dg.DagsterInstance) -> None:
    runs = {_run(history, ALDER) for _ in range(3)}

    assert prune_runs(history, datetime.now(UTC) - timedelta(days=30)) == 0
    assert {run.run_id for run in history.get_runs()} == runs


def test_old_log_lines_go_and_what_the_pages_show_stays(history: dg.DagsterInstance) -> None:
    run_id = _run(history, ALDER)
    before = len(history.all_logs(run_id))

    deleted = prune_operational_events(history, _far_ahead())

    left = {
        event.dagster_event_type for event in history.all_logs(run_id) if event.dagster_event_type
    }
    assert deleted == before - len(history.all_logs(run_id))
    assert deleted > 0
    assert left == {
        dg.DagsterEventType.RUN_START,
        dg.DagsterEventType.RUN_SUCCESS,
        dg.DagsterEventType.ASSET_MATERIALIZATION,
        dg.DagsterEventType.ASSET_CHECK_EVALUATION,
    }
    assert history.get_materialized_partitions(HEALTH) == {ALDER}


def test_recent_log_lines_stay(history: dg.DagsterInstance) -> None:
    _run(history, ALDER)

    assert prune_operational_events(history, datetime.now(UTC) - timedelta(days=7)) == 0


def test_events_without_a_run_are_kept_up_to_a_number(history: dg.DagsterInstance) -> None:
    for _ in range(15):
        history.report_runless_asset_event(dg.AssetMaterialization("companies"))
    _run(history, ALDER)

    assert prune_runless_events(history, 10) == 5
    assert history.get_latest_materialization_event(dg.AssetKey("companies")) is not None
    assert prune_runless_events(history, 10) == 0


def test_the_newest_event_without_a_run_of_a_quiet_company_stays(
    history: dg.DagsterInstance,
) -> None:
    status = dg.AssetKey("invoice_sync_status")
    for company in (BIRCH, BIRCH, *[ALDER] * 12):
        history.report_runless_asset_event(dg.AssetMaterialization(status, partition=company))

    assert prune_runless_events(history, 10) == 3
    assert history.get_materialized_partitions(status) == {ALDER, BIRCH}


def test_old_check_results_go_and_the_newest_of_each_company_stays(
    history: dg.DagsterInstance,
) -> None:
    for company in (ALDER, ALDER, ALDER, BIRCH):
        _run(history, company)

    assert prune_check_results(history, _far_ahead(), keep=10) == 2
    left = history.event_log_storage.get_asset_check_execution_history(FRESHNESS, limit=10)
    assert sorted(str(record.partition) for record in left) == [ALDER, BIRCH]


def test_a_second_result_without_a_run_is_stored_for_the_same_company(
    history: dg.DagsterInstance,
) -> None:
    for passed in (True, False, True):
        told = dg.AssetCheckEvaluation(
            asset_key=HEALTH, check_name="freshness", passed=passed, partition=ALDER
        )
        forget_runless_check(history, told)
        history.report_runless_asset_event(told)

    (left,) = history.event_log_storage.get_asset_check_execution_history(FRESHNESS, limit=10)
    assert left.status.value == "SUCCEEDED"


def test_forgetting_touches_no_other_company_and_no_run(history: dg.DagsterInstance) -> None:
    _run(history, ALDER)
    other = dg.AssetCheckEvaluation(
        asset_key=HEALTH, check_name="freshness", passed=False, partition=BIRCH
    )
    history.report_runless_asset_event(other)

    forget_runless_check(
        history,
        dg.AssetCheckEvaluation(
            asset_key=HEALTH, check_name="freshness", passed=True, partition=ALDER
        ),
    )

    left = history.event_log_storage.get_asset_check_execution_history(FRESHNESS, limit=10)
    assert sorted(str(record.partition) for record in left) == [ALDER, BIRCH]


def test_the_nightly_job_prunes_the_ledger_by_its_own_clock(
    ledger: "Ledger", postgres_instance: dg.DagsterInstance
) -> None:
    company = ledger.connect("1", "Alder")
    for _ in range(3):
        ledger.close_cycle(ledger.begin_cycle(company))
    with ledger.engine.begin() as connection:
        connection.execute(
            sa.update(cycles).values(finished_at=sa.text("ledger_now() - interval '91 days'"))
        )

    result = prune_history.execute_in_process(
        instance=postgres_instance, resources={"sync_engine": SyncEngineResource()}
    )

    assert result.success
    with ledger.engine.connect() as connection:
        left = connection.execute(sa.select(sa.func.count()).select_from(cycles)).scalar_one()
    assert left == 1


@pytest.mark.parametrize("limits", [{"run_days": 0}, {"event_days": -1}, {"runless_events": 1}])
def test_limits_that_would_delete_too_much_are_refused(limits: dict[str, int]) -> None:
    result = prune_history.execute_in_process(
        run_config={"ops": {"prune": {"config": limits}}},
        resources={"sync_engine": SyncEngineResource()},
        raise_on_error=False,
    )

    (failure,) = result.get_step_failure_events()
    assert "greater than or equal to" in failure.step_failure_data.error_display_string
