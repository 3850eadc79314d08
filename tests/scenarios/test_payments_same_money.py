"""Payments in: the same money entered by hand on both sides is held until a person decides."""

from __future__ import annotations

from decimal import Decimal

import pytest

from qbo_sync_dagster.domain.catalogue import Action
from qbo_sync_dagster.sandbox.algapsa import credit, payments
from qbo_sync_dagster.sandbox.algapsa.charges import Charge

from .deciding import decide

SAME = "Same payment on both sides?"
TOTAL = "Invoice total differs in QuickBooks"
SETTLED = "QuickBooks payment targets an already-settled invoice"
UNKNOWN = "QuickBooks payment references an unknown invoice"


@pytest.mark.parametrize("edition", ["community", "enterprise"])
def test_the_same_cheque_on_both_sides_is_held(world) -> None:
    invoice = world.exported(10_000)
    world.record_in_algapsa(invoice, 4_000, reference="4711")
    payment = world.pay((invoice, "40.00"), ref="4711")

    applied = world.receive()

    assert (applied.parked, applied.rows_written) == (1, 0)
    assert world.titles() == [SAME]
    [told] = world.open()
    assert "AlgaPSA itself has a payment of 40.00 there" in told.what_happened
    assert world.rows(invoice) == [4_000]
    assert world.changes() == {(payment, 0): "parked"}
    world.receive()
    assert world.rows(invoice) == [4_000]


def test_held_cheque_is_applied_once_algapsas_goes_away(world) -> None:
    invoice = world.exported(10_000)
    own = world.record_in_algapsa(invoice, 4_000)
    world.pay((invoice, "40.00"))
    world.receive()

    world.do(payments.reverse_payment, own)
    world.receive()

    assert world.rows(invoice) == [4_000, -4_000, 4_000]
    assert world.titles() == []


def test_held_cheque_that_quickbooks_deletes_is_forgotten(world) -> None:
    invoice = world.exported(10_000)
    world.record_in_algapsa(invoice, 4_000)
    payment = world.pay((invoice, "40.00"))
    world.receive()

    world.quickbooks.delete(world.company.realm, "Payment", payment)
    world.cycle()

    assert world.rows(invoice) == [4_000]
    assert len(world.quickbooks.list(world.company.realm, "Payment")) == 1
    assert world.titles() == []


def test_the_same_full_cheque_is_told_as_already_settled(world) -> None:
    invoice = world.exported(10_000)
    world.record_in_algapsa(invoice, 10_000)
    world.pay((invoice, "100.00"))

    world.receive()

    assert world.titles() == [SETTLED]
    assert world.rows(invoice) == [10_000]


def test_another_amount_is_other_money(world) -> None:
    invoice = world.exported(10_000)
    world.record_in_algapsa(invoice, 4_000)
    world.pay((invoice, "60.00"))

    world.cycle()

    assert world.rows(invoice) == [4_000, 6_000]
    assert len(world.quickbooks.list(world.company.realm, "Payment")) == 2
    assert world.state(invoice).status == "paid"
    assert world.titles() == []


def test_a_credit_that_algapsa_applied_may_be_the_same_money(world) -> None:
    invoice = world.exported(10_000)
    world.do(credit.issue_credit, world.clients[0], 2_500)
    world.do(credit.apply_credit, invoice.invoice_id)
    world.pay((invoice, "25.00"))

    world.receive()

    told = world.exception(SAME)
    assert "AlgaPSA itself has a credit application of 25.00 there" in told.what_happened
    assert world.rows(invoice) == []

    world.do(credit.reverse_credit, invoice.invoice_id)
    world.receive()

    assert world.rows(invoice) == [2_500]
    assert world.titles() == []


def test_raising_a_payment_by_what_algapsa_recorded_is_held_and_keeps_what_stood(world) -> None:
    invoice = world.exported(10_000)
    payment = world.pay((invoice, "20.00"))
    world.receive()
    world.record_in_algapsa(invoice, 3_000)

    world.repay(payment, (invoice, "50.00"))
    world.receive()

    assert world.titles() == [SAME]
    assert world.rows(invoice) == [2_000, 3_000]


def test_a_cheque_held_for_one_invoice_waits_whole_and_the_next_one_goes_on(world) -> None:
    first, second = world.invoice(10_000), world.invoice(10_000)
    world.cycle()
    world.record_in_algapsa(first, 4_000)
    world.pay((first, "40.00"), (second, "100.00"))
    other = world.invoice(5_000)
    world.cycle()
    world.pay((other, "50.00"))

    world.receive()

    assert world.titles() == [SAME]
    assert (world.rows(first), world.rows(second)) == ([4_000], [])
    assert world.rows(other) == [5_000]


def test_credit_waits_beside_a_payment_of_its_amount_that_waits_for_something_else(world) -> None:
    invoice = world.history(10_000)
    found = world.quickbooks_id(invoice)
    line = world.quickbooks.get(world.company.realm, "Invoice", found)["Line"][0]
    changed = [{**line, "Amount": Decimal("100.05")}]
    world.quickbooks.edit(world.company.realm, "Invoice", found, Line=changed)
    world.link(("invoice", invoice.invoice_id, found))
    world.invoice(charges=(Charge("Goodwill", -3_000, service_id=world.service),))
    world.cycle()
    world.do(credit.apply_credit, invoice.invoice_id, 3_000)
    payment = world.pay((invoice, "30.00"))

    world.cycle()
    assert world.titles() == [TOTAL]
    decide(world, TOTAL, Action.ACCEPT)
    world.cycle()

    assert [each["Id"] for each in world.quickbooks.list(world.company.realm, "Payment")] == [
        payment
    ]
    assert world.titles() == [SAME]
    assert world.rows(invoice) == []


def test_credit_waits_beside_a_raise_of_its_amount_that_waits_for_something_else(world) -> None:
    invoice = world.exported(20_000)
    world.invoice(charges=(Charge("Goodwill", -6_000, service_id=world.service),))
    payment = world.pay((invoice, "40.00"))
    world.cycle()
    assert world.rows(invoice) == [4_000]
    by_hand = world.history(5_000)
    world.repay(payment, (invoice, "70.00"), (invoice, "30.00"), (by_hand, "5.00"))
    world.do(credit.apply_credit, invoice.invoice_id, 6_000)

    world.cycle()
    assert world.titles() == [UNKNOWN]
    decide(world, UNKNOWN, Action.NOT_FROM_ALGAPSA)
    world.cycle()

    assert [each["Id"] for each in world.quickbooks.list(world.company.realm, "Payment")] == [
        payment
    ]
    assert world.titles() == [SAME]
    assert world.rows(invoice) == [4_000]


def test_what_is_left_of_a_payment_that_was_partly_taken_back_may_be_the_same_money(world) -> None:
    invoice = world.exported(10_000)
    own = world.record_in_algapsa(invoice, 4_000)
    world.do(payments.reverse_payment, own, 1_000)
    payment = world.pay((invoice, "30.00"))

    world.cycle()
    world.cycle()

    assert world.titles() == [SAME]
    assert world.rows(invoice) == [4_000, -1_000]
    found = world.quickbooks.list(world.company.realm, "Payment")
    assert [each["Id"] for each in found] == [payment]
