"""The closing date: what is dated on it is closed, the day after is not."""

from __future__ import annotations

from datetime import date

from qbo_sync_dagster.domain.closing_date import closed_period, is_closed

from .conftest import Make

CLOSED_THROUGH = date(2026, 3, 31)


def test_the_closing_date_itself_is_closed_and_the_day_after_is_open() -> None:
    assert is_closed(date(2026, 3, 31), CLOSED_THROUGH)
    assert is_closed(date(2025, 12, 31), CLOSED_THROUGH)
    assert not is_closed(date(2026, 4, 1), CLOSED_THROUGH)


def test_a_company_without_a_closing_date_has_closed_nothing() -> None:
    assert not is_closed(date(2000, 1, 1), None)


def test_what_waits_is_told_with_its_date_and_the_closing_date(header: Make) -> None:
    record = closed_period(header(), CLOSED_THROUGH)

    assert record.title == "Dated in a closed QuickBooks period"
    assert "INV-1 of 100.00 USD is dated 2026-03-02" in record.what_happened
    assert "closed through 2026-03-31" in record.what_happened


def test_a_period_that_only_quickbooks_knows_to_be_closed_is_told_without_its_date(
    header: Make,
) -> None:
    assert "None" not in closed_period(header(), None).what_happened


def test_a_redated_invoice_is_judged_anew(header: Make) -> None:
    before, after = (closed_period(header(fingerprint=f), CLOSED_THROUGH) for f in ("f1", "f2"))

    assert before.version != after.version
