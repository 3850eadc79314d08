"""Every kind of exception: it names what it is about, is dismissed, and goes with its cause."""

from __future__ import annotations

import re
from collections.abc import Callable

import pytest

from qbo_sync_dagster.domain.catalogue import CATALOGUE, Action, ExceptionKind
from qbo_sync_dagster.ledger.exceptions import StoredException
from tests.scenarios.causes import CAUSES, Undo, unreadable
from tests.scenarios.conftest import World
from tests.scenarios.deciding import REASON, decide

UNREADABLE = ExceptionKind.UNREADABLE_CHANGE
KINDS = [*CAUSES, UNREADABLE]
DISMISSABLE = [kind for kind in KINDS if Action.DISMISS in CATALOGUE[kind].actions]
RETRIABLE = [kind for kind in KINDS if Action.RETRY in CATALOGUE[kind].actions]
# Nothing tells the engine that the cause is gone: staff say so by a retry.
NEEDS_RETRY = {
    ExceptionKind.EXPORT_FAILING,
    ExceptionKind.PUSH_FAILING,
    ExceptionKind.REVERSAL_TO_RECORD,
    ExceptionKind.CREDIT_FAILING,
}
# Only a decision ends it.
NEEDS_DECISION = {ExceptionKind.ORPHAN}
_UUID = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}")


def each_of(kinds: list[ExceptionKind]) -> list[object]:
    """The kinds, each with the AlgaPSA in which it happens; only Enterprise takes cards."""
    online = ExceptionKind.PAYABLE_ONLINE
    return [
        pytest.param(kind, "enterprise" if kind is online else "community", id=str(kind))
        for kind in kinds
    ]


def act(world: World, spoil: Callable[..., Undo], kind: ExceptionKind) -> Undo:
    """People do what raises the kind; what takes the cause away."""
    undo = unreadable(world, spoil) if kind is UNREADABLE else CAUSES[kind](world)
    return undo or (lambda: None)


def told(world: World, kind: ExceptionKind) -> StoredException:
    """The one open exception of this kind."""
    [found] = [each for each in world.open() if each.kind == kind]
    return found


def is_open(world: World, number: int) -> bool:
    return number in {each.number for each in world.open()}


def ending(world: World, number: int) -> tuple[str, str, str]:
    """State, closer and reason of a closed exception."""
    query = "SELECT state, closed_by, close_reason FROM exceptions WHERE number = :number"
    [row] = world.in_ledger(query, number=number)
    return row  # type: ignore[return-value]


@pytest.mark.parametrize(("kind", "edition"), each_of(DISMISSABLE))
def test_dismissed_it_stays_closed_and_nothing_of_it_is_sent(world, spoil, kind) -> None:
    act(world, spoil, kind)
    raised = told(world, kind)
    number = raised.number
    before = world.stands()

    decide(world, number, Action.DISMISS)
    for _ in range(2):
        world.cycle()

    assert (kind, raised.record) not in {(each.kind, each.record) for each in world.open()}
    assert ending(world, number) == ("dismissed", "Avery", f"dismissed: {REASON}")
    assert world.stands() == before


@pytest.mark.parametrize(
    ("kind", "edition"), each_of([kind for kind in KINDS if kind not in NEEDS_DECISION])
)
def test_it_names_its_record_and_closes_once_its_cause_is_gone(world, spoil, kind) -> None:
    undo = act(world, spoil, kind)
    raised = told(world, kind)
    labels = [record["label"] for record in raised.records]

    assert raised.title == CATALOGUE[kind].title.format(days=5)
    assert not _UUID.search(f"{raised.title} {raised.what_happened} {' '.join(labels)}")
    if kind is not ExceptionKind.CONNECTION_EXPIRES:
        assert any(label.split()[-1].strip("()") in raised.what_happened for label in labels)

    if kind in RETRIABLE:
        decide(world, raised.number, Action.RETRY)
        world.cycle()
        assert is_open(world, raised.number)
    undo()
    if kind in NEEDS_RETRY:
        decide(world, raised.number, Action.RETRY)
    for _ in range(2):
        world.cycle()

    assert not is_open(world, raised.number)
    assert ending(world, raised.number)[:2] == ("resolved", "sync")
