"""Settling an exception from Dagster: the form offers every action and refuses in a sentence."""

from __future__ import annotations

from typing import TYPE_CHECKING

import dagster as dg

from qbo_sync_dagster.domain.catalogue import Action, ExceptionKind
from qbo_sync_dagster.domain.cures import CURES, word
from qbo_sync_dagster.domain.exception_record import ExceptionRecord
from qbo_sync_dagster.jobs.resolve_exception import Offered, resolve_exception, resolve_exception_op
from qbo_sync_dagster.ledger import exceptions
from qbo_sync_dagster.resources import SyncEngineResource

if TYPE_CHECKING:
    from tests.dagster_ledger import Ledger


def _run(number: int, action: str, reason: str = "", **tags: str) -> dg.ExecuteInProcessResult:
    config = {"exception": number, "action": action, "reason": reason}
    return resolve_exception.execute_in_process(
        run_config={"ops": {"resolve": {"config": config}}},
        resources={"sync_engine": SyncEngineResource()},
        tags=tags,
        raise_on_error=False,
    )


def _raise(ledger: Ledger) -> exceptions.StoredException:
    ledger.connect("1", "Alder")
    raised = ExceptionRecord(ExceptionKind.PREPAYMENT, "invoice:1", "A prepayment.")
    with ledger.engine.begin() as connection:
        exceptions.raise_all(connection, "1", [raised])
        [found] = exceptions.listed(connection, "1")
    return found


def _now(ledger: Ledger, number: int) -> exceptions.StoredException:
    with ledger.engine.connect() as connection:
        found = exceptions.get(connection, number)
    assert found is not None
    return found


def test_the_form_offers_every_action_but_the_one_that_needs_a_browser() -> None:
    assert {each.name: each.value for each in Offered} == {
        word(each): str(each) for each in Action if each is not Action.RECONNECT
    }


def test_every_field_and_action_is_described() -> None:
    fields = resolve_exception_op.config_schema.config_type.fields  # type: ignore[union-attr]

    assert list(fields) == ["exception", "action", "reason", "target"]
    assert all(field.description for field in fields.values())
    for each in Offered:
        assert CURES[Action(each.value)].effect in str(fields["action"].description)


def test_a_decision_is_kept_with_the_user_of_the_run(ledger: Ledger) -> None:
    number = _raise(ledger).number

    assert _run(number, "dismiss", "Booked by hand.", user="Avery").success
    closed = _now(ledger, number)
    assert (closed.state, closed.closed_by) == ("dismissed", "Avery")


def test_what_does_not_settle_it_is_refused_in_a_sentence(ledger: Ledger) -> None:
    number = _raise(ledger).number

    result = _run(number, "re_export")

    [failure] = result.get_step_failure_events()
    told = failure.step_failure_data.user_failure_data
    assert told is not None
    assert "which re-export does not settle" in str(told.description)
    assert _now(ledger, number).state == "open"
