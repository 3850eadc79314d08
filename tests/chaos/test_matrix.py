"""The crash matrix covers every kind of operation and change, and sees what a crash must not do."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Sequence

import pytest

from chaos.books import Books
from chaos.crash import Staged, crash, judge, stage
from chaos.figures import Figures
from chaos.matrix import SCENES, record
from chaos.scene import Scene
from chaos.stores import Stores
from chaos.world import World
from qbo_sync_dagster.domain.catalogue import Action
from qbo_sync_dagster.domain.operation_kinds import PUSH_PAYMENT, RECORD_KINDS
from qbo_sync_dagster.domain.payment_standing import RowKind
from qbo_sync_dagster.domain.payment_wanted import PaymentEnd
from qbo_sync_dagster.ledger import postings
from qbo_sync_dagster.quickbooks.calls import Write
from qbo_sync_dagster.sandbox.quickbooks.process import SandboxProcess
from qbo_sync_dagster.sync.context import CycleContext

# Reconnecting is a person's walk through Intuit's pages; its crash is one of the token's.
ACTED_OUT = set(Action) - {Action.RECONNECT}


@pytest.mark.parametrize(
    "kind", [*RECORD_KINDS, *PaymentEnd, *RowKind, *sorted(ACTED_OUT)], ids=str
)
def test_every_kind_of_operation_change_and_action_has_a_scene(kind: str) -> None:
    assert [scene.name for scene in SCENES if kind in scene.covers]


def test_each_scene_has_a_name_of_its_own() -> None:
    assert len({scene.name for scene in SCENES}) == len(SCENES)


def _payment(world: World) -> None:
    world.receive(world.exported(), 4_000)


@pytest.fixture(scope="module")
def payment_pushed(sandbox_of_its_own: tuple[SandboxProcess, Stores]) -> Staged:
    process, stores = sandbox_of_its_own
    scene = Scene("payment pushed", (PUSH_PAYMENT,), _payment)
    return stage(scene, stores, process.control)


def _after_the_send(staged: Staged) -> int:
    [point] = [each for each in staged.points if each.event == "after POST payment"]
    return point.number


def test_a_payment_whose_answer_died_with_the_process_stands_once(payment_pushed: Staged) -> None:
    verdict = crash(payment_pushed, _after_the_send(payment_pushed))

    assert verdict.is_well, verdict.told()
    assert [death.event for death in verdict.died_at] == ["after POST payment"]


def test_a_payment_sent_blindly_once_more_is_seen_as_a_duplicate(
    payment_pushed: Staged, monkeypatch: pytest.MonkeyPatch
) -> None:
    def send_blindly(ctx: CycleContext, _: object, sent: Sequence[postings.Posting]) -> object:
        for posting in sent:
            body = json.loads(posting.body)
            ctx.quickbooks.write(Write("create", posting.entity, body, "another id"))
        return len(sent), []

    monkeypatch.setattr("qbo_sync_dagster.sync.cycle.settle_doubt", send_blindly)
    number = _after_the_send(payment_pushed)

    verdict = crash(payment_pushed, number)

    assert "Payment created once more: 1" in verdict.duplicates
    figures = Figures()
    record(figures, payment_pushed.scene, verdict, 7, number, 0)
    [told] = figures.broken
    assert f'python -m chaos --seed 7 --scene "payment pushed" --point {number}' in told


PAID = "AlgaPSA row of a payment: INV-1 | 4000"
SETTLED = Books(Counter({PAID: 1}), Counter(Payment=1))


@pytest.mark.parametrize(
    ("found", "what"),
    [
        (Books(Counter({PAID: 2}), Counter(Payment=1)), "duplicates"),
        (Books(Counter({PAID: 1}), Counter(Payment=2)), "duplicates"),
        (Books(Counter(), Counter(Payment=1)), "losses"),
        (Books(SETTLED.stands, SETTLED.created, "Row 3 is missing."), "half_done"),
    ],
)
def test_what_differs_from_the_run_that_nobody_killed_breaks_a_promise(
    found: Books, what: str
) -> None:
    verdict = judge(SETTLED, found, ())

    assert not verdict.is_well
    assert [name for name in ("duplicates", "losses", "half_done") if getattr(verdict, name)] == [
        what
    ]


@pytest.mark.parametrize(
    "line",
    [
        "unanswered posting: 5d0c",
        "unfulfilled request: staff",
        "open operation: push_payment | 1 | posting",
        "unsettled change: Payment | 7 | 0 | received",
    ],
)
def test_what_no_settled_world_has_is_half_done_even_if_both_runs_have_it(line: str) -> None:
    books = Books(Counter([line]), Counter())

    assert judge(books, books, ()).half_done == (line,)
    assert judge(SETTLED, SETTLED, ()).is_well
