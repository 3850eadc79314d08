"""Names of the same thing on both sides."""

from __future__ import annotations

import pytest

from qbo_sync_dagster.domain.names import NameIndex, are_equal, normalised, suggestions


@pytest.mark.parametrize(
    ("ours", "theirs"),
    [
        ("Quarry Lane Dental", "QUARRY LANE DENTAL"),
        ("O'Dowd Freight", "ODowd  Freight"),
        ("O’Dowd Freight", "O'Dowd Freight"),
        ("Birch & Vale Law", "Birch Vale Law"),
        ("Slate-Bay IT, Inc.", "Slate Bay IT"),
        ("Slate Bay Co. Ltd", "Slate Bay"),
        ("North Fork (West)", "north fork west"),
    ],
)
def test_case_punctuation_spaces_and_trailing_legal_words_fold(ours: str, theirs: str) -> None:
    assert are_equal(ours, theirs)


@pytest.mark.parametrize(
    ("ours", "theirs"),
    [
        ("Incorporated Minds", "Minds"),
        ("The Company Store", "The Store"),
        ("Quarry Lane Dental", "Quarry Lane Dentist"),
    ],
)
def test_words_inside_stay(ours: str, theirs: str) -> None:
    assert not are_equal(ours, theirs)


def test_a_name_of_legal_words_keeps_one() -> None:
    assert normalised("Company, Inc.") == "company"
    assert not are_equal("Company Inc", "Co LLC")


def test_a_name_without_letters_equals_nothing() -> None:
    assert normalised("***") == ""
    assert not are_equal("***", "---")
    assert NameIndex({"1": "---"}).equal("***") == []


def test_suggestions_come_best_first_and_at_most_three() -> None:
    candidates = {
        "1": "Birch and Vale Law",
        "2": "Birch & Vail Law",
        "3": "Birch Vale Lawyers",
        "4": "Birch Vale Law Office",
        "5": "North Fork",
    }

    found = suggestions("Birch & Vale Law LLP", candidates)

    assert len(found) == 3
    assert [each.score for each in found] == sorted((it.score for it in found), reverse=True)
    assert "5" not in {each.record_id for each in found}


def test_words_in_another_order_are_suggested() -> None:
    [found] = suggestions("Dental Quarry Lane", {"7": "Quarry Lane Dental"})

    assert (found.record_id, found.name, found.score) == ("7", "Quarry Lane Dental", 100)


def test_what_is_not_alike_is_not_suggested() -> None:
    assert suggestions("Quarry Lane Dental", {"1": "Copper Kettle Bakery"}) == ()


def test_equal_suggestions_stand_in_a_fixed_order() -> None:
    found = suggestions("Slate Bay", {"9": "Slate Bay Inc", "2": "Slate Bay Inc"})

    assert [each.record_id for each in found] == ["2", "9"]
