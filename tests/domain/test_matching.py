"""Clients against customers: exact, suggested, linked, skipped."""

from __future__ import annotations

from qbo_sync_dagster.domain.algapsa_records import Client
from qbo_sync_dagster.domain.matching import ClientMatch, CustomerName, MatchState, match_clients


def client(key: str, name: str, *, inactive: bool = False) -> Client:
    return Client(key, name, None, "net_30", "USD", False, inactive)


def customer(key: str, name: str, *, active: bool = True) -> CustomerName:
    return CustomerName(key, name, active)


def states(found: list[ClientMatch]) -> dict[str, tuple[str, str]]:
    return {each.client_id: (each.state, each.customer_id) for each in found}


def test_equal_names_match_exactly_whatever_their_spelling() -> None:
    found = match_clients([client("a", "Slate Bay, Inc.")], [customer("1", "SLATE BAY")], {})

    assert states(found) == {"a": ("exact", "1")}
    assert found[0].customer_name == "SLATE BAY"


def test_two_clients_of_one_name_are_only_suggested_that_customer() -> None:
    clients = [client("a", "Slate Bay"), client("b", "Slate Bay LLC")]

    found = match_clients(clients, [customer("1", "Slate Bay")], {})

    assert [each.state for each in found] == [MatchState.SUGGESTED] * 2
    assert all(each.suggestions[0].score == 100 for each in found)


def test_two_customers_of_one_name_are_only_suggested() -> None:
    customers = [customer("1", "Slate Bay"), customer("2", "Slate Bay Ltd")]

    [found] = match_clients([client("a", "Slate Bay")], customers, {})

    assert found.state is MatchState.SUGGESTED
    assert {each.record_id for each in found.suggestions} == {"1", "2"}


def test_an_inactive_customer_never_matches_exactly() -> None:
    [found] = match_clients(
        [client("a", "Slate Bay")], [customer("1", "Slate Bay", active=False)], {}
    )

    assert found.state is MatchState.SUGGESTED


def test_an_inactive_customer_does_not_hide_the_active_one_of_its_name() -> None:
    customers = [customer("1", "Slate Bay", active=False), customer("2", "Slate Bay")]

    assert states(match_clients([client("a", "Slate Bay")], customers, {})) == {"a": ("exact", "2")}


def test_a_linked_client_stays_linked_and_its_customer_is_proposed_to_nobody() -> None:
    clients = [client("a", "Harbour Works"), client("b", "Slate Bay")]

    found = match_clients(clients, [customer("1", "Slate Bay")], {"a": "1"})

    assert states(found) == {"a": ("linked", "1"), "b": ("no match", "")}


def test_skipped_and_inactive_clients_are_left_alone() -> None:
    clients = [client("a", "Slate Bay"), client("b", "Old Mill", inactive=True)]

    found = match_clients(clients, [customer("1", "Slate Bay")], {}, {"a"})

    assert states(found) == {"a": ("skipped", "")}


def test_nothing_alike_is_a_normal_outcome() -> None:
    found = match_clients([client("a", "Slate Bay")], [], {})

    assert states(found) == {"a": ("no match", "")}
