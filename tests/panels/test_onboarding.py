"""What onboarding shows: each page says its next step."""

from __future__ import annotations

import pytest

from qbo_sync_dagster.domain.history_matching import HistoryMatch, HistoryState
from qbo_sync_dagster.domain.matching import ClientMatch, MatchState
from qbo_sync_dagster.domain.names import Suggestion
from qbo_sync_dagster.domain.suggestions import MappedRecord, MappingKind, MappingState
from qbo_sync_dagster.panels.onboarding import clients_panel, history_panel, products_panel
from qbo_sync_dagster.panels.values import Table

LINKED, EXACT, SUGGESTED = MatchState.LINKED, MatchState.EXACT, MatchState.SUGGESTED
NONE, SKIPPED = MatchState.NONE, MatchState.SKIPPED


@pytest.mark.parametrize(
    ("states", "told"),
    [
        ([LINKED, EXACT, EXACT, NONE], "`link_clients` links the 2 exact matches"),
        ([LINKED, SUGGESTED, NONE, SKIPPED], "2 clients left"),
        ([LINKED, SKIPPED], "Next: product_mappings"),
    ],
)
def test_the_page_of_the_clients_says_its_next_step(states: list[MatchState], told: str) -> None:
    found = [ClientMatch(str(place), "Quarry", state) for place, state in enumerate(states)]

    assert told in str(clients_panel("Slate Bay IT", found)["next_step"])


def test_a_client_of_the_other_company_is_told_and_asks_for_no_decision() -> None:
    there = ClientMatch("2", "Reed", NONE, elsewhere="Slate Cloud")
    panel = clients_panel("Slate Bay IT", [there, ClientMatch("1", "Quarry", EXACT, "7", "Quarry")])
    done = clients_panel("Slate Bay IT", [there, ClientMatch("1", "Quarry", LINKED, "7", "Quarry")])

    assert isinstance(panel["clients"], Table)
    assert panel["clients"].rows == (
        ("Quarry", "exact", "Quarry (7)", ""),
        ("Reed", "no match", "", "linked in Slate Cloud"),
    )
    assert "Next: product_mappings" in str(done["next_step"])


@pytest.mark.parametrize(
    ("scores", "told"),
    [([100, 80], "maps 1 of equal name"), ([80], "1 left"), ([], "Next: booked_invoices")],
)
def test_the_page_of_the_products_says_its_next_step(scores: list[int], told: str) -> None:
    missing = [
        MappedRecord(
            MappingKind.SERVICE,
            str(score),
            "Endpoint",
            MappingState.MISSING,
            suggestions=(Suggestion("7", "Endpoint", score),),
        )
        for score in scores
    ]
    mapped = MappedRecord(MappingKind.SERVICE, "s", "Backup", MappingState.LINKED, "9", "Backup")

    assert told in str(products_panel("Slate Bay IT", [*missing, mapped])["next_step"])


def test_what_is_mapped_to_an_object_that_is_gone_is_not_mapped() -> None:
    gone = MappedRecord(MappingKind.SERVICE, "s", "Backup", MappingState.GONE, "9")
    served = MappedRecord(MappingKind.SERVICE, "t", "Travel", MappingState.DEFAULT)

    panel = products_panel("Slate Bay IT", [served, gone])

    assert (panel["mapped"], panel["not_mapped"]) == (1, 1)
    assert "1 left" in str(panel["next_step"])


@pytest.mark.parametrize(
    ("states", "told"),
    [
        ([HistoryState.MATCHED, HistoryState.REVIEW], "`link_booked_invoices` links 1 invoice"),
        ([HistoryState.REVIEW, HistoryState.NONE], "1 invoice to look at"),
        ([HistoryState.NONE], "go-live"),
    ],
)
def test_the_page_of_the_booked_invoices_says_its_next_step(
    states: list[HistoryState], told: str
) -> None:
    found = [
        HistoryMatch(str(place), f"INV-{place}", "invoice", 100, "USD", state)
        for place, state in enumerate(states)
    ]

    assert told in str(history_panel("Slate Bay IT", found)["next_step"])
