"""The state of each invoice is shown anew after each cycle that changed it, and only then."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import dagster as dg
import pytest

from assets.invoices import StatusSeen, status_seen
from qbo_sync_dagster.actions.connecting import CompanyToPrepare, prepare_company
from qbo_sync_dagster.ledger import connections
from qbo_sync_dagster.resources import SyncEngineResource
from sensors.invoice_status_sensor import invoice_status_sensor

from .conftest import SECRET_KEY, TIME_ZONE


@pytest.fixture
def instance() -> Iterator[dg.DagsterInstance]:
    with dg.DagsterInstance.ephemeral(settings={"telemetry": {"enabled": False}}) as instance:
        yield instance


@pytest.fixture
def watch(world, instance: dg.DagsterInstance, monkeypatch: pytest.MonkeyPatch):  # noqa: ANN201
    """The sensor on the world, with the company's partition registered."""
    config = world.engine.config
    monkeypatch.setenv("QBO_SYNC_DATABASE_URL", config.ledger_url)
    monkeypatch.setenv("ALGAPSA_DATABASE_URL", config.algapsa_url)
    monkeypatch.setenv("QBO_SYNC_SECRET_KEY", SECRET_KEY)
    monkeypatch.setenv("QBO_CLIENT_ID", config.quickbooks.client_id)
    monkeypatch.setenv("QBO_CLIENT_SECRET", config.quickbooks.client_secret)
    monkeypatch.setenv("QBO_API_BASE_URL", config.quickbooks.api_base_url)
    with world.engine.ledger.connect() as connection:
        company = connections.get(connection, world.company.realm).company
    instance.add_dynamic_partitions("realm", [company])
    return _Watch(instance)


class _Watch:
    def __init__(self, instance: dg.DagsterInstance) -> None:
        self._instance = instance
        self.cursor: str | None = None

    def tick(self) -> list[dict[str, Any]]:
        """What the sensor shows at this tick: the metadata of each materialization."""
        context = dg.build_sensor_context(
            instance=self._instance,
            cursor=self.cursor,
            resources={"sync_engine": SyncEngineResource()},
        )
        result = invoice_status_sensor(context)
        if not isinstance(result, dg.SensorResult):
            return []
        self.cursor = result.cursor
        shown = []
        for event in result.asset_events:
            assert isinstance(event, dg.AssetMaterialization)
            assert event.partition in self._instance.get_dynamic_partitions("realm")
            shown.append({name: each.value for name, each in event.metadata.items()})
        return shown


def test_after_the_cycle_that_exported_an_invoice_it_is_shown_as_synced(world, watch) -> None:
    world.invoice()
    [first] = watch.tick()
    world.cycle()
    [after] = watch.tick()

    assert (first["not_synced"], first["synced"]) == (1, 0)
    assert (after["not_synced"], after["synced"]) == (0, 1)


def test_a_cycle_that_changed_no_invoice_shows_nothing_anew(world, watch) -> None:
    world.exported()
    assert len(watch.tick()) == 1

    world.cycle()

    assert watch.tick() == []


def test_between_cycles_nothing_is_read_or_shown(world, watch, monkeypatch) -> None:
    world.exported()
    watch.tick()
    world.invoice()
    monkeypatch.setattr("sensors.invoice_status_sensor.status_seen", None)

    assert watch.tick() == []


def test_an_algapsa_that_can_not_be_read_is_looked_at_again_at_the_next_tick(
    world, watch, monkeypatch
) -> None:
    world.exported()
    with monkeypatch.context() as gone:
        gone.setenv("ALGAPSA_DATABASE_URL", "postgresql://nobody@127.0.0.1:9/none")
        assert watch.tick() == []

    [shown] = watch.tick()

    assert shown["synced"] == 1


@pytest.mark.parametrize(
    ("seconds", "expected"), [(1.0, [3, 0, 0, 0]), (15.0, [2, 1, 0, 0]), (70.0, [1, 1, 1, 0])]
)
def test_companies_that_a_tick_has_no_time_for_are_shown_at_the_next(
    world, watch, instance: dg.DagsterInstance, monkeypatch, seconds: float, expected: list[int]
) -> None:
    for realm, name in (("9341453299001", "Juniper Row"), ("9341453299002", "Alder Street")):
        wanted = CompanyToPrepare(world.tenant, realm, name, TIME_ZONE, world.today)
        company = prepare_company(world.engine.ledger, wanted).company
        instance.add_dynamic_partitions("realm", [company])
    clock = [0.0]

    def slow(*of_company: Any) -> StatusSeen:
        clock[0] += seconds
        return status_seen(*of_company)

    monkeypatch.setattr("sensors.invoice_status_sensor.monotonic", lambda: clock[0])
    monkeypatch.setattr("sensors.invoice_status_sensor.status_seen", slow)

    assert [len(watch.tick()) for _ in expected] == expected


def test_a_company_without_a_partition_waits_until_it_is_registered(
    world, watch, instance: dg.DagsterInstance
) -> None:
    [key] = instance.get_dynamic_partitions("realm")
    instance.delete_dynamic_partition("realm", key)
    assert watch.tick() == []

    instance.add_dynamic_partitions("realm", [key])

    assert len(watch.tick()) == 1


@pytest.mark.parametrize("cursor", ["", "not json", "[]", '{"a": 3}', '{"a": {}}', "null"])
def test_a_damaged_cursor_only_means_that_all_is_shown_again(watch, cursor: str) -> None:
    watch.cursor = cursor

    assert len(watch.tick()) == 1
