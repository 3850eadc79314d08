"""Payments out and dates: pushed from before the sync, and out of a closed period."""

from __future__ import annotations

from datetime import date, timedelta
from typing import Any

import pytest

from qbo_sync_dagster.actions.cases import Choice
from qbo_sync_dagster.actions.errors import ActionRefusedError
from qbo_sync_dagster.actions.resolving import Resolution, resolve
from qbo_sync_dagster.domain.catalogue import Action
from qbo_sync_dagster.ledger import decisions
from qbo_sync_dagster.sandbox.algapsa import payments

LEFT = "Payments from before the sync don't pair"
CLOSED = "Dated in a closed QuickBooks period"
LATE = "Dated before go-live"


def act(world, title: str, action: Action, target: str = "") -> str:
    choice = Choice(world.exception(title).number, "Ada", "the books were closed last week")
    return resolve(world.engine, Resolution(action, choice, target))


def close_books(world, through: date) -> None:
    world.quickbooks.set(world.company.realm, book_close_date=through.isoformat())


def pushed(world) -> list[tuple[str, Any]]:
    """Date and amount of QuickBooks' payments."""
    found = world.quickbooks.list(world.company.realm, "Payment")
    return [(each["TxnDate"], each["TotalAmt"]) for each in found]


def re_dated(world) -> list[tuple[str, dict[str, Any]]]:
    with world.engine.ledger.connect() as connection:
        found = decisions.of_kind(connection, world.company.realm, "re_dated")
    return [(each.record, each.detail) for each in found]


def settled(world) -> None:
    """Three more cycles move nothing on either side and have nothing left to do."""
    before = world.stands()
    for _ in range(3):
        assert world.cycle().outcome == "succeeded"
    assert world.stands() == before
    assert world.operations() == {}
    assert world.titles() == []


@pytest.fixture
def older(bare_world) -> tuple[Any, Any, str]:
    """(world, invoice, row): a payment that AlgaPSA alone has, from before the connection."""
    world = bare_world
    invoice = world.history()
    row = world.record_in_algapsa(invoice, 4_000, reference="cheque 77")
    world.later(timedelta(days=7))
    quickbooks_id = world.quickbooks_id(invoice)
    world.connect(world.company)
    world.link_everything()
    world.link(("invoice", invoice.invoice_id, quickbooks_id))
    world.cycle()
    assert world.titles() == [LEFT]
    return world, invoice, row


def test_a_payment_from_before_the_sync_is_pushed_once_with_its_own_date(older) -> None:
    world, invoice, row = older
    [paid] = world.payment_rows(invoice)

    act(world, LEFT, Action.PUSH)
    world.cycle()

    assert pushed(world) == [(paid.payment_date.date().isoformat(), 40)]
    assert list(world.links("payment")) == [row]
    assert world.rows(invoice) == [4_000]
    settled(world)
    assert world.rows(invoice) == [4_000]
    with world.engine.ledger.connect() as connection:
        assert decisions.of_kind(connection, world.company.realm, "history") == []


def test_a_payment_from_before_go_live_is_pushed_when_staff_choose_it(older) -> None:
    world, invoice, _ = older
    world.configure(go_live_date=world.today + timedelta(days=1))
    world.cycle()
    assert pushed(world) == []

    act(world, LEFT, Action.PUSH)
    world.cycle()

    assert [amount for _, amount in pushed(world)] == [40]
    assert world.rows(invoice) == [4_000]
    settled(world)


def test_an_older_payment_goes_into_closed_books_only_re_dated(older) -> None:
    world, invoice, row = older
    closing = world.today - timedelta(days=2)
    close_books(world, closing)

    act(world, LEFT, Action.PUSH)
    world.cycle()
    world.cycle()

    assert world.titles() == [CLOSED]
    assert pushed(world) == []

    act(world, CLOSED, Action.RE_DATE)
    world.cycle()

    first_open = (closing + timedelta(days=1)).isoformat()
    assert pushed(world) == [(first_open, 40)]
    assert [(record, detail["to"]) for record, detail in re_dated(world)] == [
        (f"payment:{row}", first_open)
    ]
    assert world.rows(invoice) == [4_000]
    settled(world)


@pytest.fixture
def in_closed_books(world) -> tuple[Any, str, date]:
    """(invoice, row, closing date): a payment of AlgaPSA dated on the day the books close."""
    invoice = world.exported(10_000)
    closing = world.today - timedelta(days=1)
    close_books(world, closing)
    payment = payments.Payment(invoice.invoice_id, 4_000, closing)
    row = world.do(payments.record_payment, payment)
    world.cycle()
    return invoice, row, closing


def test_a_payment_dated_in_closed_books_waits_without_an_attempt(world, in_closed_books) -> None:
    _, row, _ = in_closed_books
    world.cycle()

    assert world.titles() == [CLOSED]
    assert world.exception(CLOSED).record == f"payment:{row}"
    assert pushed(world) == []
    query = "SELECT attempt, faults FROM operations WHERE kind = 'push_payment'"
    assert world.in_ledger(query) == [(1, 0)]


def test_re_dated_it_goes_on_the_first_open_day_and_the_gap_is_on_record(
    world, in_closed_books
) -> None:
    invoice, row, closing = in_closed_books

    told = act(world, CLOSED, Action.RE_DATE)
    world.cycle()

    day = (closing + timedelta(days=1)).isoformat()
    assert day in told
    assert pushed(world) == [(day, 40)]
    [(record, detail)] = re_dated(world)
    assert (record, detail["to"]) == (f"payment:{row}", day)
    [kept] = world.payment_rows(invoice)
    assert (kept.amount, kept.payment_date.date()) == (4_000, closing)
    settled(world)


def test_once_the_books_are_open_again_it_goes_with_its_own_date(world, in_closed_books) -> None:
    _, _, closing = in_closed_books
    world.quickbooks.set(world.company.realm, book_close_date="")

    world.cycle()

    assert pushed(world) == [(closing.isoformat(), 40)]
    assert re_dated(world) == []
    settled(world)


def test_re_dated_into_books_that_close_again_it_waits_anew(world, in_closed_books) -> None:
    _, _, closing = in_closed_books
    act(world, CLOSED, Action.RE_DATE)
    close_books(world, closing + timedelta(days=1))

    world.cycle()

    assert world.titles() == [CLOSED]
    assert pushed(world) == []


def test_a_reversal_in_closed_books_waits_and_is_not_re_dated(world) -> None:
    invoice = world.exported(10_000)
    row = world.record_in_algapsa(invoice, 4_000)
    world.cycle()
    close_books(world, world.today)
    world.do(payments.reverse_payment, row)

    world.cycle()

    assert world.titles() == [CLOSED]
    with pytest.raises(ActionRefusedError, match="Only what is to be created"):
        act(world, CLOSED, Action.RE_DATE)
    assert [amount for _, amount in pushed(world)] == [40]

    world.quickbooks.set(world.company.realm, book_close_date="")
    world.cycle()

    assert pushed(world) == []
    settled(world)


def test_a_period_that_closed_at_the_moment_of_sending_holds_it_without_a_fault(world) -> None:
    invoice = world.exported(10_000)
    world.record_in_algapsa(invoice, 4_000)
    world.quickbooks.fault("fault:6210", realm=world.company.realm, kind="create")

    world.cycle()

    assert world.titles() == [CLOSED]
    assert world.in_ledger("SELECT faults FROM operations WHERE kind = 'push_payment'") == [(0,)]

    world.cycle()

    assert [amount for _, amount in pushed(world)] == [40]
    settled(world)
