"""All companies side by side."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta

from qbo_sync_dagster.panels.checks import last_cycle
from qbo_sync_dagster.panels.companies import companies_panel
from qbo_sync_dagster.panels.values import Table
from qbo_sync_dagster.sync.outcome import SyncHealth

HealthOf = Callable[..., SyncHealth]


def test_each_company_has_its_line_and_the_sums_stand_beside(
    health_of: HealthOf, now: datetime
) -> None:
    companies = [health_of(pending=2), health_of(company_name="Quarry", pending=1, errored=1)]

    panel = companies_panel(companies, now)

    table = panel["companies"]
    assert isinstance(table, Table)
    assert [row[0] for row in table.rows] == ["Slate Bay IT", "Quarry"]
    assert panel["pending_ops"] == 3
    assert panel["errored_ops"] == 1
    assert panel["summary"] == "To look at: Quarry."


def test_companies_that_are_well_are_told_in_one_sentence(
    health_of: HealthOf, now: datetime
) -> None:
    assert companies_panel([health_of()], now)["summary"] == "All well in 1 company."


def test_a_company_that_no_cycle_has_served_for_an_hour_is_not_well(
    health_of: HealthOf, now: datetime
) -> None:
    panel = companies_panel([health_of(last_success_at=now - timedelta(hours=1))], now)

    assert panel["summary"] == "To look at: Slate Bay IT."


def test_a_company_that_needs_reconnecting_is_not_well(health_of: HealthOf, now: datetime) -> None:
    panel = companies_panel([health_of(state="reconnect")], now)

    assert panel["summary"] == "To look at: Slate Bay IT."


def test_a_company_that_is_not_connected_on_purpose_needs_no_look_and_is_not_counted(
    health_of: HealthOf, now: datetime
) -> None:
    prepared = health_of(state="disconnected", outcome=None, started_at=None, finished_at=None)

    panel = companies_panel([health_of(), prepared], now)

    assert panel["summary"] == "All well in 2 companies."
    assert panel["connected"] == 1
    assert last_cycle(prepared).passed


def test_no_company_says_how_to_connect_one(now: datetime) -> None:
    assert "qbo-sync connect" in str(companies_panel([], now)["summary"])


def test_how_each_company_is_connected_stands_in_a_table_of_its_own(
    health_of: HealthOf, now: datetime
) -> None:
    panel = companies_panel([health_of(auto_sync=False)], now)

    assert panel["connections"] == Table(
        ("company", "connection", "auto-sync", "token expiry", "last success"),
        (
            (
                "Slate Bay IT",
                "connected",
                "off",
                "2027-02-01 (in 71 days)",
                "2026-11-22 14:15 UTC",
            ),
        ),
    )


def test_no_line_is_wider_than_the_page(health_of: HealthOf, now: datetime) -> None:
    table = companies_panel([health_of()], now)["companies"]

    assert isinstance(table, Table)
    assert len(table.columns) == 6
