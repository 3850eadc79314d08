"""The overview of all companies, refreshed by hand or without a run."""

from __future__ import annotations

from typing import TYPE_CHECKING

import dagster as dg

from assets.companies import COMPANIES, companies, events, overview
from qbo_sync_dagster.panels.checks import Check
from qbo_sync_dagster.resources import SyncEngineResource

if TYPE_CHECKING:
    from tests.dagster_ledger import Ledger


def test_the_overview_shows_every_company_in_one_table(
    ledger: Ledger, instance: dg.DagsterInstance
) -> None:
    ledger.close_cycle(ledger.begin_cycle(ledger.connect("1", "Alder")))
    ledger.connect("2", "Birch", auto_sync=False)

    result = dg.materialize(
        [companies], instance=instance, resources={"sync_engine": SyncEngineResource()}
    )

    (event,) = result.get_asset_materialization_events()
    table = event.materialization.metadata["companies"]
    assert isinstance(table, dg.TableMetadataValue)
    assert [record.data["company"] for record in table.records] == ["Alder", "Birch"]
    cycles = [str(record.data["last cycle"]).split()[0] for record in table.records]
    assert cycles == ["succeeded", "none"]


def test_each_check_holds_over_all_companies(ledger: Ledger, instance: dg.DagsterInstance) -> None:
    ledger.close_cycle(ledger.begin_cycle(ledger.connect("1", "Alder")))
    ledger.close_cycle(ledger.begin_cycle(ledger.connect("2", "Birch")), "failed")

    result = dg.materialize(
        [companies], instance=instance, resources={"sync_engine": SyncEngineResource()}
    )

    judged = {each.check_name: each for each in result.get_asset_check_evaluations()}
    assert set(judged) == {check.value for check in Check}
    assert not judged["last_cycle"].passed
    assert "Birch" in str(judged["last_cycle"].description)
    assert "Alder" not in str(judged["last_cycle"].description)


def test_the_overview_can_be_told_without_a_run_any_number_of_times(
    ledger: Ledger, instance: dg.DagsterInstance
) -> None:
    ledger.connect("1", "Alder")

    for _ in range(3):
        with SyncEngineResource().engine() as engine:
            for event in events(overview(engine)):
                instance.report_runless_asset_event(event)

    latest = instance.get_latest_materialization_event(dg.AssetKey(COMPANIES))
    assert latest is not None
    history = instance.event_log_storage.get_asset_check_execution_history(
        dg.AssetCheckKey(dg.AssetKey(COMPANIES), "last_cycle"), limit=10
    )
    assert len(history) == 3


def test_without_companies_the_overview_says_how_to_connect_one(
    ledger: Ledger, instance: dg.DagsterInstance
) -> None:
    result = dg.materialize(
        [companies], instance=instance, resources={"sync_engine": SyncEngineResource()}
    )

    (event,) = result.get_asset_materialization_events()
    assert "qbo-sync connect" in str(event.materialization.metadata["summary"].value)
