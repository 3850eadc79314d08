"""A company's settings: validated, all or none, audited with before and after."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date

import pytest

from qbo_sync_dagster.actions import configuring
from qbo_sync_dagster.actions.choices import (
    ACCOUNT,
    CLASS,
    DEPARTMENT,
    ITEM,
    TAX_CODE,
    TERM,
    Choice,
)
from qbo_sync_dagster.actions.configuring import SETTINGS, SettingChange, settings_of
from qbo_sync_dagster.actions.errors import ActionRefusedError
from qbo_sync_dagster.ledger import connections
from qbo_sync_dagster.ledger.errors import UnknownRealmError

from .conftest import OTHER, REALM, Office

OFFERED = {
    ITEM: [Choice("19", "Managed Services"), Choice("20", "Hardware")],
    ACCOUNT: [Choice("35", "Checking"), Choice("36", "Undeposited Funds")],
    CLASS: [
        Choice("12", "West"),
        Choice("13", "East"),
        Choice("14", "Shared"),
        Choice("15", "SHARED"),
    ],
    DEPARTMENT: [Choice("2", "Seattle")],
    TAX_CODE: [Choice("TAX", "Taxable"), Choice("NON", "Not taxable")],
    TERM: [Choice("3", "Net 30")],
}


class Lists:
    """A company's lists without a company."""

    def choices(self, subject: str) -> Sequence[Choice]:
        return OFFERED[subject]


def configure(office: Office, company: str, wanted: Mapping[str, str]) -> tuple[SettingChange, ...]:
    return configuring.configure(office.engine.ledger, company, wanted, lambda realm: Lists())


def settings(office: Office, realm: str = REALM) -> dict[str, object]:
    with office.engine.ledger.connect() as connection:
        return dict(settings_of(connections.get(connection, realm)))


def test_every_setting_can_be_changed_and_is_audited_with_before_and_after(office: Office) -> None:
    office.connect(go_live_date=date(2026, 1, 1))
    office.connect(OTHER)
    wanted = {
        "auto-sync": "off",
        "default-item": "managed services",
        "customer-creation": "yes",
        "deposit-account": "Checking",
        "class": "12",
        "department": "Seattle",
        "default-tax-code": "Taxable",
        "default-term": "net 30",
        "go-live": "2026-02-01",
        "time-zone": "Europe/London",
        "accepted-cents": "2",
        "default-company": "yes",
        "assignee": "Month-end desk",
    }
    assert set(wanted) == set(SETTINGS)

    changed = configure(office, OTHER, wanted)

    assert {change.name for change in changed} == set(SETTINGS)
    assert settings(office, OTHER) == {
        "auto-sync": False,
        "default-item": "19",
        "customer-creation": True,
        "deposit-account": "35",
        "class": "12",
        "department": "2",
        "default-tax-code": "TAX",
        "default-term": "3",
        "go-live": date(2026, 2, 1),
        "time-zone": "Europe/London",
        "accepted-cents": 2,
        "default-company": True,
        "assignee": "Month-end desk",
    }
    audited = {record: (before, after) for _, record, before, after in office.audited(OTHER)[1:]}
    assert set(audited) == set(SETTINGS)
    assert audited["auto-sync"] == (True, False)
    assert audited["deposit-account"] == (None, "Checking (id 35)")
    assert audited["time-zone"] == ("America/Los_Angeles", "Europe/London")
    assert audited["go-live"][1] == "2026-02-01"


def test_setting_what_stands_already_changes_and_audits_nothing(office: Office) -> None:
    office.connect()
    rows = office.audited()

    assert configure(office, REALM, {"auto-sync": "on"}) == ()
    assert office.audited() == rows


def test_a_company_can_be_named_by_its_key(office: Office) -> None:
    company = office.connect().company

    changed = configure(office, company, {"accepted-cents": "1"})

    assert changed == (SettingChange("accepted-cents", 0, 1, 0, 1),)


def test_none_removes_an_id(office: Office) -> None:
    office.connect()
    configure(office, REALM, {"class": "West"})

    configure(office, REALM, {"class": "none"})

    assert settings(office)["class"] is None


def test_one_bad_value_leaves_all_settings_as_they_were(office: Office) -> None:
    office.connect()

    with pytest.raises(ActionRefusedError):
        configure(office, REALM, {"class": "West", "accepted-cents": "-1"})

    assert settings(office)["class"] is None


def test_the_default_moves_and_both_companies_audit_it(office: Office) -> None:
    office.connect()
    office.connect(OTHER)

    configure(office, OTHER, {"default-company": "yes"})

    assert settings(office)["default-company"] is False
    assert settings(office, OTHER)["default-company"] is True
    assert office.audited()[-1] == ("setting changed", "default-company", True, False)
    assert office.audited(OTHER)[-1] == ("setting changed", "default-company", False, True)


def test_a_tenant_is_never_left_without_a_default_company(office: Office) -> None:
    office.connect()

    with pytest.raises(ActionRefusedError, match="Make another company the default instead"):
        configure(office, REALM, {"default-company": "no"})


def test_an_unknown_company_is_refused(office: Office) -> None:
    with pytest.raises(UnknownRealmError, match="connections list"):
        configure(office, "nowhere", {"auto-sync": "off"})


@pytest.mark.parametrize(
    ("name", "value", "complaint"),
    [
        ("autosync", "off", "There is no setting autosync. The settings are auto-sync,"),
        ("auto-sync", "maybe", "on or off"),
        ("go-live", "31.01.2026", "year-month-day"),
        ("time-zone", "EST5", "time zone"),
        ("accepted-cents", "0.5", "whole number"),
        ("accepted-cents", "101", "whole number from 0 to 100"),
        ("default-item", "Managed", "no active item 'Managed'. There is Managed Services"),
        ("deposit-account", "Sales", "There is Checking, Undeposited Funds."),
        ("class", "shared", "not one class but several"),
        ("assignee", "x" * 101, "100 is the most"),
    ],
)
def test_what_a_setting_cannot_hold_is_refused(
    office: Office, name: str, value: str, complaint: str
) -> None:
    office.connect()

    with pytest.raises(ActionRefusedError, match=complaint):
        configure(office, REALM, {name: value})


def test_the_company_is_asked_only_for_what_is_picked_from_its_lists(office: Office) -> None:
    office.connect()
    asked: list[str] = []

    def lists(realm: str) -> Lists:
        asked.append(realm)
        return Lists()

    configuring.configure(office.engine.ledger, REALM, {"auto-sync": "off", "class": "none"}, lists)
    assert asked == []
    configuring.configure(office.engine.ledger, REALM, {"class": "East"}, lists)
    assert asked == [REALM]


def test_the_audit_names_what_was_chosen_before_and_after(office: Office) -> None:
    office.connect()
    configure(office, REALM, {"class": "West"})

    [change] = configure(office, REALM, {"class": "East"})

    assert (change.before_shown, change.after_shown) == ("West (id 12)", "East (id 13)")
    assert office.audited()[-1] == ("setting changed", "class", "West (id 12)", "East (id 13)")
