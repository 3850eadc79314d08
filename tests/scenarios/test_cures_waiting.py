"""Cures of what waits for others: a locked invoice, an AlgaPSA that is not ready, a deposit."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta

import sqlalchemy as sa

from qbo_sync_dagster.domain.catalogue import Action, ExceptionKind
from qbo_sync_dagster.sandbox.algapsa import tenants
from tests.scenarios.causes import CAUSES
from tests.scenarios.conftest import Books, World
from tests.scenarios.deciding import closed, decide

LOCKED = "QuickBooks payment waits for a locked invoice"
NOT_READY = "AlgaPSA is not ready for the sync"
REVERSAL = "Payment reversal to record in QuickBooks"


@contextmanager
def locked(world: World) -> Iterator[Books]:
    """An invoice that somebody keeps locked in AlgaPSA, told after an hour."""
    invoice = world.exported(10_000)
    world.pay((invoice, "100.00"))
    with world.owner.begin() as somebody:
        somebody.execute(sa.text("SELECT FROM invoices FOR UPDATE"))
        world.cycle()
        world.later(timedelta(minutes=61))
        world.cycle()
        yield invoice


def test_a_locked_invoices_payment_is_retried_once_the_lock_is_gone(world: World) -> None:
    with locked(world) as invoice:
        number = world.exception(LOCKED).number
    decide(world, number, Action.RETRY)
    assert [each.number for each in world.open()] == [number]
    world.cycle()

    assert world.rows(invoice) == [10_000]
    assert closed(world, LOCKED) == ("resolved", "sync")


def test_a_dismissed_lock_is_told_no_more_and_its_payment_comes_once(world: World) -> None:
    with locked(world) as invoice:
        decide(world, LOCKED, Action.DISMISS)
    world.cycle()
    world.cycle()

    assert world.titles() == []
    assert closed(world, LOCKED) == ("dismissed", "Avery")
    assert world.rows(invoice) == [10_000]


def test_an_algapsa_that_is_ready_again_is_looked_at_by_a_retry(world: World) -> None:
    world.do(tenants.set_auto_sync, True)
    world.cycle()
    number = world.exception(NOT_READY).number
    decide(world, number, Action.RETRY)
    world.cycle()
    assert world.exception(NOT_READY).number == number

    world.do(tenants.set_auto_sync, False)
    decide(world, number, Action.RETRY)
    world.cycle()

    assert closed(world, NOT_READY) == ("resolved", "sync")


def test_a_reversal_that_a_bookkeeper_recorded_otherwise_is_named(world: World) -> None:
    CAUSES[ExceptionKind.REVERSAL_TO_RECORD](world)
    before = world.stands()

    decide(world, REVERSAL, Action.RECORD_REFUND, "JournalEntry 12")
    for _ in range(2):
        world.cycle()

    assert world.stands() == before
    assert (world.titles(), world.operations()) == ([], {})
    [(recorded, minor)] = world.in_ledger(
        "SELECT detail ->> 'quickbooks', amount_minor FROM decisions"
    )
    assert (recorded, minor) == ("JournalEntry 12", 4_000)
