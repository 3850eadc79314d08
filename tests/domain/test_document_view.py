"""How a document looks in QuickBooks, and what of a change in it people are told."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import date
from typing import Any

import pytest

from qbo_sync_dagster.domain.document_view import (
    DELETED,
    LIVE,
    VOIDED,
    DocumentView,
    FieldDifference,
    LineView,
    differences,
    iso,
)

from .conftest import Make

LINE = LineView("12", "1", 10_000, "", "NON")


def test_the_same_look_has_no_differences(view: Make) -> None:
    assert differences(view(), view()) == []


def test_each_field_that_differs_is_told_with_both_values(view: Make) -> None:
    shown = view(
        number="INV-9",
        customer_id="59",
        currency="EUR",
        date="2026-03-05",
        due_date="2026-05-01",
        total_minor=10_825,
        tax_minor=825,
    )

    assert differences(view(), shown) == [
        FieldDifference("number", "INV-1", "INV-9"),
        FieldDifference("customer", "58", "59"),
        FieldDifference("currency", "USD", "EUR"),
        FieldDifference("date", "2026-03-02", "2026-03-05"),
        FieldDifference("due date", "2026-04-01", "2026-05-01"),
        FieldDifference("total", "100.00", "108.25"),
        FieldDifference("tax", "0.00", "8.25"),
    ]


def test_an_emptied_field_is_told_as_none(view: Make) -> None:
    assert differences(view(), view(number="")) == [FieldDifference("number", "INV-1", "none")]


def test_a_line_that_differs_is_told_by_its_position(view: Make) -> None:
    shown = view(lines=(LineView("13", "2", 10_000, "7", "NON"),))

    assert differences(view(), shown) == [
        FieldDifference(
            "line 1",
            "quantity 1, item 12, amount 100.00",
            "quantity 2, item 13, amount 100.00, class 7",
        )
    ]


@pytest.mark.parametrize(
    "change",
    [{"item_id": "13"}, {"quantity": "2"}, {"amount_minor": 10_001}, {"class_id": "7"}],
    ids=lambda change: next(iter(change)),
)
def test_each_part_of_a_line_is_compared_on_its_own(view: Make, change: dict[str, Any]) -> None:
    [found] = differences(view(), view(lines=(replace(LINE, **change),)))

    assert found.field == "line 1"


def test_lines_added_and_taken_away_are_told(view: Make) -> None:
    two = view(lines=(LINE, LineView("", "", 500, "", "")))

    assert differences(view(), two) == [
        FieldDifference("added line 2", "no line", "item none, amount 5.00")
    ]
    assert differences(two, view()) == [
        FieldDifference("line 2", "item none, amount 5.00", "no line")
    ]


def test_a_line_put_in_above_others_is_the_only_one_told(view: Make) -> None:
    first = LineView("20", "1", 700, "", "NON")
    more = view(lines=(first, LINE, LINE))

    assert differences(view(lines=(LINE, LINE)), more) == [
        FieldDifference("added line 1", "no line", "quantity 1, item 20, amount 7.00")
    ]
    assert differences(more, view(lines=(LINE, LINE))) == [
        FieldDifference("line 1", "quantity 1, item 20, amount 7.00", "no line")
    ]


def test_lines_that_changed_places_are_a_difference(view: Make) -> None:
    other = LineView("20", "1", 700, "", "NON")

    assert differences(view(lines=(LINE, other)), view(lines=(other, LINE)))


def test_a_tax_code_that_quickbooks_rewrites_is_no_difference(view: Make) -> None:
    assert differences(view(), view(lines=(LineView("12", "1", 10_000, "", "TAX"),))) == []


def test_a_document_that_is_gone_is_one_difference_and_not_one_per_field(view: Make) -> None:
    assert differences(view(), view().gone(DELETED)) == [
        FieldDifference("state", "live", "deleted")
    ]
    assert differences(view(), view().gone(VOIDED)) == [FieldDifference("state", "live", "voided")]


def test_a_void_document_whose_mark_was_written_over_is_still_void_while_it_owes_nothing(
    view: Make,
) -> None:
    void = view().gone(VOIDED)
    assert differences(void, replace(void, state=LIVE)) == []
    [told] = differences(void, replace(void, state=LIVE, total_minor=1))
    assert (told.agreed, told.shown) == (VOIDED, LIVE)


def test_a_document_that_is_gone_keeps_its_name_and_holds_no_money(view: Make) -> None:
    gone = view().gone(VOIDED)

    assert (gone.number, gone.customer_id) == ("INV-1", "58")
    assert (gone.total_minor, gone.tax_minor, gone.lines) == (0, 0, ())


def test_a_view_is_stored_as_json_and_read_back_whole(view: Make) -> None:
    stored = json.loads(json.dumps(view(lines=(LINE, LINE)).as_json()))

    assert DocumentView.from_json(stored) == view(lines=(LINE, LINE))


def test_dates_are_iso_text_and_a_missing_one_is_empty() -> None:
    assert iso(date(2026, 3, 2)) == "2026-03-02"
    assert iso(None) == ""
