"""Credit applied in a period that QuickBooks has closed: held, dated on, or left alone."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from qbo_sync_dagster.domain.catalogue import Action
from tests.scenarios.conftest import Books, World
from tests.scenarios.credit_steps import (
    apply,
    balance,
    key,
    linking,
    note,
    settle,
    settled,
    take_back,
)

CLOSED = "Dated in a closed QuickBooks period"
LONG_ENOUGH = timedelta(minutes=3)


@pytest.fixture
def held(world: World) -> tuple[World, Books, Any]:
    """An application that closed books hold, and its invoice."""
    invoice = world.exported(10_000)
    note(world)
    world.cycle()
    applied = apply(world, invoice)
    world.quickbooks.set(world.company.realm, book_close_date=world.today.isoformat())
    world.forget()
    world.cycle()
    assert world.titles() == [CLOSED]
    assert world.quickbooks.call_counts(world.company.realm)["create"] == 0
    return world, invoice, applied


def test_a_re_dated_application_goes_on_the_first_open_day(held) -> None:
    world, invoice, applied = held

    told = settle(world, CLOSED, Action.RE_DATE)
    world.cycle()

    [made] = linking(world)
    first_open = (world.today + timedelta(days=1)).isoformat()
    assert made["TxnDate"] == first_open
    assert first_open in told
    assert balance(world, invoice) == 70
    assert world.links("credit_application") == {key(applied): made["Id"]}
    assert world.titles() == []
    [(kind, record)] = world.in_ledger("SELECT kind, record FROM decisions")
    assert (kind, record) == ("re_dated", f"credit_application:{key(applied)}")
    settled(world)


def test_books_closed_further_hold_a_re_dated_application_again(held) -> None:
    world, _, _ = held
    settle(world, CLOSED, Action.RE_DATE)
    day = (world.today + timedelta(days=1)).isoformat()
    world.quickbooks.set(world.company.realm, book_close_date=day)

    world.cycle()

    assert linking(world) == []
    assert day in world.exception(CLOSED).what_happened


@pytest.mark.parametrize("effect", ["timeout_after_commit", "timeout_before"])
def test_a_lost_answer_to_a_re_dated_one_makes_no_second(held, effect: str) -> None:
    world, invoice, _ = held
    settle(world, CLOSED, Action.RE_DATE)
    world.quickbooks.fault(effect, realm=world.company.realm, kind="create", entity="Payment")
    world.cycle()

    world.later(LONG_ENOUGH)
    world.cycle()

    assert len(linking(world)) == 1
    assert balance(world, invoice) == 70
    assert world.titles() == []
    settled(world)


def test_books_that_close_while_it_is_sent_hold_it_at_no_fault(world: World) -> None:
    invoice = world.exported(10_000)
    note(world)
    world.cycle()
    apply(world, invoice)
    world.quickbooks.fault("fault:6210", realm=world.company.realm, kind="create")

    world.cycle()

    assert world.titles() == [CLOSED]
    assert world.in_ledger("SELECT state, faults FROM operations WHERE state = 'held'") == [
        ("held", 0)
    ]
    world.cycle()
    assert balance(world, invoice) == 70
    assert world.titles() == []
    settled(world)


def test_taken_back_in_algapsa_it_waits_no_more(held) -> None:
    world, invoice, _ = held

    take_back(world, invoice)
    world.cycle()

    assert (world.titles(), world.operations(), linking(world)) == ([], {}, [])


def test_dismissed_it_is_never_sent_though_the_books_open(held) -> None:
    world, invoice, _ = held

    settle(world, CLOSED, Action.DISMISS)
    world.quickbooks.set(world.company.realm, book_close_date="")
    world.cycle()

    assert linking(world) == []
    assert balance(world, invoice) == 100
    settled(world)
