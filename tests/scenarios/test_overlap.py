"""Cycles that overlap, are taken over or die: what is sent is sent once, and nothing is lost."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from typing import Any

import pytest

from qbo_sync_dagster.ledger import leases
from qbo_sync_dagster.sync import sending
from qbo_sync_dagster.sync.cycle import last_end, run_cycle
from qbo_sync_dagster.sync.engine import SyncEngine
from qbo_sync_dagster.sync.outcome import CycleEnd, Stage

LEASE_RUN_OUT = timedelta(minutes=6)


class KilledError(BaseException):
    """The process is gone: nobody tidies up after it."""


@contextmanager
def _killed_at(target: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Here the process dies instead of calling `target`, its lease still held."""

    def dies(*_: Any, **__: Any) -> Any:
        raise KilledError

    with monkeypatch.context() as patch:
        patch.setattr(target, dies)
        patch.setattr("qbo_sync_dagster.sync.cycle.leases.release", lambda *_: None)
        yield


def _die(world) -> None:
    with pytest.raises(KilledError):
        world.cycle()


def _until(events, stage: Stage) -> None:
    for event in events:
        if getattr(event, "stage", None) is stage:
            return
    raise AssertionError("the stage was not reached")


def _take_over(world, parent: str) -> leases.Lease:
    taken = leases.take(world.engine.ledger, world.company.realm, "its child", parent_holder=parent)
    assert taken is not None
    return taken


def _numbers(world) -> list[str]:
    found = world.quickbooks.list(world.company.realm, "Invoice")
    return sorted(item["DocNumber"] for item in found)


def _in_step(world, *books: Any) -> None:
    assert _numbers(world) == sorted(each.number for each in books)
    assert world.links() == {each.invoice_id: world.quickbooks_id(each) for each in books}
    assert world.operations() == {}
    assert world.titles() == []


@pytest.mark.parametrize("stage", [Stage.INBOUND_CHANGES, Stage.OUTBOUND_OPERATIONS])
def test_a_cycle_that_finds_the_company_held_does_nothing(world, stage) -> None:
    invoice = world.invoice()
    first = world.events()
    _until(first, stage)
    world.forget()

    second = list(world.events())

    [end] = second
    assert end.outcome == "skipped"
    assert world.metered() == 0
    *_, end = first
    assert end.outcome == "succeeded"
    _in_step(world, invoice)


def test_two_workers_at_once_send_each_invoice_once(world) -> None:
    books = [world.invoice(1_000 * n) for n in range(1, 4)]
    ends: list[CycleEnd] = []
    start = threading.Barrier(2)

    def work() -> None:
        with SyncEngine(world.engine.config, sleep=world.naps.sleep) as engine:
            start.wait()
            ends.append(last_end(run_cycle(engine, world.company.realm, trigger="test")))

    workers = [threading.Thread(target=work) for _ in range(2)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()

    assert {end.outcome for end in ends} <= {"succeeded", "skipped"}
    assert "succeeded" in {end.outcome for end in ends}
    _in_step(world, *books)


def test_a_closed_generator_gives_the_company_back(world) -> None:
    events = world.events()
    next(events)

    events.close()

    assert world.cycle().outcome == "succeeded"


def test_a_child_run_takes_over_at_once_and_the_parent_sends_nothing_more(world) -> None:
    invoice = world.invoice()
    parent = world.events(run_id="parent")
    _until(parent, Stage.OUTBOUND_OPERATIONS)

    child = world.cycle(run_id="child", parent_run_id="parent")
    world.forget()
    *_, end = parent

    assert child.outcome == "succeeded"
    assert end.outcome == "failed"
    assert "Another run has taken over" in end.sentence
    assert world.quickbooks.call_counts(world.company.realm) == {}
    _in_step(world, invoice)


def test_another_run_whose_parent_does_not_hold_the_company_is_skipped(world) -> None:
    events = world.events(run_id="holder")
    next(events)

    assert world.cycle(run_id="child", parent_run_id="somebody else").outcome == "skipped"


def test_a_run_taken_over_between_posting_and_send_sends_nothing(world, monkeypatch) -> None:
    invoice = world.invoice()
    ask = sending._ask

    def taken_over_first(*args: Any) -> Any:
        lease = _take_over(world, "late run")
        leases.release(world.engine.ledger, lease)
        return ask(*args)

    with monkeypatch.context() as patch:
        patch.setattr(sending, "_ask", taken_over_first)
        end = world.cycle(run_id="late run")

    assert end.outcome == "failed"
    assert _numbers(world) == []
    world.later(timedelta(minutes=3))
    world.cycle()
    _in_step(world, invoice)


def test_a_run_taken_over_while_quickbooks_answered_records_nothing(world, monkeypatch) -> None:
    books = [world.invoice(1_000 * n) for n in range(1, 4)]
    ask = sending._ask

    def taken_over_after(*args: Any) -> Any:
        answers = ask(*args)
        leases.release(world.engine.ledger, _take_over(world, "late run"))
        return answers

    with monkeypatch.context() as patch:
        patch.setattr(sending, "_ask", taken_over_after)
        end = world.cycle(run_id="late run")

    assert end.outcome == "failed"
    assert world.links() == {}
    assert set(world.operations().values()) == {"posting"}
    world.cycle()
    _in_step(world, *books)


@pytest.mark.parametrize("stage", [Stage.INBOUND_CHANGES, Stage.APPLIED_CHANGES])
def test_a_run_taken_over_leaves_the_cursor_to_its_successor(world, stage) -> None:
    world.exported()
    late = world.events(run_id="late run")
    _until(late, stage)
    leases.release(world.engine.ledger, _take_over(world, "late run"))
    world.later(timedelta(minutes=15))
    world.cycle()
    cursor = world.cursor

    *_, end = late

    assert end.outcome == "failed"
    assert world.cursor == cursor


@pytest.mark.parametrize("count", [1, 3])
def test_killed_after_the_postings_and_before_the_send(world, monkeypatch, count) -> None:
    books = [world.invoice(1_000 * n) for n in range(1, count + 1)]
    with _killed_at("qbo_sync_dagster.sync.sending._ask", monkeypatch):
        _die(world)
    assert _numbers(world) == []
    assert set(world.operations().values()) == {"posting"}
    assert world.cycle().outcome == "skipped"

    world.later(LEASE_RUN_OUT)
    end = world.cycle()

    assert end.outcome == "succeeded", end.sentence
    _in_step(world, *books)


@pytest.mark.parametrize("count", [1, 3])
def test_killed_after_the_send_and_before_its_answer_was_recorded(
    world, monkeypatch, count
) -> None:
    books = [world.invoice(1_000 * n) for n in range(1, count + 1)]
    with _killed_at("qbo_sync_dagster.sync.sending._record", monkeypatch):
        _die(world)
    assert len(_numbers(world)) == count
    assert world.links() == {}

    world.later(LEASE_RUN_OUT)
    world.forget()
    end = world.cycle()

    assert end.outcome == "succeeded", end.sentence
    counts = world.quickbooks.call_counts(world.company.realm)
    assert counts["create"] + counts["batch"] == 0
    _in_step(world, *books)


def test_killed_while_the_answer_was_recorded_leaves_neither_link_nor_answer(
    world, monkeypatch
) -> None:
    books = [world.invoice(1_000 * n) for n in range(1, 4)]
    with _killed_at("qbo_sync_dagster.sync.documents_out.link_documents", monkeypatch):
        _die(world)
    assert world.links() == {}
    assert set(world.operations().values()) == {"posting"}

    world.later(LEASE_RUN_OUT)
    world.cycle()

    _in_step(world, *books)


def test_killed_while_doubt_was_settled_settles_the_rest_in_the_next_cycle(
    world, monkeypatch
) -> None:
    books = [world.invoice(1_000 * n) for n in range(1, 4)]
    world.quickbooks.fault("drop_after_commit", realm=world.company.realm, kind="batch")
    world.cycle()
    world.later(LEASE_RUN_OUT)
    with _killed_at("qbo_sync_dagster.sync.doubts.finish", monkeypatch):
        _die(world)

    world.later(LEASE_RUN_OUT)
    world.cycle()

    _in_step(world, *books)


def test_killed_before_anything_was_queued_queues_it_in_the_next_cycle(world, monkeypatch) -> None:
    invoice = world.invoice()
    with _killed_at("qbo_sync_dagster.sync.cycle.queue_operations", monkeypatch):
        _die(world)

    world.later(LEASE_RUN_OUT)
    world.cycle()

    _in_step(world, invoice)


def test_the_cursor_never_goes_back(world) -> None:
    world.exported()
    ahead = world.engine.now() + timedelta(hours=1)
    world.configure(cursor=ahead)

    world.cycle()

    assert world.cursor == ahead
