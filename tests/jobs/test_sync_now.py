"""Sync Now from Dagster files one request, and says what is wrong when it can't."""

from __future__ import annotations

from typing import TYPE_CHECKING

import dagster as dg
import pytest

from qbo_sync_dagster.jobs.sync_now import sync_now
from qbo_sync_dagster.ledger import cycles
from qbo_sync_dagster.resources import SyncEngineResource

if TYPE_CHECKING:
    from tests.dagster_ledger import Ledger


def _run(company: str) -> dg.ExecuteInProcessResult:
    return sync_now.execute_in_process(
        run_config={"ops": {"request_cycle": {"config": {"company": company}}}},
        resources={"sync_engine": SyncEngineResource()},
        raise_on_error=False,
    )


def _sentence(result: dg.ExecuteInProcessResult) -> str:
    (failure,) = result.get_step_failure_events()
    user_failure = failure.step_failure_data.user_failure_data
    assert user_failure is not None
    return str(user_failure.description)


@pytest.mark.parametrize("named", ["1", "alder-1", "  alder-1 "])
def test_a_company_is_asked_for_by_its_key_or_its_realm(ledger: Ledger, named: str) -> None:
    ledger.connect("1", "Alder")

    assert _run(named).success
    with ledger.engine.connect() as connection:
        requests = cycles.open_requests(connection)
    assert list(requests) == ["1"]


def test_an_unknown_company_is_refused_in_a_sentence(ledger: Ledger) -> None:
    assert "No QuickBooks company 'birch' is connected" in _sentence(_run("birch"))


def test_a_disconnected_company_is_refused_in_a_sentence(ledger: Ledger) -> None:
    ledger.connect("1", "Alder", state="disconnected")

    assert "Alder is disconnected" in _sentence(_run("1"))


def test_the_launchpad_offers_one_described_field() -> None:
    fields = sync_now.get_node_named("request_cycle").definition.config_schema.config_type.fields  # type: ignore[union-attr]

    assert list(fields) == ["company"]
    assert "partitions of sync_health" in str(fields["company"].description)
