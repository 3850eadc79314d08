"""A cycle as Dagster shows it: what is materialized, which checks stand, how the run ends."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import dagster as dg
import pytest

from assets.cycle import sync_cycle_assets, trigger
from qbo_sync_dagster.ledger import leases
from qbo_sync_dagster.panels.checks import Check
from qbo_sync_dagster.partitions import PARTITIONS_NAME
from qbo_sync_dagster.resources import SyncEngineResource
from qbo_sync_dagster.sync.engine import SyncEngine
from qbo_sync_dagster.sync.health import realm_health
from qbo_sync_dagster.sync.outcome import (
    AppliedChanges,
    CycleEnd,
    DriftReport,
    InboundChanges,
    OutboundOperations,
    Outcome,
    PostedOperations,
    Stage,
    StageOutcome,
    StageResult,
    SyncExceptions,
)

if TYPE_CHECKING:
    from tests.dagster_ledger import Ledger

Yielded = StageOutcome | CycleEnd
Run = Callable[..., dg.ExecuteInProcessResult]


@pytest.fixture
def run(ledger: Ledger, instance: dg.DagsterInstance) -> Run:
    """`run(**tags)` runs the cycle's step for a company named Alder."""
    company = ledger.connect("1", "Alder")
    instance.add_dynamic_partitions(PARTITIONS_NAME, [company.company])

    def materialize(**options: Any) -> dg.ExecuteInProcessResult:
        return dg.materialize(
            [sync_cycle_assets],
            partition_key=company.company,
            instance=instance,
            resources={"sync_engine": SyncEngineResource()},
            raise_on_error=False,
            **options,
        )

    return materialize


def _fake(
    monkeypatch: pytest.MonkeyPatch, outcome: Outcome, *stages: Stage, sentence: str = "Done."
) -> list[dict[str, object]]:
    """A cycle that runs these stages and ends so; returns what each call was given."""
    given: list[dict[str, object]] = []

    def cycle(engine: SyncEngine, realm: str, **how: object) -> Iterator[Yielded]:
        given.append({"realm": realm, **how})
        health = replace(realm_health(engine, realm), outcome=str(outcome))
        results: dict[Stage, StageResult] = {
            Stage.INBOUND_CHANGES: InboundChanges(health.cursor),
            Stage.APPLIED_CHANGES: AppliedChanges(),
            Stage.DRIFT_REPORT: DriftReport(),
            Stage.OUTBOUND_OPERATIONS: OutboundOperations(),
            Stage.POSTED_OPERATIONS: PostedOperations(),
            Stage.SYNC_EXCEPTIONS: SyncExceptions(),
            Stage.SYNC_HEALTH: health,
        }
        for stage in stages:
            yield StageOutcome(stage, results[stage], 0.1)
        yield CycleEnd(outcome, sentence, health)

    monkeypatch.setattr("qbo_sync_dagster.sync.cycle.run_cycle", cycle)
    return given


def _materialized(result: dg.ExecuteInProcessResult) -> list[str]:
    events = result.get_asset_materialization_events()
    return [event.materialization.asset_key.to_user_string() for event in events]


def _checked(result: dg.ExecuteInProcessResult) -> list[str]:
    return sorted(evaluation.check_name for evaluation in result.get_asset_check_evaluations())


def test_a_good_cycle_shows_all_seven_stages_in_order_with_all_checks(
    run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    _fake(monkeypatch, Outcome.SUCCEEDED, *Stage)

    result = run()

    assert result.success
    assert _materialized(result) == [stage.value for stage in Stage]
    assert _checked(result) == sorted(check.value for check in Check)


def test_every_stage_begins_with_the_companys_name(
    run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    _fake(monkeypatch, Outcome.SUCCEEDED, *Stage)

    for event in run().get_asset_materialization_events():
        metadata = event.materialization.metadata
        assert next(iter(metadata)) == "company"
        assert metadata["company"].value == "Alder"


def test_checks_are_recorded_for_the_company_they_are_about(
    run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    _fake(monkeypatch, Outcome.SUCCEEDED, *Stage)

    partitions = {check.partition for check in run().get_asset_check_evaluations()}

    assert partitions == {"alder-1"}


@pytest.mark.parametrize("outcome", [Outcome.FAILED, Outcome.ABORTED])
def test_a_bad_cycle_fails_its_run_in_a_sentence_after_showing_what_it_has(
    run: Run, monkeypatch: pytest.MonkeyPatch, outcome: Outcome
) -> None:
    ended = [Stage.SYNC_EXCEPTIONS, Stage.SYNC_HEALTH]
    _fake(monkeypatch, outcome, *ended, sentence="Reconnect the company.")

    result = run()

    assert not result.success
    assert _materialized(result) == [stage.value for stage in ended]
    assert _checked(result) == sorted(check.value for check in Check)
    (failure,) = result.get_step_failure_events()
    user_failure = failure.step_failure_data.user_failure_data
    assert user_failure is not None
    assert user_failure.description == "Reconnect the company."


def test_a_cycle_that_found_the_lease_held_shows_its_checks_and_succeeds(
    run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    _fake(monkeypatch, Outcome.SKIPPED)

    result = run()

    assert result.success
    assert _materialized(result) == []
    assert _checked(result) == sorted(check.value for check in Check)


@pytest.mark.parametrize(
    ("tags", "asked_by"),
    [
        ({"dagster/schedule_name": "sync_cycle_schedule"}, "schedule"),
        ({"dagster/sensor_name": "sync_now_sensor", "qbo_sync/request": "4"}, "sync now"),
        ({}, "dagster"),
    ],
)
def test_the_ledger_learns_what_asked_for_the_cycle(tags: dict[str, str], asked_by: str) -> None:
    assert trigger(tags) == asked_by


def test_the_run_holds_the_lease_under_its_own_id(
    run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    given = _fake(monkeypatch, Outcome.SKIPPED)

    result = run()

    assert given == [
        {"realm": "1", "trigger": "dagster", "run_id": result.run_id, "parent_run_id": None}
    ]


def test_a_retry_takes_over_from_a_parent_that_has_ended(
    run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    given = _fake(monkeypatch, Outcome.SKIPPED)
    parent = run().run_id

    run(tags={"dagster/parent_run_id": parent, "dagster/root_run_id": parent})

    assert given[-1]["parent_run_id"] == parent


def test_a_run_does_not_take_over_from_a_parent_nobody_knows(
    run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    given = _fake(monkeypatch, Outcome.SKIPPED)
    unknown = "3f1e7a52-6a0c-4c0e-9a11-0d8ad4bd3d10"

    run(tags={"dagster/parent_run_id": unknown, "dagster/root_run_id": unknown})

    assert given[-1]["parent_run_id"] is None


def test_a_step_that_breaks_gives_the_lease_back_at_once(
    run: Run, ledger: Ledger, monkeypatch: pytest.MonkeyPatch
) -> None:
    def cycle(engine: SyncEngine, realm: str, **how: object) -> Iterator[Yielded]:
        lease = leases.take(engine.ledger, realm, "here")
        assert lease is not None
        try:
            yield StageOutcome(Stage.SYNC_EXCEPTIONS, SyncExceptions(), 0.1)
        finally:
            leases.release(engine.ledger, lease)

    def breaks(*_: object) -> None:
        raise RuntimeError("the page can't be drawn")

    monkeypatch.setattr("qbo_sync_dagster.sync.cycle.run_cycle", cycle)
    monkeypatch.setattr("assets.cycle.stage_panel", breaks)

    assert not run().success
    with ledger.engine.connect() as connection:
        assert leases.holder_of(connection, "1") is None


def test_no_part_of_a_cycle_can_be_run_alone() -> None:
    assert sync_cycle_assets.can_subset is False


def test_a_missing_setting_ends_the_run_in_one_sentence(
    run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("QBO_CLIENT_ID")

    (failure,) = run().get_step_failure_events()

    user_failure = failure.step_failure_data.user_failure_data
    assert user_failure is not None
    assert "QBO_CLIENT_ID is not set" in str(user_failure.description)


def test_a_partition_without_a_company_ends_the_run_in_one_sentence(
    run: Run, ledger: Ledger, instance: dg.DagsterInstance
) -> None:
    instance.add_dynamic_partitions(PARTITIONS_NAME, ["gone-9"])

    result = dg.materialize(
        [sync_cycle_assets],
        partition_key="gone-9",
        instance=instance,
        resources={"sync_engine": SyncEngineResource()},
        raise_on_error=False,
    )

    (failure,) = result.get_step_failure_events()
    user_failure = failure.step_failure_data.user_failure_data
    assert user_failure is not None
    assert "No QuickBooks company 'gone-9' is connected" in str(user_failure.description)
