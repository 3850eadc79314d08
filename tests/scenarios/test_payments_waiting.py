"""Payments in that cannot be applied yet: each waits under one exception, and the rest go on."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal

import pytest
import sqlalchemy as sa

from qbo_sync_dagster.sandbox.algapsa import edits, invoices, payments

UNKNOWN = "QuickBooks payment references an unknown invoice"
SETTLED = "QuickBooks payment targets an already-settled invoice"
NOT_PAYABLE = "QuickBooks payment targets a non-payable invoice"
CURRENCY = "QuickBooks payment is in another currency than its invoice"
REPLENISHMENT = "QuickBooks payment is for a prepaid replenishment invoice"
LOCKED = "QuickBooks payment waits for a locked invoice"
TOTAL = "Invoice total differs in QuickBooks"


def test_payment_of_an_invoice_that_stays_locked_is_told_after_an_hour(world) -> None:
    invoice = world.exported(10_000)
    world.pay((invoice, "100.00"))
    with world.owner.begin() as somebody:
        somebody.execute(sa.text("SELECT FROM invoices FOR UPDATE"))
        assert world.receive().waiting == 1
        assert world.titles() == []
        world.later(timedelta(minutes=61))
        assert world.receive().waiting == 1
    assert world.titles() == [LOCKED]

    assert world.receive().rows_written == 1
    assert world.rows(invoice) == [10_000]
    assert world.titles() == []


@pytest.mark.parametrize("edition", ["community", "enterprise"])
def test_payment_to_an_unlinked_invoice_applies_itself_once_linked(world) -> None:
    invoice = world.history(10_000)
    payment = world.pay((invoice, "100.00"))

    applied = world.receive()

    assert applied.parked == 1
    assert world.changes() == {(payment, 0): "parked"}
    assert world.titles() == [UNKNOWN]
    [told] = world.open()
    assert f"QuickBooks invoice {invoice.number}" in told.what_happened
    assert world.rows(invoice) == []
    world.receive()
    assert [(each.title, each.count) for each in world.open()] == [(UNKNOWN, 2)]

    world.link(("invoice", invoice.invoice_id, world.quickbooks_id(invoice)))
    world.forget()
    world.receive()

    assert world.rows(invoice) == [10_000]
    assert world.state(invoice).status == "paid"
    assert world.titles() == []
    # One change poll and the linked invoice itself; nothing is asked about the payment.
    asked = [(call.kind, call.entity) for call in world.quickbooks.calls(world.company.realm)]
    assert [each for each in asked if each[0] != "token"] == [
        ("cdc", "Customer,Invoice,Payment,CreditMemo"),
        ("query", "Invoice"),
    ]


def test_a_cheque_over_a_linked_and_an_unlinked_invoice_waits_whole(world) -> None:
    linked, unlinked = world.exported(10_000), world.history(5_000)
    world.pay((linked, "100.00"), (unlinked, "50.00"))

    world.receive()

    assert world.titles() == [UNKNOWN]
    assert (world.rows(linked), world.rows(unlinked)) == ([], [])

    world.link(("invoice", unlinked.invoice_id, world.quickbooks_id(unlinked)))
    world.receive()

    assert (world.rows(linked), world.rows(unlinked)) == ([10_000], [5_000])
    assert world.titles() == []


def test_sales_that_were_never_in_algapsa_are_foreign_without_exception(world) -> None:
    realm = world.company.realm
    stranger = str(world.quickbooks.customer(realm, "Walk-in sales")["Id"])
    sale = world.quickbooks.invoice(realm, stranger, [(world.company.item, 80)], DocNumber="W-1")
    payment = world.quickbooks.record_payment(realm, stranger, [(sale["Id"], 80)])
    invoice = world.exported(10_000)
    world.pay((invoice, "100.00"))

    applied = world.receive()

    assert applied.payments_applied == 1
    assert world.changes()[payment["Id"], 0] == "foreign"
    assert world.titles() == []


def test_a_foreign_payment_applies_itself_once_its_invoice_is_linked(world) -> None:
    realm = world.company.realm
    parent = str(world.quickbooks.customer(realm, "Quarry Lane Holding")["Id"])
    invoice = world.history(10_000, customer=parent)
    found = world.quickbooks_id(invoice)
    world.quickbooks.edit(realm, "Invoice", found, DocNumber="typed by hand")
    payment = world.quickbooks.record_payment(realm, parent, [(found, Decimal(100))])
    world.receive()
    assert world.changes() == {(payment["Id"], 0): "foreign"}
    assert world.titles() == []

    world.link(("invoice", invoice.invoice_id, found))
    world.receive()

    assert world.rows(invoice) == [10_000]
    assert world.changes() == {(payment["Id"], 0): "applied"}


def test_a_strangers_payment_on_an_invoice_with_our_number_is_told(world) -> None:
    realm = world.company.realm
    parent = str(world.quickbooks.customer(realm, "Quarry Lane Holding")["Id"])
    invoice = world.history(10_000, customer=parent)
    world.quickbooks.record_payment(realm, parent, [(world.quickbooks_id(invoice), Decimal(100))])

    world.receive()

    assert world.titles() == [UNKNOWN]


def test_payment_that_pays_nothing_is_no_matter(world) -> None:
    world.pay(total="25.00")

    applied = world.receive()

    assert (applied.rows_written, applied.parked) == (0, 0)
    assert world.titles() == []


def test_edit_that_moves_money_to_an_unlinked_invoice_takes_it_back_first(world) -> None:
    linked, unlinked = world.exported(10_000), world.history(10_000)
    payment = world.pay((linked, "100.00"))
    world.receive()

    world.repay(payment, (unlinked, "100.00"))
    applied = world.receive()

    assert (applied.parked, applied.payments_reversed) == (1, 1)
    assert world.rows(linked) == [10_000, -10_000]
    assert world.state(linked).status == "sent"
    assert world.titles() == [UNKNOWN]


def test_edit_that_moves_money_to_a_draft_takes_it_back_and_waits(world) -> None:
    first, second = world.invoice(10_000), world.invoice(10_000)
    world.cycle()
    payment = world.pay((first, "100.00"))
    world.receive()
    world.do(invoices.reopen_invoice, second.invoice_id, today=world.today, by_sql=True)

    world.repay(payment, (second, "100.00"))
    world.receive()

    assert (world.rows(first), world.rows(second)) == ([10_000, -10_000], [])
    assert world.state(second).status == "draft"
    assert world.titles() == ["Exported invoice was reopened in AlgaPSA", NOT_PAYABLE]

    world.finalize(second)
    world.receive()

    assert world.rows(second) == [10_000]
    assert world.titles() == []


def test_payment_on_a_draft_waits_until_it_is_finalized(world) -> None:
    invoice = world.exported(10_000)
    world.do(invoices.reopen_invoice, invoice.invoice_id, today=world.today, by_sql=True)
    world.pay((invoice, "100.00"))

    world.receive()

    assert world.titles() == ["Exported invoice was reopened in AlgaPSA", NOT_PAYABLE]
    assert (world.rows(invoice), world.state(invoice).status) == ([], "draft")

    world.finalize(invoice)
    world.receive()

    assert world.rows(invoice) == [10_000]
    assert world.titles() == []


def test_payment_on_a_cancelled_invoice_waits_and_the_others_go_on(world) -> None:
    cancelled, open_ = world.invoice(10_000), world.invoice(10_000)
    world.cycle()
    world.do(invoices.void_invoice, cancelled.invoice_id)
    world.pay((cancelled, "100.00"))
    world.pay((open_, "100.00"))

    applied = world.receive()

    assert (applied.payments_applied, applied.parked) == (1, 1)
    assert (world.rows(cancelled), world.rows(open_)) == ([], [10_000])
    assert world.state(cancelled).status == "cancelled"
    assert world.titles() == ["Invoice void keeps failing in accounting", NOT_PAYABLE]
    [told] = [each for each in world.open() if each.title == NOT_PAYABLE]
    assert "which is cancelled in AlgaPSA" in told.what_happened


def test_payment_taken_back_from_a_cancelled_invoice_leaves_it_cancelled(world) -> None:
    invoice = world.exported(10_000)
    payment = world.pay((invoice, "100.00"))
    world.receive()
    world.do(invoices.bulk_cancel, [invoice.invoice_id])

    world.repay(payment, (invoice, "40.00"))
    world.receive()

    assert world.rows(invoice) == [10_000, -10_000, 4_000]
    assert world.state(invoice).status == "cancelled"


def test_payment_on_an_invoice_that_algapsa_deleted_waits(world) -> None:
    invoice = world.exported(10_000)
    world.do(invoices.delete_invoice, invoice.invoice_id, by_sql=True)
    world.pay((invoice, "100.00"))

    world.receive()

    assert world.titles() == ["Exported invoice was deleted in AlgaPSA", NOT_PAYABLE]


def test_payment_on_a_settled_invoice_waits_until_there_is_room(world) -> None:
    invoice = world.exported(10_000)
    own = world.record_in_algapsa(invoice, 10_000)
    world.pay((invoice, "40.00"))

    world.receive()

    assert world.titles() == [SETTLED]
    [told] = world.open()
    assert sorted(told.amounts.values()) == [0, 4_000]
    assert world.rows(invoice) == [10_000]

    world.do(payments.reverse_payment, own)
    world.receive()

    assert world.rows(invoice) == [10_000, -10_000, 4_000]
    assert world.state(invoice).status == "partially_applied"
    assert world.titles() == []


def test_payment_larger_than_the_balance_waits_with_both_figures(world) -> None:
    invoice = world.exported(10_000)
    world.record_in_algapsa(invoice, 3_000)
    payment = world.pay((invoice, "100.00"))

    world.receive()

    assert world.titles() == [SETTLED]
    [told] = world.open()
    assert sorted(told.amounts.values()) == [7_000, 10_000]
    assert "100.00" in told.what_happened
    assert "70.00" in told.what_happened
    assert world.rows(invoice) == [3_000]

    world.repay(payment, (invoice, "70.00"))
    world.cycle()

    assert world.rows(invoice) == [3_000, 7_000]
    assert world.state(invoice).status == "paid"
    assert world.titles() == []


def test_a_raise_beyond_the_balance_waits_and_keeps_what_stood(world) -> None:
    invoice = world.exported(10_000)
    payment = world.pay((invoice, "50.00"))
    world.receive()
    world.record_in_algapsa(invoice, 3_000)

    world.repay(payment, (invoice, "90.00"))
    world.receive()

    assert world.rows(invoice) == [5_000, 3_000]
    assert world.titles() == [SETTLED]


def test_payment_in_another_currency_waits_and_everything_else_goes_on(world) -> None:
    realm = world.company.realm
    world.quickbooks.set(realm, multicurrency=True, exchange_rates={"EUR": "1.1"})
    abroad = str(world.quickbooks.customer(realm, "Birch EU", CurrencyRef={"value": "EUR"})["Id"])
    euros = world.history(10_000, client=1, customer=abroad)
    world.link(("invoice", euros.invoice_id, world.quickbooks_id(euros)))
    invoice = world.exported(10_000)
    lines = [(world.quickbooks_id(euros), Decimal(100))]
    foreign = world.quickbooks.record_payment(realm, abroad, lines)
    world.pay((invoice, "100.00"))
    new = world.invoice(5_000)

    end = world.cycle()

    assert end.outcome == "succeeded"
    assert CURRENCY in world.titles()
    assert world.changes()[foreign["Id"], 0] == "parked"
    assert (world.rows(euros), world.rows(invoice)) == ([], [10_000])
    assert world.in_quickbooks(new)


def test_payment_of_a_prepaid_replenishment_waits(world) -> None:
    invoice = world.exported(10_000)
    world.do(edits.await_replenishment, world.clients[0], invoice.invoice_id)
    world.pay((invoice, "100.00"))

    world.receive()

    assert world.titles() == [REPLENISHMENT]
    assert world.rows(invoice) == []


def test_payments_wait_under_the_open_total_difference_alone(world) -> None:
    invoice = world.history(10_000)
    found = world.quickbooks_id(invoice)
    line = world.quickbooks.get(world.company.realm, "Invoice", found)["Line"][0]
    world.quickbooks.edit(
        world.company.realm, "Invoice", found, Line=[{**line, "Amount": Decimal("100.05")}]
    )
    world.link(("invoice", invoice.invoice_id, found))
    payment = world.pay((invoice, "100.05"))

    world.receive()

    assert world.titles() == [TOTAL]
    assert world.changes() == {(payment, 0): "parked"}
    assert world.rows(invoice) == []


def test_total_corrected_in_quickbooks_frees_the_payments(world) -> None:
    realm = world.company.realm
    invoice = world.history(10_000)
    found = world.quickbooks_id(invoice)
    line = world.quickbooks.get(realm, "Invoice", found)["Line"][0]
    world.quickbooks.edit(realm, "Invoice", found, Line=[{**line, "Amount": Decimal("100.05")}])
    world.link(("invoice", invoice.invoice_id, found))
    world.pay((invoice, "100.00"))
    world.receive()
    assert world.titles() == [TOTAL]

    world.quickbooks.edit(realm, "Invoice", found, Line=[{**line, "Amount": Decimal("100.00")}])
    world.receive()
    assert world.titles() == []
    world.receive()

    assert world.rows(invoice) == [10_000]


def test_a_difference_that_the_company_accepts_names_the_cents_left_over(world) -> None:
    world.configure(accepted_cents=5)
    invoice = world.history(10_000)
    found = world.quickbooks_id(invoice)
    line = world.quickbooks.get(world.company.realm, "Invoice", found)["Line"][0]
    world.quickbooks.edit(
        world.company.realm, "Invoice", found, Line=[{**line, "Amount": Decimal("100.05")}]
    )
    world.link(("invoice", invoice.invoice_id, found))
    world.pay((invoice, "100.05"))

    world.receive()

    assert world.titles() == []
    assert world.rows(invoice) == [10_000]
    assert world.state(invoice).balance == 0


def test_payment_of_a_link_nobody_could_check_yet_waits_for_the_check(world) -> None:
    invoice = world.history(10_000)
    found = world.quickbooks_id(invoice)
    line = world.quickbooks.get(world.company.realm, "Invoice", found)["Line"][0]
    world.quickbooks.edit(
        world.company.realm, "Invoice", found, Line=[{**line, "Amount": Decimal("100.05")}]
    )
    world.pay((invoice, "100.00"))
    world.receive()
    world.link(("invoice", invoice.invoice_id, found))
    world.quickbooks.fault("503", realm=world.company.realm, times=50)

    assert world.cycle().outcome == "failed"

    assert world.rows(invoice) == []
    world.quickbooks.clear_faults()
    world.receive()
    assert world.titles() == [TOTAL]
    assert world.rows(invoice) == []


def test_lines_that_together_exceed_the_balance_wait_as_one_sum(world, spoil) -> None:
    invoice = world.exported(10_000)
    payment = world.pay((invoice, "100.00"))
    link = [{"TxnId": world.quickbooks_id(invoice), "TxnType": "Invoice"}]
    lines = [{"Amount": amount, "LinkedTxn": link} for amount in (60, 70)]
    spoil("Payment", payment, Line=lines, TotalAmt=130)

    world.receive()

    assert world.titles() == [SETTLED]
    [told] = world.open()
    assert sorted(told.amounts.values()) == [10_000, 13_000]
    assert world.rows(invoice) == []
