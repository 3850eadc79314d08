"""Lost answers: a choice of the cases that `python -m chaos` acts out, and whether it can see."""

from __future__ import annotations

import os
from collections.abc import Iterator
from datetime import timedelta

import pytest

from chaos.lost_answers import AFTER_COMMIT, BEFORE, Case, act_out, all_cases
from chaos.lost_records import CHANGES, CREATES
from chaos.meanwhile import Fate
from chaos.stores import Stores, open_stores
from qbo_sync_dagster.domain.operation_kinds import RECORD_KINDS
from qbo_sync_dagster.sandbox.postgres import EmbeddedServer
from qbo_sync_dagster.sandbox.quickbooks.control import SandboxControl
from qbo_sync_dagster.sync.doubt_customers import CustomerRecogniser

SOON, LATER, TOO_LATE = timedelta(minutes=3), timedelta(hours=11), timedelta(hours=25)
CHANGED_BY_PEOPLE = (Fate.KEPT, Fate.REWRITTEN, Fate.DELETED)
SEEN_BY_PEOPLE = (Fate.TOUCHED, Fate.VOIDED, Fate.COPIED)

CHOSEN = (
    Case("drop_after_commit", CHANGED_BY_PEOPLE, LATER, True, "forgets", refused=1),
    Case("timeout_before", SEEN_BY_PEOPLE, SOON, False, "faults"),
    Case("502_after_commit", (Fate.COPIED,), TOO_LATE, False, "forgets"),
)


@pytest.fixture(scope="module")
def stores(postgres_server: EmbeddedServer) -> Iterator[Stores]:
    """One set of databases; each case has a tenant and a company of its own in them."""
    sandbox_url = postgres_server.dsn(f"test_{os.getpid()}_sandbox")
    with open_stores(postgres_server, f"test_{os.getpid()}_lost", sandbox_url) as opened:
        opened.prepare()
        yield opened


@pytest.mark.parametrize("case", CHOSEN, ids=str)
def test_what_was_lost_is_adopted_or_told_once_and_never_made_again(
    sandbox: SandboxControl, stores: Stores, case: Case
) -> None:
    told = act_out(stores, sandbox, case)

    assert told.broken == []
    assert told.steps == 10 * len(case.fates)


def test_a_second_object_is_seen_and_told(
    sandbox: SandboxControl, stores: Stores, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(CustomerRecogniser, "_with_suspects", lambda _, __, found, ___: found)
    case = Case("drop_after_commit", (Fate.REWRITTEN,), LATER, True, "forgets")

    told = act_out(stores, sandbox, case)

    assert told.duplicates == 1
    assert any("made again" in broken for broken in told.broken)


def test_every_kind_of_operation_loses_its_answers() -> None:
    assert {*CREATES, *CHANGES} == set(RECORD_KINDS)


def test_every_way_to_lose_an_answer_meets_every_fate_delay_and_memory() -> None:
    cases = all_cases()

    for effect in AFTER_COMMIT + BEFORE:
        mine = [case for case in cases if case.effect == effect]
        assert {(case.fates, case.delay, case.memory, case.own_numbers) for case in mine} == {
            (fates, delay, memory, numbers)
            for fates in (tuple(Fate), *((fate,) for fate in Fate))
            for delay in (SOON, LATER, TOO_LATE)
            for memory in ("remembers", "forgets", "faults")
            for numbers in (True, False)
        }
