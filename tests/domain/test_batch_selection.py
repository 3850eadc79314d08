"""Which documents a batch takes: every part that is given must hold, to the day."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest

from qbo_sync_dagster.domain.batch_selection import BatchSelection

from .test_history_matching import DAY, HEADER

ONE_DAY = timedelta(days=1)


@pytest.mark.parametrize(
    "selection",
    [
        BatchSelection(),
        BatchSelection(first=DAY, last=DAY),
        BatchSelection(clients={"c1"}, statuses={"sent"}, numbers={"INV-1"}),
    ],
)
def test_what_fits_every_part_is_taken(selection: BatchSelection) -> None:
    assert selection.takes(HEADER)


@pytest.mark.parametrize(
    "selection",
    [
        BatchSelection(first=DAY + ONE_DAY),
        BatchSelection(last=DAY - ONE_DAY),
        BatchSelection(clients={"c2"}, numbers={"INV-1"}),
        BatchSelection(statuses={"paid"}, clients={"c1"}),
        BatchSelection(numbers={"INV-2"}, statuses={"sent"}),
    ],
)
def test_what_misses_one_part_is_left(selection: BatchSelection) -> None:
    assert not selection.takes(HEADER)


def test_only_a_selection_without_any_part_is_empty() -> None:
    assert BatchSelection().is_empty
    for part in ({"first": DAY}, {"last": DAY}, {"clients": {"c1"}}, {"statuses": {"sent"}}):
        assert not replace(BatchSelection(), **part).is_empty
    assert not BatchSelection(numbers={"INV-1"}).is_empty


def test_how_it_was_chosen_is_kept_in_words() -> None:
    chosen = BatchSelection(first=DAY, clients={"c2", "c1"}, numbers={"INV-2", "INV-1"})

    assert chosen.as_json() == {
        "first": "2026-03-02",
        "last": None,
        "clients": ["c1", "c2"],
        "statuses": [],
        "numbers": ["INV-1", "INV-2"],
    }
