"""Payments in: recorded, changed, voided, unapplied and deleted in QuickBooks."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from qbo_sync_dagster.sandbox.algapsa import reading

both_editions = pytest.mark.parametrize("edition", ["community", "enterprise"])


@both_editions
def test_part_payment_then_the_rest(world) -> None:
    invoice = world.exported(10_000)

    first = world.pay((invoice, "30.00"), ref="4711")
    world.receive()
    assert (world.state(invoice).status, world.state(invoice).balance) == (
        "partially_applied",
        7_000,
    )

    second = world.pay((invoice, "70.00"))
    applied = world.receive()

    assert (applied.payments_applied, applied.rows_written) == (1, 1)
    assert (world.state(invoice).status, world.state(invoice).balance) == ("paid", 0)
    assert world.rows(invoice) == [3_000, 7_000]
    rows = world.payment_rows(invoice)
    assert [(row.method, row.reference, row.status) for row in rows] == [
        ("quickbooks", "4711", "completed"),
        ("quickbooks", second, "completed"),
    ]
    moved = reading.transaction_rows(world.owner, invoice.invoice_id)
    assert [(row.type, row.amount, row.currency) for row in moved] == [
        ("payment", 3_000, "USD"),
        ("payment", 7_000, "USD"),
    ]
    assert world.changes() == {(first, 0): "applied", (second, 0): "applied"}
    assert world.titles() == []


@both_editions
def test_one_cheque_over_three_invoices(world) -> None:
    books = [world.invoice(cents) for cents in (10_000, 4_000, 1)]
    world.cycle()

    world.pay((books[0], "60.00"), (books[1], "40.00"), (books[2], "0.01"))
    applied = world.receive()

    assert (applied.payments_applied, applied.rows_written) == (1, 3)
    assert [world.rows(each) for each in books] == [[6_000], [4_000], [1]]
    assert [world.state(each).status for each in books] == ["partially_applied", "paid", "paid"]
    assert world.titles() == []


def test_two_lines_to_one_invoice_are_one_sum(world, spoil) -> None:
    invoice = world.exported(10_000)
    payment = world.pay((invoice, "100.00"))
    link = [{"TxnId": world.quickbooks_id(invoice), "TxnType": "Invoice"}]
    spoil(
        "Payment",
        payment,
        Line=[{"Amount": 60, "LinkedTxn": link}, {"Amount": 40, "LinkedTxn": link}],
    )

    world.receive()

    assert world.rows(invoice) == [10_000]
    assert world.state(invoice).status == "paid"


def test_a_smaller_amount_gives_back_the_difference(world) -> None:
    invoice = world.exported(10_000)
    payment = world.pay((invoice, "100.00"))
    world.receive()

    world.repay(payment, (invoice, "60.00"))
    applied = world.receive()

    assert (applied.payments_applied, applied.payments_reversed) == (1, 1)
    assert world.rows(invoice) == [10_000, -10_000, 6_000]
    assert (world.state(invoice).status, world.state(invoice).balance) == (
        "partially_applied",
        4_000,
    )
    assert world.titles() == []


def test_a_larger_amount_replaces_the_smaller(world) -> None:
    invoice = world.exported(10_000)
    payment = world.pay((invoice, "60.00"))
    world.receive()

    world.repay(payment, (invoice, "100.00"))
    world.receive()

    assert world.rows(invoice) == [6_000, -6_000, 10_000]
    assert world.state(invoice).status == "paid"
    assert world.titles() == []


def test_money_moved_to_another_invoice_moves_here_too(world) -> None:
    first, second = world.invoice(10_000), world.invoice(10_000)
    world.cycle()
    payment = world.pay((first, "100.00"))
    world.receive()

    world.repay(payment, (second, "100.00"))
    world.receive()

    assert (world.rows(first), world.rows(second)) == ([10_000, -10_000], [10_000])
    assert (world.state(first).status, world.state(second).status) == ("sent", "paid")
    assert world.titles() == []


def test_another_date_is_a_new_row_and_the_reversal_keeps_the_old_day(world) -> None:
    day, corrected = (world.today - timedelta(days=days) for days in (5, 2))
    invoice = world.exported(10_000)
    payment = world.pay((invoice, "100.00"), date=day.isoformat())
    world.receive()

    world.repay(payment, TxnDate=corrected.isoformat())
    world.receive()

    first, reversal, second = world.payment_rows(invoice)
    assert (first.amount, reversal.amount, second.amount) == (10_000, -10_000, 10_000)
    assert [row.payment_date for row in (first, second)] == [
        datetime(each.year, each.month, each.day, tzinfo=UTC) for each in (day, corrected)
    ]
    assert reversal.status == "reversed"
    assert reversal.metadata["qbo_sync"]["date"] == day.isoformat()
    assert reversal.metadata["qbo_sync"]["reverses"] == first.payment_id
    assert world.state(invoice).status == "paid"


def test_a_july_payment_received_in_august_stays_in_july(world) -> None:
    day = world.today.replace(day=1) - timedelta(days=1)
    invoice = world.exported(10_000)
    world.pay((invoice, "100.00"), date=day.isoformat())

    world.receive()

    [row] = world.payment_rows(invoice)
    assert row.payment_date == datetime(day.year, day.month, day.day, tzinfo=UTC)
    [moved] = reading.transaction_rows(world.owner, invoice.invoice_id)
    assert moved.metadata["payment_date"] == day.isoformat()
    assert moved.metadata["kind"] == "payment"


@both_editions
@pytest.mark.parametrize("end", ["void", "delete", "unapply"])
def test_a_payment_that_ends_is_taken_back_once(world, end: str) -> None:
    first, second = world.invoice(10_000), world.invoice(5_000)
    world.cycle()
    kept = world.pay((second, "20.00"))
    payment = world.pay((first, "100.00"), (second, "30.00"))
    world.receive()
    assert world.state(second).status == "paid"

    if end == "unapply":
        world.quickbooks.unapply(world.company.realm, payment)
    else:
        getattr(world.quickbooks, end)(world.company.realm, "Payment", payment)
    applied = world.receive()

    assert (applied.payments_applied, applied.payments_reversed) == (1, 1)
    assert (world.rows(first), world.rows(second)) == (
        [10_000, -10_000],
        [2_000, 3_000, -3_000],
    )
    assert (world.state(first).status, world.state(second).status) == (
        "sent",
        "partially_applied",
    )
    assert world.titles() == []
    assert world.receive().rows_written == 0
    assert world.changes()[kept, 0] == "applied"


def test_a_payment_applied_again_after_it_was_taken_off(world) -> None:
    invoice = world.exported(10_000)
    payment = world.pay((invoice, "100.00"))
    world.receive()
    world.quickbooks.unapply(world.company.realm, payment)
    world.receive()

    world.repay(payment, (invoice, "100.00"))
    world.receive()

    assert world.rows(invoice) == [10_000, -10_000, 10_000]
    assert world.state(invoice).status == "paid"


def test_recorded_changed_and_deleted_between_two_cycles_leaves_no_trace(world) -> None:
    invoice = world.exported(10_000)
    payment = world.pay((invoice, "100.00"))
    world.repay(payment, (invoice, "50.00"))
    world.quickbooks.delete(world.company.realm, "Payment", payment)

    world.receive()

    assert world.rows(invoice) == []
    assert world.state(invoice).status == "sent"
    assert world.titles() == []


def test_entered_anew_while_the_old_one_is_deleted(world) -> None:
    invoice = world.exported(10_000)
    payment = world.pay((invoice, "100.00"))
    world.receive()
    world.quickbooks.delete(world.company.realm, "Payment", payment)
    world.pay((invoice, "100.00"), date=(world.today - timedelta(days=3)).isoformat())

    world.receive()

    assert world.rows(invoice) == [10_000, -10_000, 10_000]
    assert world.state(invoice).status == "paid"
    assert world.titles() == []


def test_an_edit_that_moves_no_money_writes_nothing(world) -> None:
    invoice = world.exported(10_000)
    payment = world.pay((invoice, "100.00"))
    world.receive()

    world.repay(payment, PrivateNote="Thank you")
    world.quickbooks.deposit(world.company.realm, payment)
    applied = world.receive()

    assert applied.rows_written == 0
    assert world.changes() == {(payment, 0): "applied", (payment, 1): "known"}
    assert world.rows(invoice) == [10_000]


def test_the_same_change_delivered_again_writes_nothing(world) -> None:
    invoice = world.exported(10_000)
    world.pay((invoice, "100.00"))
    world.receive()

    # Each poll asks from five minutes before the cursor, so the payment comes again.
    again = world.receive()

    assert (again.payments_applied, again.rows_written) == (0, 0)
    assert world.rows(invoice) == [10_000]


def test_an_older_version_delivered_late_is_passed_over(world, spoil) -> None:
    invoice = world.exported(10_000)
    payment = world.pay((invoice, "100.00"))
    world.receive()
    old = world.quickbooks.get(world.company.realm, "Payment", payment)
    world.repay(payment, (invoice, "40.00"))
    new = world.quickbooks.get(world.company.realm, "Payment", payment)
    world.repay(payment, (invoice, "50.00"))
    world.receive()

    for stale in (old, new):
        spoil("Payment", payment, **{name: stale[name] for name in ("SyncToken", "Line")})
        assert world.receive().rows_written == 0

    assert world.state(invoice).paid == 5_000
    assert world.changes() == {
        (payment, 0): "applied",
        (payment, 1): "known",
        (payment, 2): "applied",
    }
    assert world.titles() == []


def test_a_version_that_arrives_after_the_deletion_does_not_revive_the_payment(
    world, spoil
) -> None:
    invoice = world.exported(10_000)
    payment = world.pay((invoice, "100.00"))
    body = world.quickbooks.get(world.company.realm, "Payment", payment)
    world.receive()
    world.quickbooks.delete(world.company.realm, "Payment", payment)
    world.receive()

    other = world.pay((invoice, "1.00"))
    spoil("Payment", other, **(body | {"SyncToken": "7"}))
    world.receive()

    assert world.rows(invoice) == [10_000, -10_000]
    assert world.changes()[payment, 7] == "known"
    assert world.titles() == []


def test_paid_while_the_answer_to_its_export_was_lost(world) -> None:
    invoice = world.invoice(10_000)
    world.quickbooks.fault("drop_after_commit", realm=world.company.realm, kind="create")
    world.cycle()
    assert world.links() == {}
    world.pay((invoice, "100.00"))
    world.later(timedelta(minutes=3))

    world.receive()

    assert len(world.in_quickbooks(invoice)) == 1
    assert world.rows(invoice) == [10_000]
    assert world.titles() == []


def test_money_left_over_stays_in_quickbooks_until_it_is_applied(world) -> None:
    first, second = world.invoice(10_000), world.invoice(5_000)
    world.cycle()
    payment = world.pay((first, "100.00"), total="120.00")
    world.receive()
    assert (world.rows(first), world.rows(second)) == ([10_000], [])

    world.repay(payment, (first, "100.00"), (second, "20.00"), total="120.00")
    world.receive()

    assert (world.rows(first), world.rows(second)) == ([10_000], [2_000])
    assert world.titles() == []
