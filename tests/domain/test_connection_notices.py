"""What people are told about a connection: ahead of its end, when it fails, never otherwise."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from qbo_sync_dagster.domain.connection_notices import (
    connection_expires,
    connection_failed,
    not_ready,
)

NOW = datetime(2026, 3, 2, 12, tzinfo=UTC)


def title(**until_the_end: float) -> str | None:
    end = NOW + timedelta(**until_the_end)
    record = connection_expires("9341453", "Slate Bay IT", end, NOW)
    return record.title if record else None


def version(**until_the_end: float) -> str:
    record = connection_expires("9341453", "Slate Bay IT", NOW + timedelta(**until_the_end), NOW)
    assert record is not None
    return record.version


def test_a_lapse_more_than_two_weeks_away_is_not_told() -> None:
    assert title(days=14, seconds=1) is None


@pytest.mark.parametrize(
    ("left", "days"),
    [({"days": 14}, 14), ({"days": 6, "hours": 1}, 7), ({"hours": 30}, 2), ({"minutes": 5}, 1)],
)
def test_a_lapse_ahead_is_told_with_the_days_left(left: dict[str, float], days: int) -> None:
    assert title(**left) == f"Accounting connection expires in {days} days"


def test_a_dismissed_notice_is_told_again_in_the_next_nearer_band() -> None:
    end = NOW + timedelta(days=14)
    told = [
        connection_expires("9341453", "Slate Bay IT", end, end - timedelta(days=days))
        for days in (13, 10, 7, 3, 2, 1)
    ]
    versions = [record.version for record in told if record]

    assert versions[0] == versions[1]
    assert versions[2] == versions[3]
    assert versions[4] == versions[5]
    assert len(set(versions)) == 3


def test_a_notice_about_a_renewed_authorization_is_another_one() -> None:
    assert version(days=7) != version(days=6)


def test_an_end_that_nobody_knows_or_that_has_passed_is_not_ahead() -> None:
    assert connection_expires("9341453", "Slate Bay IT", None, NOW) is None
    assert title(seconds=0) is None


def test_a_failed_connection_says_that_nothing_is_lost() -> None:
    record = connection_failed("9341453", "Slate Bay IT", "Reconnect the company.")

    assert record.title == "Accounting connection failed authentication"
    assert "Slate Bay IT" in record.what_happened
    assert "nothing is lost" in record.what_happened
    assert record.what_happened.endswith("Reconnect the company.")


def test_every_failure_of_the_preflight_is_told_in_one_exception() -> None:
    record = not_ready("9341453", ["Its clock is off.", "A column is missing."])

    assert record.what_happened == "Its clock is off. A column is missing."


def test_notices_of_one_company_are_about_one_record() -> None:
    failed = connection_failed("9341453", "Slate Bay IT", "")
    expires = connection_expires("9341453", "Slate Bay IT", NOW + timedelta(days=1), NOW)

    assert expires is not None
    assert failed.record == expires.record == not_ready("9341453", []).record


def test_an_exception_of_a_connection_names_the_company_as_its_record() -> None:
    failed = connection_failed("9341453", "Slate Bay IT", "Reconnect the company.")
    lapses = connection_expires("9341453", "Slate Bay IT", NOW + timedelta(days=2), NOW)

    assert lapses is not None
    for record in (failed, lapses):
        [company] = record.references
        assert (company.record_id, company.label) == ("9341453", "Connection of Slate Bay IT")
