"""QuickBooks that is down, slow or throttling: nothing is lost, and no record is blamed."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from qbo_sync_dagster.sync.outcome import Stage

DOWN = ("503", "500", "502_html", "html_200", "timeout_before", "drop_before", "malformed_json")


def _fault(world, effect: str, **options: object) -> None:
    world.quickbooks.fault(effect, realm=world.company.realm, **{"times": 50} | options)


def _numbers(world) -> list[str]:
    found = world.quickbooks.list(world.company.realm, "Invoice")
    return sorted(item["DocNumber"] for item in found)


def _in_step(world, *books: Any) -> None:
    assert _numbers(world) == sorted(each.number for each in books)
    assert world.links() == {each.invoice_id: world.quickbooks_id(each) for each in books}
    assert world.operations() == {}
    assert world.titles() == []


def _no_fault_counted(world) -> None:
    assert world.in_ledger("SELECT DISTINCT faults FROM operations") == [(0,)]


@pytest.mark.parametrize("effect", DOWN)
def test_a_poll_without_an_answer_fails_keeps_the_cursor_and_catches_up(world, effect) -> None:
    paid = world.exported(10_000)
    world.pay((paid, "100.00"))
    cursor = world.cursor
    _fault(world, effect)

    end = world.cycle()

    assert end.outcome == "failed"
    assert "QuickBooks" in end.sentence
    assert world.cursor == cursor
    assert world.rows(paid) == []
    assert world.titles() == []
    world.quickbooks.clear_faults()
    assert world.cycle().outcome == "succeeded"
    assert world.rows(paid) == [10_000]
    assert world.cursor > cursor


def test_an_outage_of_hours_costs_no_attempt_and_raises_no_exception(world) -> None:
    books = [world.exported()]
    _fault(world, "503", times=500)
    books += [world.invoice(1_000 * n) for n in range(1, 4)]

    for _ in range(8):
        world.later(timedelta(minutes=15))
        assert world.cycle().outcome == "failed"

    assert world.titles() == []
    _no_fault_counted(world)
    world.quickbooks.clear_faults()
    world.later(timedelta(minutes=15))
    end = world.cycle()
    assert end.outcome == "succeeded", end.sentence
    _in_step(world, *books)


def test_a_short_hiccup_of_a_read_is_waited_out(world) -> None:
    invoice = world.exported(10_000)
    world.pay((invoice, "100.00"))
    _fault(world, "503", kind="cdc", times=2)

    end = world.cycle()

    assert end.outcome == "succeeded", end.sentence
    assert world.rows(invoice) == [10_000]


@pytest.mark.parametrize("kind", ["create", "batch"])
def test_a_throttled_write_is_waited_for_and_costs_nothing(world, kind) -> None:
    books = [world.invoice(1_000 * n) for n in range(1, 2 if kind == "create" else 4)]
    _fault(world, "429", kind=kind, times=3)

    end = world.cycle()

    assert end.outcome == "succeeded", end.sentence
    _no_fault_counted(world)
    _in_step(world, *books)


@pytest.mark.parametrize("count", [1, 3])
def test_a_storm_of_throttling_longer_than_the_cycle_leaves_the_queue_as_it_was(
    world, count
) -> None:
    world.cycle()
    books = [world.invoice(1_000 * n) for n in range(1, count + 1)]
    _fault(world, "429", kind="create" if count == 1 else "batch", times=500)

    results, end = world.stages()

    assert end.outcome == "succeeded", end.sentence
    assert results[Stage.POSTED_OPERATIONS].stopped_reason
    assert set(world.operations().values()) == {"queued"}
    assert world.titles() == []
    _no_fault_counted(world)
    world.quickbooks.clear_faults()
    world.cycle()
    _in_step(world, *books)


def test_a_throttled_poll_longer_than_the_cycle_fails_and_catches_up(world) -> None:
    paid = world.exported(10_000)
    world.pay((paid, "100.00"))
    cursor = world.cursor
    _fault(world, "429", times=500)

    end = world.cycle()

    assert end.outcome == "failed"
    assert world.cursor == cursor
    world.quickbooks.clear_faults()
    world.cycle()
    assert world.rows(paid) == [10_000]


def test_a_failed_poll_lets_invoices_go_where_the_company_refuses_double_numbers(world) -> None:
    first = world.exported()
    _fault(world, "503", kind="cdc")
    second = world.invoice(client=1)

    end = world.cycle()

    assert end.outcome == "failed"
    world.quickbooks.clear_faults()
    _in_step(world, first, second)


def test_a_failed_poll_sends_nothing_unseen_where_double_numbers_are_accepted(world) -> None:
    world.quickbooks.set(world.company.realm, custom_txn_numbers=False)
    first = world.exported()
    _fault(world, "503", kind="cdc")
    second = world.invoice(client=1)

    end = world.cycle()

    assert end.outcome == "failed"
    assert world.in_quickbooks(second) == []
    world.quickbooks.clear_faults()
    world.cycle()
    _in_step(world, first, second)


@pytest.mark.parametrize(
    ("kind", "entity"), [("read", "Preferences"), ("query", "Invoice")], ids=["closing", "numbers"]
)
def test_what_must_be_known_before_sending_cannot_be_read_so_nothing_is_sent(
    world, kind, entity
) -> None:
    invoice = world.invoice()
    world.forget()
    _fault(world, "503", kind=kind, entity=entity)

    world.cycle()

    assert _numbers(world) == []
    assert world.operations() == {f"Invoice {invoice.number}": "queued"}
    counts = world.quickbooks.call_counts(world.company.realm)
    assert counts["create"] == 0
    world.quickbooks.clear_faults()
    assert world.cycle().outcome == "succeeded"
    _in_step(world, invoice)


def test_payments_come_in_while_writes_get_no_answer(world) -> None:
    books = [world.invoice(1_000 * n) for n in range(1, 4)]
    world.cycle()
    paid = books[0]
    world.pay((paid, "10.00"))
    new = world.invoice(client=1)
    _fault(world, "502_html", kind="create")

    world.cycle()

    assert world.rows(paid) == [1_000]
    assert world.in_quickbooks(new) == []
    world.quickbooks.clear_faults()
    world.later(timedelta(minutes=3))
    world.cycle()
    _in_step(world, *books, new)


@pytest.mark.parametrize("effect", ["403", "401"])
def test_a_refusal_of_every_call_never_drops_changes(world, effect) -> None:
    paid = world.exported(10_000)
    world.pay((paid, "100.00"))
    cursor = world.cursor
    _fault(world, effect, kind="cdc")

    end = world.cycle()

    assert end.outcome in {"failed", "aborted"}
    assert world.cursor == cursor
    world.quickbooks.clear_faults()
    world.connect(world.company, refresh_token=world.quickbooks.refresh_token(world.company.realm))
    assert world.cycle().outcome == "succeeded"
    assert world.rows(paid) == [10_000]
    assert world.titles() == []


def test_an_access_token_refused_once_is_renewed(world) -> None:
    paid = world.exported(10_000)
    world.pay((paid, "100.00"))
    _fault(world, "401", kind="cdc", times=1)

    assert world.cycle().outcome == "succeeded"
    assert world.rows(paid) == [10_000]
