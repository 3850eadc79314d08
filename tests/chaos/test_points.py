"""The moments at which a process may die are found by watching, and it dies there for good."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import httpx
import psycopg2
import pytest

from chaos.forking import ChildFailedError, in_a_child
from chaos.matrix import in_turn
from chaos.points import Point, Watch, kill_here, watch_this_process
from qbo_sync_dagster.sandbox.quickbooks.control import SandboxControl


def _write(url: str) -> None:
    connection = psycopg2.connect(url)
    with connection, connection.cursor() as cursor:
        cursor.execute("SELECT count(*) FROM paid")
    with connection, connection.cursor() as cursor:
        cursor.execute("INSERT INTO paid VALUES (1)")
    with connection, connection.cursor() as cursor:
        cursor.execute("SELECT 1 FROM paid FOR UPDATE")
    connection.autocommit = True
    connection.cursor().execute("INSERT INTO paid VALUES (2)")


def _rows(url: str) -> int:
    connection = psycopg2.connect(url)
    with connection, connection.cursor() as cursor:
        cursor.execute("SELECT count(*) FROM paid")
        (rows,) = cursor.fetchone()
    connection.close()
    return int(rows)


@pytest.fixture
def url(fresh_database: Callable[..., str]) -> str:
    made = fresh_database()
    connection = psycopg2.connect(made)
    with connection, connection.cursor() as cursor:
        cursor.execute("CREATE TABLE paid (payment int)")
    connection.close()
    return made


def _points(act: Callable[[], object]) -> list[Point]:
    def run(_: object) -> list[Point]:
        found: list[Point] = []
        watch_this_process(Watch(found.append))
        act()
        return found

    points: list[Point] = in_a_child(run).told
    return points


def _killed_at(number: int, act: Callable[[], object]) -> Any:
    def run(tell: Callable[[Any], None]) -> None:
        def die(point: Point) -> None:
            if point.number == number:
                tell(point)
                kill_here()

        watch_this_process(Watch(die))
        act()

    return in_a_child(run)


def test_every_commit_that_leaves_something_behind_is_a_point_and_no_reading_is(url: str) -> None:
    found = _points(lambda: _write(url))

    assert [point.event.split()[:2] for point in found] == [
        ["before", "commit"],
        ["after", "commit"],
        ["before", "commit"],  # of a lock, which is all that a crash gives back
        ["after", "commit"],
        ["before", "write"],
        ["after", "write"],
    ]
    assert [point.is_new for point in found] == [True, True, False, False, False, True]
    assert [point.number for point in found] == [1, 2, 3, 4, 5, 6]


def test_every_call_is_a_point_before_it_leaves_and_after_it_is_answered(
    sandbox: SandboxControl,
) -> None:
    found = _points(lambda: httpx.post(f"{sandbox.base_url}/v3/company/123/invoice"))

    assert [point.event for point in found] == ["before POST invoice", "after POST invoice"]


@pytest.mark.parametrize(("number", "rows"), [(1, 0), (2, 1), (5, 1), (6, 2)])
def test_a_killed_process_leaves_what_it_committed_and_nothing_else(
    url: str, number: int, rows: int
) -> None:
    ended = _killed_at(number, lambda: _write(url))

    assert (ended.was_killed, ended.told.number) == (True, number)
    assert _rows(url) == rows


def test_a_process_that_never_comes_to_the_point_ends_by_itself(url: str) -> None:
    assert not _killed_at(99, lambda: _write(url)).was_killed


def test_an_exception_in_the_child_is_told_with_its_traceback() -> None:
    def fail(_: object) -> None:
        raise ValueError("no such invoice")

    with pytest.raises(ChildFailedError, match="no such invoice"):
        in_a_child(fail)


def test_each_place_is_tried_before_any_is_tried_again_and_what_changes_nothing_comes_last() -> (
    None
):
    points = [
        Point(1, "before commit", "queue", is_new=False),
        Point(2, "after commit", "queue", is_new=True),
        Point(3, "after commit", "queue", is_new=True),
        Point(4, "after commit", "send", is_new=True),
    ]

    for seed in range(5):
        ordered = [point.number for point in in_turn(points, seed, "any")]
        assert {4} < set(ordered[:2])
        assert ordered[3] == 1
