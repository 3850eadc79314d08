"""Invoices out: nothing is written into a period that QuickBooks has closed."""

from __future__ import annotations

from datetime import timedelta

from qbo_sync_dagster.sandbox.algapsa import edits

CLOSED = "Dated in a closed QuickBooks period"


def _close_until(world, day):
    world.quickbooks.set(world.company.realm, book_close_date=day.isoformat() if day else "")


def _creates(world):
    counts = world.quickbooks.call_counts(world.company.realm)
    return counts["create"] + counts["batch"]


def test_an_invoice_dated_on_the_closing_date_is_held_and_not_sent(world) -> None:
    day = world.today - timedelta(days=2)
    _close_until(world, day)
    invoice = world.invoice(day=day)

    end = world.cycle()

    assert end.outcome == "succeeded"
    assert _creates(world) == 0
    assert world.titles() == [CLOSED]
    assert day.isoformat() in world.exception(CLOSED).what_happened
    assert world.operations() == {f"Invoice {invoice.number}": "held"}
    assert (end.health.held, end.health.errored) == (1, 0)


def test_an_invoice_dated_the_day_after_goes_out(world) -> None:
    day = world.today - timedelta(days=2)
    _close_until(world, day)
    invoice = world.invoice(day=day + timedelta(days=1))

    world.cycle()

    assert len(world.in_quickbooks(invoice)) == 1
    assert world.titles() == []


def test_a_held_invoice_does_not_hold_back_the_others(world) -> None:
    _close_until(world, world.today - timedelta(days=2))
    held = world.invoice(day=world.today - timedelta(days=5))
    other = world.invoice(client=1)

    world.cycle()

    assert world.in_quickbooks(held) == []
    assert len(world.in_quickbooks(other)) == 1


def test_a_held_invoice_goes_out_by_itself_once_the_period_is_reopened(world) -> None:
    _close_until(world, world.today - timedelta(days=2))
    invoice = world.invoice(day=world.today - timedelta(days=5))
    world.cycle()
    number = world.exception(CLOSED).number
    world.cycle()
    assert world.exception(CLOSED).number == number

    _close_until(world, None)
    end = world.cycle()

    assert len(world.in_quickbooks(invoice)) == 1
    assert world.titles() == []
    assert end.health.pending == 0


def test_a_period_closed_between_reading_and_sending_holds_without_an_attempt(world) -> None:
    invoice = world.invoice()
    world.quickbooks.fault("fault:6210", realm=world.company.realm, kind="create")

    end = world.cycle()

    assert end.outcome == "succeeded"
    assert world.titles() == [CLOSED]
    assert world.operations() == {f"Invoice {invoice.number}": "held"}
    assert world.in_ledger("SELECT faults FROM operations") == [(0,)]

    world.cycle()

    assert len(world.in_quickbooks(invoice)) == 1
    assert world.titles() == []


def test_fault_6200_at_sending_is_the_same_hold(world) -> None:
    world.invoice()
    world.quickbooks.fault("fault:6200", realm=world.company.realm, kind="create")

    world.cycle()

    assert world.titles() == [CLOSED]


def test_an_invoice_redated_after_the_closing_date_goes_out(world) -> None:
    _close_until(world, world.today - timedelta(days=2))
    invoice = world.invoice(day=world.today - timedelta(days=5))
    world.cycle()

    world.do(edits.redate_invoice, invoice.invoice_id, world.today)
    world.cycle()

    assert len(world.in_quickbooks(invoice)) == 1
    assert world.titles() == []


def test_a_copy_of_the_closing_date_serves_for_a_day_when_it_cannot_be_read(world) -> None:
    day = world.today - timedelta(days=2)
    _close_until(world, day)
    world.exported()
    held, good = world.invoice(day=day), world.invoice(client=1)
    world.quickbooks.fault("503", realm=world.company.realm, kind="read", times=99)

    world.cycle()

    assert world.in_quickbooks(held) == []
    assert len(world.in_quickbooks(good)) == 1


def test_without_a_closing_date_of_the_last_day_nothing_is_sent(world) -> None:
    world.exported()
    world.later(timedelta(hours=25))
    invoice = world.invoice()
    world.quickbooks.fault("503", realm=world.company.realm, kind="read", times=3)

    end = world.cycle()

    assert world.in_quickbooks(invoice) == []
    assert end.health.pending == 1
    assert world.titles() == []

    world.cycle()

    assert len(world.in_quickbooks(invoice)) == 1


def test_preferences_that_are_refused_do_not_stop_the_company_while_a_copy_serves(world) -> None:
    world.exported()
    invoice = world.invoice()
    world.quickbooks.fault("fault:5020", realm=world.company.realm, kind="read")

    end = world.cycle()

    assert end.outcome == "succeeded"
    assert len(world.in_quickbooks(invoice)) == 1


def test_preferences_are_read_once_in_a_cycle_that_posts_and_not_at_all_otherwise(world) -> None:
    for _ in range(3):
        world.invoice()
    world.forget()
    world.cycle()
    assert world.quickbooks.call_counts(world.company.realm)["read"] == 1

    world.forget()
    world.cycle()

    assert world.quickbooks.call_counts(world.company.realm)["read"] == 0
