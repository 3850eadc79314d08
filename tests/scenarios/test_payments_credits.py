"""Payments in that are no money: credit memos that QuickBooks applies to our invoices."""

from __future__ import annotations

from decimal import Decimal

import pytest

from qbo_sync_dagster.sandbox.algapsa import reading


def credit_memo(world, amount: str, client: int = 0) -> str:
    customer = world.company.customers[world.clients[client]]
    lines = [(world.company.item, Decimal(amount))]
    return str(world.quickbooks.credit_memo(world.company.realm, customer, lines)["Id"])


def apply_memo(world, invoice, memo: str, amount: str) -> str:
    made = world.quickbooks.apply_credit(
        world.company.realm,
        world.company.customers[world.clients[0]],
        world.quickbooks_id(invoice),
        memo,
        Decimal(amount),
    )
    return str(made["Id"])


@pytest.mark.parametrize("edition", ["community", "enterprise"])
def test_a_credit_memo_of_quickbooks_is_applied_and_labelled_as_credit(world) -> None:
    invoice = world.exported(10_000)
    payment = apply_memo(world, invoice, credit_memo(world, "25.00"), "25.00")

    applied = world.receive()

    assert (applied.payments_applied, applied.rows_written) == (1, 1)
    assert world.rows(invoice) == [2_500]
    [moved] = reading.transaction_rows(world.owner, invoice.invoice_id)
    assert moved.metadata["kind"] == "credit_application"
    assert moved.metadata["external_payment_id"] == payment
    assert world.state(invoice).status == "partially_applied"
    assert world.titles() == []


def test_credit_taken_off_the_invoice_is_taken_back(world) -> None:
    invoice = world.exported(10_000)
    payment = apply_memo(world, invoice, credit_memo(world, "25.00"), "25.00")
    world.receive()

    world.quickbooks.delete(world.company.realm, "Payment", payment)
    world.receive()

    assert world.rows(invoice) == [2_500, -2_500]
    assert world.state(invoice).status == "sent"
    assert world.titles() == []


def test_credit_that_quickbooks_applies_by_itself_comes_in_the_same_way(world) -> None:
    world.quickbooks.set(world.company.realm, auto_apply_credits=True)
    invoice = world.exported(10_000)
    credit_memo(world, "100.00")

    world.receive()

    assert world.rows(invoice) == [10_000]
    assert world.state(invoice).status == "paid"
    assert world.titles() == []


def test_cheque_and_credit_settle_one_invoice_together(world) -> None:
    invoice = world.exported(10_000)
    apply_memo(world, invoice, credit_memo(world, "25.00"), "25.00")
    world.pay((invoice, "75.00"))

    world.receive()

    assert sorted(world.rows(invoice)) == [2_500, 7_500]
    assert world.state(invoice).status == "paid"
    rows = reading.transaction_rows(world.owner, invoice.invoice_id)
    assert {row.amount: row.metadata["kind"] for row in rows} == {
        2_500: "credit_application",
        7_500: "payment",
    }


def test_credit_applied_to_an_unlinked_invoice_waits_like_a_payment(world) -> None:
    invoice = world.history(10_000)
    apply_memo(world, invoice, credit_memo(world, "25.00"), "25.00")

    world.receive()

    assert world.titles() == ["QuickBooks payment references an unknown invoice"]
    assert world.rows(invoice) == []
