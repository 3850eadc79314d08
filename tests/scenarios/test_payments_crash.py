"""Payments in when the cycle dies or is taken over between the two databases."""

from __future__ import annotations

import pkgutil
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import timedelta
from typing import Any

import pytest
import sqlalchemy as sa

from qbo_sync_dagster.algapsa.payments_write import PaymentTransaction
from qbo_sync_dagster.ledger import leases
from qbo_sync_dagster.ledger.tables import audit_log
from qbo_sync_dagster.sync.outcome import CycleEnd

LEASE_RUN_OUT = timedelta(minutes=6)


class KilledError(BaseException):
    """The process is gone: nobody tidies up after it."""


@contextmanager
def killed_at(target: str, monkeypatch: pytest.MonkeyPatch, after: int = 0) -> Iterator[None]:
    """Here the process dies instead of calling `target` once more, its lease still held."""
    real = pkgutil.resolve_name(target)
    calls = 0

    def dies(*args: Any, **options: Any) -> Any:
        nonlocal calls
        calls += 1
        if calls > after:
            raise KilledError
        return real(*args, **options)

    with monkeypatch.context() as patch:
        patch.setattr(target, dies)
        patch.setattr("qbo_sync_dagster.sync.cycle.leases.release", lambda *_: None)
        yield


def die(world) -> None:
    with pytest.raises(KilledError):
        world.cycle()


def written(world) -> list[str]:
    """What the audit log says was done to payments in AlgaPSA."""
    query = sa.select(audit_log.c.effect).where(audit_log.c.record.startswith("payment:"))
    with world.engine.ledger.connect() as connection:
        return list(connection.execute(query.order_by(audit_log.c.sequence)).scalars())


@pytest.mark.parametrize("edition", ["community", "enterprise"])
def test_killed_after_algapsa_was_written_and_before_the_ledger_knew(world, monkeypatch) -> None:
    first, second = world.invoice(10_000), world.invoice(5_000)
    world.cycle()
    cursor = world.cursor
    payment = world.pay((first, "100.00"), (second, "50.00"))
    with killed_at("qbo_sync_dagster.sync.payments.record_results", monkeypatch):
        die(world)
    assert world.rows(first) == [10_000]
    assert world.changes() == {(payment, 0): "received"}
    assert world.cursor == cursor
    assert world.cycle().outcome == "skipped"

    world.later(LEASE_RUN_OUT)
    applied = world.receive()

    assert (applied.payments_applied, applied.rows_written) == (1, 0)
    assert (world.rows(first), world.rows(second)) == ([10_000], [5_000])
    assert world.changes() == {(payment, 0): "applied"}
    assert written(world) == ["apply payment"]


def test_killed_between_two_payments(world, monkeypatch) -> None:
    books = [world.invoice(10_000) for _ in range(3)]
    world.cycle()
    for invoice in books:
        world.pay((invoice, "100.00"))
    with killed_at("qbo_sync_dagster.sync.payments.plan_payment", monkeypatch, after=2):
        die(world)
    assert [world.rows(each) for each in books] == [[10_000], [10_000], []]

    world.later(LEASE_RUN_OUT)
    world.receive()

    assert [world.rows(each) for each in books] == [[10_000]] * 3
    assert written(world) == ["apply payment"] * 3
    assert world.titles() == []


def test_killed_inside_algapsas_transaction(world, monkeypatch) -> None:
    invoice = world.exported(10_000)
    world.pay((invoice, "100.00"))
    write = PaymentTransaction.write

    def half(self: PaymentTransaction, *args: Any) -> None:
        write(self, *args)
        raise KilledError

    with monkeypatch.context() as patch:
        patch.setattr(PaymentTransaction, "write", half)
        die(world)
    assert world.rows(invoice) == []
    assert world.state(invoice).status == "sent"

    world.receive()

    assert world.rows(invoice) == [10_000]


def test_killed_in_an_edit_and_edited_again_before_the_next_cycle(world, monkeypatch) -> None:
    first, second = world.invoice(10_000), world.invoice(10_000)
    world.cycle()
    payment = world.pay((first, "100.00"))
    world.receive()
    world.repay(payment, (second, "100.00"))
    with killed_at("qbo_sync_dagster.sync.payments.record_results", monkeypatch):
        die(world)
    world.repay(payment, (first, "30.00"), (second, "20.00"))

    world.later(LEASE_RUN_OUT)
    world.receive()

    assert (world.state(first).paid, world.state(second).paid) == (3_000, 2_000)
    assert world.titles() == []


def test_killed_after_the_poll_was_stored(world, monkeypatch) -> None:
    invoice = world.exported(10_000)
    world.pay((invoice, "100.00"))
    with killed_at("qbo_sync_dagster.sync.cycle.apply_payments", monkeypatch):
        die(world)
    assert list(world.changes().values()) == ["received"]

    world.later(LEASE_RUN_OUT)
    world.receive()

    assert world.rows(invoice) == [10_000]
    assert world.state(invoice).status == "paid"


def test_killed_before_the_cursor_moved_delivers_again_and_writes_nothing(
    world, monkeypatch
) -> None:
    invoice = world.exported(10_000)
    world.pay((invoice, "100.00"))
    cursor = world.cursor
    with killed_at("qbo_sync_dagster.sync.cycle.connections.advance_cursor", monkeypatch):
        die(world)
    assert world.cursor == cursor

    world.later(LEASE_RUN_OUT)

    assert world.receive().rows_written == 0
    assert world.rows(invoice) == [10_000]


def test_a_ledger_restored_from_before_the_payment_writes_nothing_twice(world) -> None:
    invoice = world.exported(10_000)
    cursor = world.cursor
    payment = world.pay((invoice, "100.00"))
    world.receive()
    with world.engine.ledger.begin() as connection:
        connection.execute(sa.text("DELETE FROM inbound_changes WHERE entity = 'Payment'"))
    world.configure(cursor=cursor)

    applied = world.receive()

    assert applied.rows_written == 0
    assert world.rows(invoice) == [10_000]
    assert world.changes() == {(payment, 0): "applied"}


def test_a_run_taken_over_while_it_waited_for_the_invoice_writes_nothing(world) -> None:
    invoice = world.exported(10_000)
    payment = world.pay((invoice, "100.00"))
    ends: list[CycleEnd] = []
    late = threading.Thread(target=lambda: ends.append(world.cycle(run_id="late run")))
    with world.owner.begin() as somebody:
        somebody.execute(sa.text("SELECT FROM invoices FOR UPDATE"))
        late.start()
        wait_for_a_blocked_session(world, late)
        taken = leases.take(
            world.engine.ledger, world.company.realm, "its child", parent_holder="late run"
        )
        assert taken is not None
    late.join()

    [end] = ends
    assert end.outcome == "failed"
    assert "Another run has taken over" in end.sentence
    assert world.rows(invoice) == []
    assert world.state(invoice).status == "sent"
    assert world.changes() == {(payment, 0): "received"}

    leases.release(world.engine.ledger, taken)
    world.receive()
    assert world.rows(invoice) == [10_000]


def wait_for_a_blocked_session(world, thread: threading.Thread) -> None:
    """Return once somebody waits for a row that this test holds."""
    blocked = sa.text(
        "SELECT count(*) FROM pg_stat_activity"
        " WHERE datname = current_database() AND wait_event_type = 'Lock'"
    )
    while thread.is_alive():
        with world.owner.connect() as connection:
            if connection.execute(blocked).scalar_one():
                return
    raise AssertionError("The cycle ended without waiting for the invoice.")


def test_two_cycles_at_once_apply_a_payment_once(world) -> None:
    invoice = world.exported(10_000)
    world.pay((invoice, "100.00"))
    first = world.events()
    next(first)

    assert world.cycle().outcome == "skipped"
    with suppress(StopIteration):
        while True:
            next(first)

    assert world.rows(invoice) == [10_000]
