"""Reading lists that change while they are read: nothing that stays is lost."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from qbo_sync_dagster.quickbooks.answers import Page, RawObject
from qbo_sync_dagster.quickbooks.errors import NoAnswerError
from qbo_sync_dagster.quickbooks.query import Query
from qbo_sync_dagster.quickbooks.walk import sweep, walk

START = datetime(2026, 3, 2, 9, tzinfo=UTC)


@dataclass
class Shelf:
    """A QuickBooks list that answers queries, and is changed by an act before each page."""

    updated: dict[int, int]
    tokens: dict[int, int] = field(default_factory=dict)
    acts: list[Callable[[Shelf], None]] = field(default_factory=list)
    asked: list[Query] = field(default_factory=list)

    def row(self, number: int) -> RawObject:
        at = START + timedelta(seconds=self.updated[number])
        return RawObject("Invoice", str(number), str(self.tokens.get(number, 0)), False, at, {})

    def fetch(self, query: Query) -> Page:
        if self.asked and self.acts:
            self.acts.pop(0)(self)
        self.asked.append(query)
        rows = [self.row(number) for number in self.updated]
        for condition in query.where:
            since = condition.values[0]
            assert isinstance(since, datetime)
            rows = [row for row in rows if row.updated_at and row.updated_at >= since]
        if query.order_by == ("Id",):
            rows.sort(key=lambda row: int(row.id))
        else:
            rows.sort(key=lambda row: (row.updated_at, int(row.id)))
        first = query.start - 1
        time = START + timedelta(hours=1, seconds=len(self.asked))
        return Page(tuple(rows[first : first + query.limit]), time)


def delete(number: int) -> Callable[[Shelf], None]:
    def act(shelf: Shelf) -> None:
        shelf.updated.pop(number, None)

    return act


def touch(number: int) -> Callable[[Shelf], None]:
    """Somebody edits the object: new token, and the newest time of change."""

    def act(shelf: Shelf) -> None:
        if number in shelf.updated:
            shelf.updated[number] = max(shelf.updated.values()) + 1
            shelf.tokens[number] = shelf.tokens.get(number, 0) + 1

    return act


def walked(shelf: Shelf, limit: int = 3) -> list[str]:
    return [row.id for row in walk(shelf.fetch, Query("Invoice", limit=limit))]


def test_a_list_that_stands_still_is_read_once_in_order() -> None:
    shelf = Shelf(dict.fromkeys(range(1, 8), 0))
    assert walked(shelf) == [str(n) for n in range(1, 8)]
    assert [query.start for query in shelf.asked] == [1, 3, 5, 7]


def test_a_short_list_takes_one_call() -> None:
    shelf = Shelf(dict.fromkeys(range(1, 3), 0))
    assert walked(shelf) == ["1", "2"]
    assert len(shelf.asked) == 1
    assert walked(Shelf({})) == []


def test_a_row_deleted_before_the_offset_hides_no_other_row() -> None:
    shelf = Shelf(dict.fromkeys(range(1, 8), 0), acts=[delete(1)])
    assert set(walked(shelf)) >= {str(n) for n in range(2, 8)}


@given(
    st.integers(0, 25),
    st.lists(st.one_of(st.integers(0, 25)), max_size=12),
    st.integers(2, 6),
)
def test_no_deletion_while_reading_hides_a_row_that_stays(
    count: int, deleted: list[int], limit: int
) -> None:
    shelf = Shelf(dict.fromkeys(range(count), 0), acts=[delete(n) for n in deleted])
    found = walked(shelf, limit)
    assert len(found) == len(set(found))
    assert set(found) >= {str(n) for n in shelf.updated}


def test_a_sweep_pages_by_time_and_never_by_offset_over_a_moving_order() -> None:
    shelf = Shelf({n: n for n in range(7)})
    found = sweep(shelf.fetch, "Invoice", START, limit=3)
    assert [row.id for row in found.objects] == [str(n) for n in range(7)]
    assert {query.start for query in shelf.asked} == {1}
    assert found.time == START + timedelta(hours=1, seconds=1)


def test_a_sweep_asks_only_for_what_changed() -> None:
    shelf = Shelf({n: n for n in range(7)})
    found = sweep(shelf.fetch, "Invoice", START + timedelta(seconds=4), limit=3)
    assert [row.id for row in found.objects] == ["4", "5", "6"]


def test_an_object_edited_during_the_sweep_is_met_again_with_its_new_token() -> None:
    shelf = Shelf({n: n for n in range(5)}, acts=[touch(0)])
    found = sweep(shelf.fetch, "Invoice", START, limit=3)
    assert [(row.id, row.sync_token) for row in found.objects if row.id == "0"] == [
        ("0", "0"),
        ("0", "1"),
    ]


@given(
    st.lists(st.integers(0, 3), max_size=25),
    st.lists(st.tuples(st.sampled_from([delete, touch]), st.integers(0, 25)), max_size=12),
    st.integers(2, 6),
)
def test_no_edit_or_deletion_during_a_sweep_hides_a_row_that_stays(
    times: list[int], acts: list[tuple[Callable[[int], Callable[[Shelf], None]], int]], limit: int
) -> None:
    shelf = Shelf(dict(enumerate(times)), acts=[act(number) for act, number in acts])
    found = sweep(shelf.fetch, "Invoice", START, limit)
    assert {row.id for row in found.objects} >= {str(n) for n in shelf.updated}
    keys = [(row.id, row.sync_token) for row in found.objects]
    assert len(keys) == len(set(keys))


def test_more_changes_in_one_second_than_a_page_holds_are_all_found() -> None:
    shelf = Shelf(dict.fromkeys(range(10), 5))
    found = sweep(shelf.fetch, "Invoice", START, limit=3)
    assert {row.id for row in found.objects} == {str(n) for n in range(10)}


@pytest.mark.parametrize("act", [touch, delete])
def test_rows_that_leave_a_crowded_second_hide_no_other_row(
    act: Callable[[int], Callable[[Shelf], None]],
) -> None:
    def two_leave(shelf: Shelf) -> None:
        act(0)(shelf)
        act(1)(shelf)

    shelf = Shelf(dict.fromkeys(range(10), 5), acts=[lambda _: None, two_leave])
    found = sweep(shelf.fetch, "Invoice", START, limit=3)
    assert {row.id for row in found.objects} >= {str(n) for n in shelf.updated}


def test_a_list_that_never_stands_still_is_given_up() -> None:
    """Each page begins with a stranger: no order can be trusted, and calls cost money."""
    calls = 0

    def fetch(query: Query) -> Page:
        nonlocal calls
        calls += 1
        rows = [RawObject("Invoice", f"{calls}-{n}", "0", False, START, {}) for n in range(2)]
        return Page(tuple(rows), START)

    with pytest.raises(NoAnswerError, match="kept changing"):
        list(walk(fetch, Query("Invoice", limit=2)))
    assert calls < 200


def test_a_page_of_one_row_could_not_overlap() -> None:
    with pytest.raises(ValueError, match="overlap"):
        walked(Shelf({1: 0}), limit=1)
