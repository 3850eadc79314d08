"""When a check fails, how badly, and what it tells people to do."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta

import pytest

from qbo_sync_dagster.panels import checks
from qbo_sync_dagster.panels.checks import Check, Verdict
from qbo_sync_dagster.sync.outcome import SyncHealth

HealthOf = Callable[..., SyncHealth]


def test_a_healthy_company_passes_every_check(health_of: HealthOf, now: datetime) -> None:
    judged = checks.verdicts(health_of(), [], now)

    assert [verdict.check for verdict in judged] == list(Check)
    assert all(verdict.passed for verdict in judged)


@pytest.mark.parametrize("outcome", ["failed", "aborted", "died"])
def test_a_cycle_that_did_not_succeed_fails_with_its_cause(
    health_of: HealthOf, outcome: str
) -> None:
    verdict = checks.last_cycle(health_of(outcome=outcome, problem="QuickBooks is down."))

    assert not verdict.passed
    assert not verdict.is_warning
    assert "QuickBooks is down." in verdict.sentence


def test_a_company_without_any_cycle_is_worth_a_look(health_of: HealthOf) -> None:
    verdict = checks.last_cycle(health_of(outcome="", started_at=None, finished_at=None))

    assert not verdict.passed
    assert verdict.is_warning


def test_a_cycle_under_way_is_not_judged(health_of: HealthOf) -> None:
    assert checks.last_cycle(health_of(outcome="running", finished_at=None)).passed


@pytest.mark.parametrize(("age", "passed"), [(45, True), (46, False), (60 * 24, False)])
def test_freshness_allows_two_missed_cycles(
    health_of: HealthOf, now: datetime, age: int, passed: bool
) -> None:
    health = health_of(last_success_at=now - timedelta(minutes=age))

    assert checks.freshness(health, now).passed is passed


def test_a_company_that_never_synced_is_as_old_as_its_connection(
    health_of: HealthOf, now: datetime
) -> None:
    just = health_of(last_success_at=None, cursor=now - timedelta(minutes=10))
    long = health_of(last_success_at=None, cursor=now - timedelta(hours=3))

    assert checks.freshness(just, now).passed
    assert not checks.freshness(long, now).passed


def test_freshness_asks_nothing_of_a_company_without_auto_sync(
    health_of: HealthOf, now: datetime
) -> None:
    old = now - timedelta(days=9)

    assert checks.freshness(health_of(auto_sync=False, last_success_at=old), now).passed
    assert checks.freshness(health_of(state="disconnected", last_success_at=old), now).passed


def test_a_refused_authorization_is_not_fresh_and_says_how_to_reconnect(
    health_of: HealthOf, now: datetime
) -> None:
    verdict = checks.freshness(health_of(state="reconnect"), now)

    assert not verdict.passed
    assert "qbo-sync connections reconnect" in verdict.sentence


def test_waiting_changes_are_worth_a_look_and_errored_ones_are_wrong(health_of: HealthOf) -> None:
    health = health_of(pending=4, held=1, errored=2)

    pending, errored = checks.queue_pending(health), checks.queue_errored(health)

    assert (pending.passed, pending.is_warning) == (False, True)
    assert (errored.passed, errored.is_warning) == (False, False)
    assert pending.figures == {"pending_ops": 4, "held_ops": 1}


def test_open_exceptions_are_worth_a_look(health_of: HealthOf) -> None:
    verdict = checks.open_exceptions(health_of(open_exceptions=3))

    assert (verdict.passed, verdict.is_warning) == (False, True)
    assert "3 exceptions open" in verdict.sentence


def test_a_double_link_is_wrong_and_named() -> None:
    verdict = checks.links_one_to_one(["invoice 7f0c"])

    assert (verdict.passed, verdict.is_warning) == (False, False)
    assert "invoice 7f0c" in verdict.sentence


def test_a_check_over_all_companies_names_those_that_fail_worst_first() -> None:
    worth_a_look = Verdict(Check.LAST_CYCLE, False, "No cycle yet.", is_warning=True)
    wrong = Verdict(Check.LAST_CYCLE, False, "It failed.")
    well = Verdict(Check.LAST_CYCLE, True, "It succeeded.")

    verdict = checks.together(
        Check.LAST_CYCLE, [("Alder", worth_a_look), ("Birch", well), ("Cedar", wrong)]
    )

    assert not verdict.passed
    assert not verdict.is_warning
    assert verdict.sentence == "Cedar: It failed. Alder: No cycle yet."
    assert verdict.figures == {"companies": 3, "failing": 2}


def test_a_check_over_no_company_passes() -> None:
    assert checks.together(Check.LAST_CYCLE, []).passed
