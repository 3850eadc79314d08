"""Onboarding, preview, one invoice and batches as staff start them in Dagster."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import dagster as dg
import pytest

from qbo_sync_dagster.definitions import build_definitions
from qbo_sync_dagster.ledger import connections
from qbo_sync_dagster.panels.markdown import escape

from .conftest import SECRET_KEY


@pytest.fixture
def instance() -> Iterator[dg.DagsterInstance]:
    with dg.DagsterInstance.ephemeral(settings={"telemetry": {"enabled": False}}) as instance:
        yield instance


@pytest.fixture
def dagster(world, instance: dg.DagsterInstance, monkeypatch: pytest.MonkeyPatch):  # noqa: ANN201
    """Runs jobs and assets on the world, from its settings."""
    config = world.engine.config
    monkeypatch.setenv("QBO_SYNC_DATABASE_URL", config.ledger_url)
    monkeypatch.setenv("ALGAPSA_DATABASE_URL", config.algapsa_url)
    monkeypatch.setenv("QBO_SYNC_SECRET_KEY", SECRET_KEY)
    monkeypatch.setenv("QBO_CLIENT_ID", config.quickbooks.client_id)
    monkeypatch.setenv("QBO_CLIENT_SECRET", config.quickbooks.client_secret)
    monkeypatch.setenv("QBO_API_BASE_URL", config.quickbooks.api_base_url)
    monkeypatch.setenv("QBO_OAUTH_TOKEN_URL", config.quickbooks.token_url)
    return _Dagster(world, instance)


class _Dagster:
    def __init__(self, world, instance: dg.DagsterInstance) -> None:
        self._definitions = build_definitions()
        self._instance = instance
        self._realm = world.company.realm
        with world.engine.ledger.connect() as connection:
            self._key = connections.get(connection, self._realm).company

    def job(self, name: str, **config: Any) -> dg.ExecuteInProcessResult:
        job = self._definitions.get_job_def(name)
        return job.execute_in_process(
            run_config={"ops": {f"{name}_op": {"config": {"company": self._realm, **config}}}},
            instance=self._instance,
            raise_on_error=False,
        )

    def show(self, asset: str) -> dict[str, Any]:
        return {name: value.value for name, value in self.metadata(asset).items()}

    def metadata(self, asset: str) -> dict[str, Any]:
        self._instance.add_dynamic_partitions("realm", [self._key])
        result = dg.materialize(
            [self._asset(asset)],
            instance=self._instance,
            partition_key=self._key,
            resources=self._definitions.resources,
        )
        [shown] = result.asset_materializations_for_node(asset)
        return dict(shown.metadata)

    def cycle(self) -> dg.ExecuteInProcessResult:
        self._instance.add_dynamic_partitions("realm", [self._key])
        return dg.materialize(
            [self._asset("sync_health")],
            instance=self._instance,
            partition_key=self._key,
            resources=self._definitions.resources,
        )

    def _asset(self, name: str) -> dg.AssetsDefinition:
        return self._definitions.get_assets_def(name)


def test_a_preview_shows_the_plan_and_does_nothing(world, dagster) -> None:
    invoice = world.invoice()

    result = dagster.job("preview_cycle")

    [output] = [event for event in result.all_node_events if event.is_successful_output]
    metadata = output.step_output_data.metadata
    assert metadata["effects"].value > 0
    assert escape(invoice.number) in metadata["open_this"].value
    assert len(metadata["digest"].value) == 64
    assert world.in_quickbooks(invoice) == []


def test_one_invoice_is_exported_and_its_state_shown(world, dagster) -> None:
    invoice = world.invoice()
    assert dagster.show("invoice_sync_status")["not_synced"] == 1

    assert dagster.job("sync_invoice", invoice=invoice.number).success

    assert len(world.in_quickbooks(invoice)) == 1
    assert dagster.show("invoice_sync_status")["synced"] == 1


def test_an_invoice_that_is_not_there_fails_in_a_sentence(dagster) -> None:
    result = dagster.job("sync_invoice", invoice="INV-404")

    [failure] = [event for event in result.all_node_events if event.is_step_failure]
    told = failure.event_specific_data.user_failure_data.description
    assert "no finalized invoice INV-404" in told


def test_a_batch_is_previewed_then_sent(world, dagster) -> None:
    invoice = world.invoice()

    preview = dagster.job("export_batch", numbers=[invoice.number])
    [output] = [event for event in preview.all_node_events if event.is_successful_output]
    metadata = output.step_output_data.metadata
    [shown] = metadata["invoices"].records
    assert (shown.data["invoice"], shown.data["problems"]) == (invoice.number, "none")
    assert (metadata["ready"].value, metadata["with_problems"].value) == (1, 0)
    assert world.operations() == {}
    assert dagster.job("export_batch", numbers=[invoice.number], run="send").success
    world.cycle()

    assert len(world.in_quickbooks(invoice)) == 1


def test_clients_and_booked_invoices_are_shown_and_linked(world, dagster) -> None:
    world.in_ledger("DELETE FROM links WHERE kind = 'client'")
    booked = world.history()
    assert dagster.show("client_matches")["exact"] == 3

    assert dagster.job("link_clients").success
    assert dagster.show("client_matches")["linked"] == 3
    assert dagster.show("booked_invoices")["matched"] == 1
    assert dagster.job("link_booked_invoices").success

    assert list(world.links()) == [booked.invoice_id]
    assert dagster.show("product_mappings")["not_mapped"] == 0


def test_onboarding_done_again_in_dagster_changes_nothing(world, dagster) -> None:
    world.in_ledger("DELETE FROM links WHERE kind = 'client'")
    world.history()
    world.history(client=1)
    everything = "SELECT kind, algapsa_id, quickbooks_id FROM links ORDER BY 1, 2"
    for job in ("link_clients", "link_booked_invoices"):
        assert dagster.job(job).success
    before, objects = world.in_ledger(everything), world.stands()
    told = world.in_ledger("SELECT count(*) FROM audit_log")

    for job in ("link_clients", "link_booked_invoices"):
        assert dagster.job(job).success

    assert world.in_ledger(everything) == before
    assert len(world.links()) == 2
    assert world.in_ledger("SELECT count(*) FROM audit_log") == told
    assert world.stands() == objects


def test_a_file_for_a_company_that_is_not_connected_is_previewed_then_written(
    world, dagster, tmp_path
) -> None:
    invoice, shown = world.invoice(), world.invoice()
    world.configure(state="disconnected")
    file = tmp_path / "june.csv"

    assert dagster.job("export_batch_csv", numbers=[invoice.number]).success
    assert world.in_ledger("SELECT count(*) FROM export_batches") == [(0,)]
    options = {"numbers": [invoice.number], "run": "write", "file": str(file)}
    assert dagster.job("export_batch_csv", **options).success
    result = dagster.job("export_batch_csv", numbers=[shown.number], run="write")

    assert invoice.number in file.read_text()
    [output] = [event for event in result.all_node_events if event.is_successful_output]
    assert shown.number in output.step_output_data.metadata["csv"].value
