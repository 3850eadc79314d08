"""Outages that last: the quota of reads is used up, or nobody runs cycles for a day."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from qbo_sync_dagster.sandbox.algapsa import invoices
from tests.scenarios.conftest import World

QUARTER = timedelta(minutes=15)
DAY = timedelta(days=1)
LONG_ENOUGH = timedelta(minutes=3)


def _in_step(world: World, *books: Any) -> None:
    found = world.quickbooks.list(world.company.realm, "Invoice")
    assert sorted(each["DocNumber"] for each in found) == sorted(each.number for each in books)
    assert world.links() == {each.invoice_id: world.quickbooks_id(each) for each in books}
    assert world.operations() == {}
    assert world.titles() == []
    assert world.in_ledger("SELECT DISTINCT faults FROM operations") == [(0,)]


def _quota(world: World, *, exhausted: bool) -> None:
    """Intuit blocks reads until the next month, and lets writes pass."""
    world.quickbooks.set(world.company.realm, read_quota_exhausted=exhausted)


def test_while_the_quota_of_reads_is_used_up_invoices_go_out_and_payments_follow_later(
    world: World,
) -> None:
    paid = world.exported(10_000)
    world.pay((paid, "100.00"))
    _quota(world, exhausted=True)
    books, cursor = [paid], world.cursor
    for client in (1, 2):
        books.append(world.invoice(client=client))
        assert world.cycle().outcome == "failed"
        world.later(QUARTER)

    assert all(world.in_quickbooks(each) for each in books)
    assert world.rows(paid) == []
    assert world.cursor == cursor
    assert world.titles() == []

    _quota(world, exhausted=False)
    assert world.cycle().outcome == "succeeded"
    assert world.rows(paid) == [10_000]
    _in_step(world, *books)


def test_what_must_be_read_before_it_is_sent_waits_for_the_quota_at_no_cost(
    world: World,
) -> None:
    voided, paid = world.exported(5_000), world.exported(10_000)
    _quota(world, exhausted=True)
    world.do(invoices.void_invoice, voided.invoice_id)
    world.record_in_algapsa(paid, 4_000)
    world.forget()

    for _ in range(2):
        assert world.cycle().outcome == "failed"
        world.later(QUARTER)

    assert world.quickbooks.call_counts(world.company.realm)["void"] == 0
    assert world.quickbooks.list(world.company.realm, "Payment") == []
    assert world.titles() == []
    _quota(world, exhausted=False)
    world.cycle()
    assert len(world.quickbooks.list(world.company.realm, "Payment")) == 1
    [shown] = world.in_quickbooks(voided)
    assert shown["TotalAmt"] == 0
    _in_step(world, voided, paid)


def test_an_answer_lost_while_the_quota_is_used_up_is_settled_once_reads_pass_again(
    world: World,
) -> None:
    first = world.exported()
    _quota(world, exhausted=True)
    world.quickbooks.set(world.company.realm, requestid_retention_seconds=60)
    invoice = world.invoice(client=1)
    world.quickbooks.fault("drop_after_commit", realm=world.company.realm, kind="create")
    for _ in range(3):
        world.cycle()
        world.later(QUARTER)
    assert len(world.in_quickbooks(invoice)) == 1

    _quota(world, exhausted=False)
    world.cycle()

    _in_step(world, first, invoice)


def test_six_hours_without_quickbooks_end_in_one_cycle_of_few_calls(world: World) -> None:
    books = [world.exported() for _ in range(2)]
    world.quickbooks.fault("503", realm=world.company.realm, times=10_000)
    for hour in range(6):
        world.later(timedelta(hours=1))
        books.append(world.invoice(1_000 + hour, client=hour % 3))
        assert world.cycle().outcome == "failed"
    assert world.titles() == []
    world.quickbooks.clear_faults()
    for each in books[:2]:
        world.pay((each, "100.00"))
    world.later(LONG_ENOUGH)
    world.forget()

    end = world.cycle()

    assert end.outcome == "succeeded", end.sentence
    counts = world.quickbooks.call_counts(world.company.realm)
    assert counts["create"] + counts["batch"] <= 1
    assert sum(counts.values()) <= 6
    assert [world.rows(each) for each in books[:2]] == [[10_000], [10_000]]
    _in_step(world, *books)


@pytest.mark.parametrize("away", [DAY, 8 * DAY], ids=["a day", "over a week"])
def test_after_a_time_without_cycles_one_cycle_catches_up_on_both_sides(
    world: World, away: timedelta
) -> None:
    paid = world.exported(10_000)
    world.pay((paid, "100.00"))
    world.later(away)
    new = [world.invoice(1_000 * n, client=n) for n in range(3)]
    world.forget()

    end = world.cycle()

    assert end.outcome == "succeeded", end.sentence
    assert world.rows(paid) == [10_000]
    assert world.metered() <= 4
    _in_step(world, paid, *new)
