"""Cycles and the requests for one: which cycle fulfils what, and what became of dead ones."""

from __future__ import annotations

from datetime import timedelta

import pytest
import sqlalchemy as sa

from qbo_sync_dagster.ledger import cycles
from qbo_sync_dagster.ledger.engine import ledger_now

from .conftest import OTHER, Ledger


def _start(ledger: Ledger, **options: object) -> cycles.Cycle:
    described: dict[str, object] = {"epoch": 1, "trigger": "test", "run_id": None}
    realm = str(options.pop("realm", ledger.realm))
    with ledger.begin() as connection:
        now = ledger_now(connection)
        return cycles.start(connection, realm, cursor=now, **(described | options))  # type: ignore[arg-type]


def _close(ledger: Ledger, cycle: cycles.Cycle, outcome: str = "succeeded") -> cycles.Cycle:
    with ledger.begin() as connection:
        return cycles.close(
            connection,
            cycle.cycle_id,
            outcome=outcome,
            counts={"quickbooks_writes": 2},
            calls={"metered": 1},
            summary="2 operations processed",
            problem=None,
            cursor=cycle.started_at,
        )


def _request(ledger: Ledger, realm: str | None = None) -> int:
    with ledger.begin() as connection:
        return cycles.request(connection, realm or ledger.realm, "a test")


def _open(ledger: Ledger) -> dict[str, int]:
    with ledger.begin() as connection:
        found = cycles.open_requests(connection)
    return {realm: request.request_id for realm, request in found.items()}


def test_a_request_is_fulfilled_by_a_cycle_that_started_after_it(ledger: Ledger) -> None:
    _request(ledger)

    _close(ledger, _start(ledger))

    assert _open(ledger) == {}


def test_a_request_filed_while_a_cycle_runs_stays_open(ledger: Ledger) -> None:
    cycle = _start(ledger)
    asked = _request(ledger)

    _close(ledger, cycle)

    assert _open(ledger) == {ledger.realm: asked}


def test_a_cycle_that_failed_fulfils_its_requests_too(ledger: Ledger) -> None:
    _request(ledger)

    _close(ledger, _start(ledger), "failed")

    assert _open(ledger) == {}


def test_a_cycle_that_died_fulfils_nothing(ledger: Ledger) -> None:
    asked = _request(ledger)
    _start(ledger, run_id="run-1")
    with ledger.begin() as connection:
        assert cycles.mark_died(connection, "run-1", "The process was killed.") == 1

    assert _open(ledger) == {ledger.realm: asked}


def test_requests_of_one_company_are_not_fulfilled_by_another(ledger: Ledger) -> None:
    ledger.connect(OTHER)
    asked = _request(ledger, OTHER)
    _request(ledger)

    _close(ledger, _start(ledger))

    assert _open(ledger) == {OTHER: asked}


def test_of_several_requests_the_newest_is_the_open_one(ledger: Ledger) -> None:
    _request(ledger)
    newest = _request(ledger)

    assert _open(ledger) == {ledger.realm: newest}


def test_a_new_cycle_marks_one_left_running_as_died(ledger: Ledger) -> None:
    first = _start(ledger)

    _start(ledger, epoch=2)

    with ledger.begin() as connection:
        died = cycles.latest(connection, ledger.realm, outcome="died")
    assert died is not None
    assert died.cycle_id == first.cycle_id
    assert died.problem


def test_a_new_cycle_leaves_the_running_one_of_another_company_alone(ledger: Ledger) -> None:
    ledger.connect(OTHER)
    _start(ledger, realm=OTHER)

    _start(ledger)

    with ledger.begin() as connection:
        assert cycles.latest_of_each(connection)[OTHER].outcome == "running"


def test_a_closed_cycle_cannot_be_marked_as_died(ledger: Ledger) -> None:
    _close(ledger, _start(ledger, run_id="run-1"))

    with ledger.begin() as connection:
        assert cycles.mark_died(connection, "run-1", "late") == 0


def test_a_closed_cycle_tells_what_it_did(ledger: Ledger) -> None:
    closed = _close(ledger, _start(ledger))

    assert (closed.outcome, closed.summary) == ("succeeded", "2 operations processed")
    assert (closed.counts, closed.calls) == ({"quickbooks_writes": 2}, {"metered": 1})
    assert closed.finished_at is not None


def test_the_database_refuses_an_unknown_outcome(ledger: Ledger) -> None:
    cycle = _start(ledger)

    with pytest.raises(sa.exc.IntegrityError, match="ck_cycles_outcome"):
        _close(ledger, cycle, "perhaps")


def test_pruning_keeps_the_newest_cycle_of_each_company_however_old(ledger: Ledger) -> None:
    ledger.connect(OTHER)
    old = _close(ledger, _start(ledger))
    newest = _close(ledger, _start(ledger))
    alone = _close(ledger, _start(ledger, realm=OTHER))

    with ledger.begin() as connection:
        cycles.prune(connection, ledger_now(connection) + timedelta(days=1))
        kept = connection.execute(sa.text("SELECT cycle_id FROM cycles ORDER BY 1")).scalars()
        assert list(kept) == [newest.cycle_id, alone.cycle_id]
    assert old.cycle_id not in (newest.cycle_id, alone.cycle_id)


def test_pruning_keeps_recent_cycles(ledger: Ledger) -> None:
    _close(ledger, _start(ledger))
    _close(ledger, _start(ledger))

    with ledger.begin() as connection:
        assert cycles.prune(connection, ledger_now(connection) - timedelta(days=1)) == 0
