"""Statements of Intuit's query language."""

from __future__ import annotations

from datetime import UTC, date, datetime
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from qbo_sync_dagster.quickbooks.query import (
    LONGEST_STATEMENT_BYTES,
    Condition,
    Query,
    any_of,
    at_least,
    equals,
    in_lists,
    statement,
)


def test_a_page_is_ordered_and_says_where_it_starts() -> None:
    query = Query("Invoice", where=(equals("CustomerRef", "7"),), start=1001, limit=1000)
    assert statement(query) == (
        "SELECT * FROM Invoice WHERE CustomerRef = '7' ORDERBY Id ASC "
        "STARTPOSITION 1001 MAXRESULTS 1000"
    )


def test_lists_are_asked_with_their_inactive_rows() -> None:
    assert "WHERE Active IN (true,false)" in statement(Query("Customer"))
    only_active = Query("Customer", where=(equals("Active", value=True),))
    assert "Active IN" not in statement(only_active)
    assert "Active" not in statement(Query("Invoice"))


@pytest.mark.parametrize(
    ("name", "literal"),
    [
        ("O'Brien & Sons", r"'O\'Brien & Sons'"),
        ("back\\slash", r"'back\\slash'"),
        ("ends with \\", r"'ends with \\'"),
        ("x' OR Active = 'true", r"'x\' OR Active = \'true'"),
        ("two\nlines", "'two lines'"),
    ],
)
def test_a_name_cannot_leave_its_quotes(name: str, literal: str) -> None:
    assert f"DisplayName = {literal} " in statement(
        Query("Customer", where=(equals("DisplayName", name),))
    )


@given(st.text())
def test_no_value_ends_its_literal_early(value: str) -> None:
    text = statement(Query("Invoice", where=(equals("DocNumber", value),)))
    literal = text.removeprefix("SELECT * FROM Invoice WHERE DocNumber = ").removesuffix(
        " ORDERBY Id ASC STARTPOSITION 1 MAXRESULTS 1000"
    )
    inside = literal[1:-1].replace("\\\\", "").replace("\\'", "")
    assert literal[0] == literal[-1] == "'"
    assert "'" not in inside
    assert "\\" not in inside


def test_values_are_written_as_quickbooks_reads_them() -> None:
    where = (
        equals("TotalAmt", Decimal("12.50")),
        equals("TxnDate", date(2026, 3, 2)),
        at_least("MetaData.LastUpdatedTime", datetime(2026, 3, 2, 9, tzinfo=UTC)),
        any_of("Id", ["1", "2"]),
    )
    assert (
        "TotalAmt = '12.50' AND TxnDate = '2026-03-02' AND MetaData.LastUpdatedTime >= "
        "'2026-03-02T09:00:00+00:00' AND Id IN ('1','2')"
    ) in statement(Query("Payment", where=where))


@pytest.mark.parametrize("name", ["Invoice; DROP", "", "Id'", "Id = '1' OR", "MetaData."])
def test_only_names_can_stand_where_names_stand(name: str) -> None:
    with pytest.raises(ValueError, match="not a name"):
        Query(name)
    with pytest.raises(ValueError, match="not a name"):
        equals(name, "1")


@pytest.mark.parametrize(("start", "limit"), [(0, 100), (1, 0), (1, 1001)])
def test_pages_quickbooks_would_refuse_are_refused_here(start: int, limit: int) -> None:
    with pytest.raises(ValueError, match="page"):
        Query("Invoice", start=start, limit=limit)


def test_a_comparison_takes_one_value() -> None:
    with pytest.raises(ValueError, match="cannot take 2"):
        Condition("Id", "=", ("1", "2"))
    with pytest.raises(ValueError, match="cannot take 0"):
        any_of("Id", [])


@given(st.lists(st.text(max_size=3000), max_size=60))
def test_in_lists_hold_each_value_once_and_stay_short(values: list[str]) -> None:
    conditions = list(in_lists("Invoice", "DocNumber", values))
    assert [v for c in conditions for v in c.values] == list(dict.fromkeys(values))
    for condition in conditions:
        text = statement(Query("Invoice", where=(condition,)))
        assert len(text.encode()) <= LONGEST_STATEMENT_BYTES or len(condition.values) == 1


def test_a_thousand_numbers_fit_one_statement() -> None:
    numbers = [f"INV-{n:06}" for n in range(1000)]
    assert len(list(in_lists("Invoice", "DocNumber", numbers))) == 1
