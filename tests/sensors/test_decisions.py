"""What the schedule and the sensors decide, without Dagster and without a ledger."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta

import pytest

from qbo_sync_dagster.ledger.connections import Connection
from qbo_sync_dagster.ledger.cycles import Cycle, SyncRequest
from sensors.decisions import (
    RequestedRuns,
    changed,
    closed_cycles,
    due_companies,
    new_companies,
    sync_now_key,
)

NOW = datetime(2026, 11, 22, 14, 15, tzinfo=UTC)
COMPANY = Connection(
    realm="1",
    tenant="t",
    company="alder-1",
    company_name="Alder",
    time_zone="UTC",
    go_live_date=date(2026, 1, 1),
    is_default=True,
    state="connected",
    connected_at=NOW,
    cursor=NOW,
    auto_sync=True,
    create_customers=False,
    default_item=None,
    deposit_account=None,
    default_class=None,
    default_department=None,
    default_tax_code=None,
    default_term=None,
    accepted_cents=0,
    assignee="accounting administrator",
    preferences=None,
    preferences_read_at=None,
)
REQUEST = SyncRequest(41, "1", "Avery", NOW)
CYCLE = Cycle(9, "1", 1, "schedule", "r", "succeeded", NOW, NOW, None, None, {}, {}, "", None, [])


def test_a_connected_idle_company_with_auto_sync_is_due() -> None:
    assert due_companies([COMPANY], {"alder-1"}, set()) == ["alder-1"]


@pytest.mark.parametrize(
    "company",
    [
        replace(COMPANY, auto_sync=False),
        replace(COMPANY, state="reconnect"),
        replace(COMPANY, state="disconnected"),
    ],
)
def test_a_company_that_is_switched_off_or_not_connected_is_not_due(company: Connection) -> None:
    assert due_companies([company], {"alder-1"}, set()) == []


def test_a_company_that_is_being_synced_is_not_queued_again() -> None:
    assert due_companies([COMPANY], {"alder-1"}, {"alder-1"}) == []


def test_a_company_without_a_partition_waits_until_it_has_one() -> None:
    assert due_companies([COMPANY], set(), set()) == []
    assert new_companies([COMPANY], set()) == ["alder-1"]
    assert new_companies([COMPANY], {"alder-1"}) == []


def test_a_request_has_one_run_key_until_its_run_has_ended() -> None:
    assert sync_now_key(REQUEST, RequestedRuns(), NOW) == "41:0"
    assert sync_now_key(REQUEST, RequestedRuns(), NOW + timedelta(hours=1)) == "41:0"


def test_a_run_that_ended_without_fulfilling_the_request_is_followed_by_another() -> None:
    ended = RequestedRuns(1, NOW - timedelta(seconds=10))

    assert sync_now_key(REQUEST, ended, NOW) == "41:1"


@pytest.mark.parametrize(
    ("ended", "pause"),
    [(1, 10), (2, 20), (5, 160), (8, 900), (500, 900)],
)
def test_runs_that_keep_dying_are_spaced_out(ended: int, pause: int) -> None:
    too_early = RequestedRuns(ended, NOW - timedelta(seconds=pause - 1))
    in_time = RequestedRuns(ended, NOW - timedelta(seconds=pause))

    assert sync_now_key(REQUEST, too_early, NOW) is None
    assert sync_now_key(REQUEST, in_time, NOW) == f"41:{ended}"


def test_a_cycle_that_closes_changes_what_the_overview_stands_on() -> None:
    running = replace(CYCLE, cycle_id=10, outcome="running", finished_at=None)

    assert closed_cycles({"1": CYCLE}) != closed_cycles({"1": replace(CYCLE, cycle_id=10)})
    assert closed_cycles({"1": CYCLE}) != closed_cycles({"1": replace(CYCLE, outcome="died")})
    assert closed_cycles({"1": running}) == closed_cycles({})


def test_only_what_is_new_or_different_is_told() -> None:
    assert changed({"a": "1", "b": "1", "gone": "1"}, {"a": "1", "b": "2", "c": "1"}) == ["b", "c"]
