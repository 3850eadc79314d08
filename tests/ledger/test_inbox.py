"""The inbox: every version once, the newest decides, nothing settled is lost."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import sqlalchemy as sa

from qbo_sync_dagster.ledger import inbox
from qbo_sync_dagster.ledger.engine import ledger_now

from .conftest import OTHER, Ledger


def change(object_id: str, version: int, *, deleted: bool = False, **payload: Any) -> Any:
    return inbox.Delivered(
        "Payment", object_id, -1 if deleted else version, deleted, None, {"v": version} | payload
    )


def receive(ledger: Ledger, *changes: Any, realm: str | None = None) -> int:
    with ledger.begin() as connection:
        received = inbox.receive(connection, realm or ledger.realm, changes)
        inbox.supersede(connection, realm or ledger.realm)
    return received


def unsettled(ledger: Ledger, realm: str | None = None) -> list[tuple[str, int, str]]:
    with ledger.begin() as connection:
        found = inbox.unsettled(connection, realm or ledger.realm, "Payment")
    return [(each.object_id, each.version, each.state) for each in found]


def settle(ledger: Ledger, state: str) -> None:
    with ledger.begin() as connection:
        found = inbox.unsettled(connection, ledger.realm, "Payment")
        inbox.settle(connection, ledger.realm, [each.change_id for each in found], state)


def test_a_change_is_received_once_however_often_polls_overlap(ledger: Ledger) -> None:
    assert receive(ledger, change("7", 0)) == 1
    assert receive(ledger, change("7", 0)) == 0
    assert unsettled(ledger) == [("7", 0, "received")]


def test_a_settled_version_delivered_again_stays_settled(ledger: Ledger) -> None:
    receive(ledger, change("7", 0))
    settle(ledger, "applied")

    assert receive(ledger, change("7", 0)) == 0
    assert unsettled(ledger) == []


def test_the_same_object_twice_in_one_answer_is_received_once(ledger: Ledger) -> None:
    assert receive(ledger, change("7", 0), change("7", 0)) == 1


def test_more_changes_than_one_statement_takes_are_all_received(ledger: Ledger) -> None:
    assert receive(ledger, *(change(str(number), 0) for number in range(1_201))) == 1_201


def test_the_same_id_in_two_companies_is_two_changes(ledger: Ledger) -> None:
    ledger.connect(OTHER)
    receive(ledger, change("7", 0))

    assert receive(ledger, change("7", 0), realm=OTHER) == 1
    settle(ledger, "applied")
    assert unsettled(ledger, OTHER) == [("7", 0, "received")]


def test_a_newer_version_supersedes_one_received_or_parked_before(ledger: Ledger) -> None:
    receive(ledger, change("7", 0))
    settle(ledger, "parked")
    receive(ledger, change("7", 1), change("8", 0))

    assert unsettled(ledger) == [("7", 1, "received"), ("8", 0, "received")]


def test_a_version_that_comes_late_is_superseded_by_the_newer_one(ledger: Ledger) -> None:
    receive(ledger, change("7", 3))
    receive(ledger, change("7", 2))

    assert unsettled(ledger) == [("7", 3, "received")]


def test_a_version_older_than_an_applied_one_is_not_applied_any_more(ledger: Ledger) -> None:
    receive(ledger, change("7", 3))
    settle(ledger, "applied")
    receive(ledger, change("7", 2))

    assert unsettled(ledger) == []


def test_a_deletion_is_the_last_version_whatever_comes_after_it(ledger: Ledger) -> None:
    receive(ledger, change("7", 9))
    receive(ledger, change("7", 0, deleted=True))
    receive(ledger, change("7", 10))

    assert unsettled(ledger) == [("7", -1, "received")]


def test_versions_are_compared_per_object_and_entity(ledger: Ledger) -> None:
    invoice = inbox.Delivered("Invoice", "7", 9, False, None, {})
    receive(ledger, change("7", 0), change("8", 5), invoice)

    assert unsettled(ledger) == [("7", 0, "received"), ("8", 5, "received")]


def test_the_newest_version_is_found_whatever_its_state(ledger: Ledger) -> None:
    receive(ledger, change("7", 0), change("7", 2), change("8", 0))
    settle(ledger, "applied")
    receive(ledger, change("8", 0, deleted=True))

    with ledger.begin() as connection:
        newest = inbox.newest(connection, ledger.realm, "Payment", ["7", "8", "9"])
    assert {key: (each.version, each.deleted) for key, each in newest.items()} == {
        "7": (2, False),
        "8": (-1, True),
    }


def test_an_object_read_by_itself_is_planned_anew_if_its_content_changed_without_a_token(
    ledger: Ledger,
) -> None:
    receive(ledger, change("7", 0, lines=2))
    settle(ledger, "applied")
    with ledger.begin() as connection:
        assert inbox.refresh(connection, ledger.realm, [change("7", 0, lines=1)]) == 1

    assert unsettled(ledger) == [("7", 0, "received")]


def test_an_object_read_by_itself_with_the_content_known_stays_settled(ledger: Ledger) -> None:
    receive(ledger, change("7", 0, lines=2))
    settle(ledger, "applied")
    with ledger.begin() as connection:
        assert inbox.refresh(connection, ledger.realm, [change("7", 0, lines=2)]) == 0

    assert unsettled(ledger) == []


def test_a_parked_change_waits_and_is_found_again(ledger: Ledger) -> None:
    receive(ledger, change("7", 0))
    settle(ledger, "parked")

    assert unsettled(ledger) == [("7", 0, "parked")]
    with ledger.begin() as connection:
        assert inbox.count_parked(connection, ledger.realm) == 1


def test_what_was_foreign_is_planned_anew_for_a_new_links_sake(ledger: Ledger) -> None:
    receive(ledger, change("7", 0), change("7", 1), change("8", 0))
    settle(ledger, "foreign")
    with ledger.begin() as connection:
        assert inbox.reopen(connection, ledger.realm, "Payment", ["7", "99"]) == 1

    assert unsettled(ledger) == [("7", 1, "received")]


def test_what_is_applied_is_not_planned_anew_for_a_link(ledger: Ledger) -> None:
    receive(ledger, change("7", 0))
    settle(ledger, "applied")
    with ledger.begin() as connection:
        assert inbox.reopen(connection, ledger.realm, "Payment", ["7"]) == 0


def _prune(ledger: Ledger, age: timedelta) -> list[tuple[str, int]]:
    with ledger.begin() as connection:
        inbox.prune(connection, ledger_now(connection) - age)
        rows = connection.execute(
            sa.text("SELECT object_id, version FROM inbound_changes ORDER BY 1, 2")
        )
        return [tuple(row) for row in rows]  # type: ignore[misc]


def test_pruning_keeps_the_newest_version_of_each_object(ledger: Ledger) -> None:
    receive(ledger, change("7", 0))
    settle(ledger, "applied")
    receive(ledger, change("7", 1), change("8", 0))
    settle(ledger, "applied")

    assert _prune(ledger, timedelta(days=-1)) == [("7", 1), ("8", 0)]


def test_pruning_keeps_the_newest_version_even_if_an_older_one_came_after_it(
    ledger: Ledger,
) -> None:
    receive(ledger, change("7", 3))
    settle(ledger, "applied")
    receive(ledger, change("7", 2))

    assert ("7", 3) in _prune(ledger, timedelta(days=-1))


def test_pruning_keeps_a_deletion(ledger: Ledger) -> None:
    receive(ledger, change("7", 0, deleted=True))
    settle(ledger, "applied")
    receive(ledger, change("7", 5))

    assert ("7", -1) in _prune(ledger, timedelta(days=-1))


def test_pruning_keeps_what_is_not_settled_and_what_is_recent(ledger: Ledger) -> None:
    receive(ledger, change("7", 0))
    settle(ledger, "parked")
    receive(ledger, change("8", 0))
    settle(ledger, "applied")
    receive(ledger, change("8", 1))

    assert _prune(ledger, timedelta(days=1)) == [("7", 0), ("8", 0), ("8", 1)]
