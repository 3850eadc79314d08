"""Payments out: what AlgaPSA received goes to QuickBooks once, as it was received."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal

import pytest

from qbo_sync_dagster.sandbox.algapsa import payments

NO_INVOICE = "Payment push keeps failing — invoice not mapped in QBO"
NO_CUSTOMER = "Payment push keeps failing — customer not mapped in QBO"


def pushed(world) -> list[dict]:
    """QuickBooks' payments, oldest first."""
    found = world.quickbooks.list(world.company.realm, "Payment")
    return sorted(found, key=lambda item: int(item["Id"]))


def balance(world, invoice) -> Decimal:
    [found] = world.in_quickbooks(invoice)
    return Decimal(str(found["Balance"]))


@pytest.mark.parametrize("edition", ["community", "enterprise"])
def test_a_cheque_recorded_in_algapsa_is_pushed_with_its_own_date_and_reference(world) -> None:
    invoice = world.exported(10_000)
    day = world.today - timedelta(days=2)
    world.do(
        payments.record_payment,
        payments.Payment(invoice.invoice_id, 4_000, day, reference="cheque 000123456789-2026"),
    )

    world.cycle()

    [payment] = pushed(world)
    assert Decimal(str(payment["TotalAmt"])) == Decimal("40.00")
    assert payment["TxnDate"] == day.isoformat()
    assert payment["PaymentRefNum"] == "cheque 000123456789-2"
    assert payment["CustomerRef"]["value"] == world.company.customers[world.clients[0]]
    assert balance(world, invoice) == Decimal("60.00")
    assert world.titles() == []


def test_a_pushed_payment_comes_back_by_poll_and_is_never_applied(world) -> None:
    invoice = world.exported(10_000)
    world.record_in_algapsa(invoice, 4_000)
    world.cycle()

    for _ in range(3):
        world.cycle()

    assert len(pushed(world)) == 1
    assert world.rows(invoice) == [4_000]
    assert world.titles() == []


def test_an_idle_cycle_after_a_push_costs_one_metered_call(world) -> None:
    invoice = world.exported(10_000)
    world.record_in_algapsa(invoice, 4_000)
    world.cycle()
    world.cycle()
    world.forget()

    world.cycle()

    assert world.metered() == 1


def test_a_stripe_payment_is_dated_in_the_companys_time_zone(world) -> None:
    invoice = world.exported(10_000)
    paid_at = world.engine.now().replace(hour=3, minute=10, second=0)
    world.do(payments.record_stripe_payment, invoice.invoice_id, 10_000, paid_at=paid_at)

    world.cycle()

    [payment] = pushed(world)
    assert payment["TxnDate"] == (paid_at.date() - timedelta(days=1)).isoformat()
    assert payment["PaymentRefNum"].startswith("pi_")
    assert balance(world, invoice) == 0


def test_a_payment_goes_to_the_deposit_account_that_was_set(world) -> None:
    accounts = world.quickbooks.list(world.company.realm, "Account")
    [bank, *_] = [each for each in accounts if each["AccountType"] == "Bank"]
    world.configure(deposit_account=bank["Id"])
    invoice = world.exported(10_000)
    world.record_in_algapsa(invoice, 4_000)

    world.cycle()

    [payment] = pushed(world)
    assert payment["DepositToAccountRef"]["value"] == bank["Id"]


def test_a_payment_on_a_new_invoice_follows_it_in_the_same_cycle(world) -> None:
    invoice = world.invoice(10_000)
    world.record_in_algapsa(invoice, 10_000)

    world.cycle()

    assert len(pushed(world)) == 1
    assert balance(world, invoice) == 0


def test_a_payment_waits_at_no_attempt_for_an_invoice_that_cannot_be_exported(world) -> None:
    world.in_ledger("DELETE FROM links WHERE kind = 'client'")
    invoice = world.invoice(10_000)
    world.record_in_algapsa(invoice, 4_000)

    world.cycle()

    assert NO_INVOICE in world.titles()
    assert pushed(world) == []
    assert world.in_ledger("SELECT attempt, faults FROM operations WHERE kind='push_payment'") == [
        (1, 0)
    ]

    world.link_everything()
    world.cycle()

    assert len(pushed(world)) == 1
    assert world.titles() == []


def test_a_payment_of_a_client_without_customer_waits_for_the_link(world) -> None:
    invoice = world.exported(10_000)
    world.in_ledger("DELETE FROM links WHERE kind = 'client'")
    world.record_in_algapsa(invoice, 4_000)

    world.cycle()

    assert world.titles() == [NO_CUSTOMER]
    assert pushed(world) == []

    world.link(*(("client", key, value) for key, value in world.company.customers.items()))
    world.cycle()

    assert len(pushed(world)) == 1
    assert world.titles() == []


def test_a_payment_dated_before_go_live_is_never_pushed(world) -> None:
    invoice = world.exported(10_000, day=world.today - timedelta(days=5))
    world.do(
        payments.record_payment,
        payments.Payment(
            invoice.invoice_id,
            4_000,
            world.today - timedelta(days=20),
            created_at=world.engine.now() - timedelta(days=20),
        ),
    )

    world.cycle()

    assert pushed(world) == []
    assert world.titles() == []


def test_a_payment_dated_before_go_live_but_recorded_since_is_told(world) -> None:
    invoice = world.exported(10_000)
    world.do(
        payments.record_payment,
        payments.Payment(invoice.invoice_id, 4_000, world.today - timedelta(days=20)),
    )

    world.cycle()

    assert pushed(world) == []
    assert world.titles() == ["Dated before go-live"]


def test_two_payments_of_one_invoice_are_both_pushed(world) -> None:
    invoice = world.exported(10_000)
    world.record_in_algapsa(invoice, 4_000)
    world.record_in_algapsa(invoice, 6_000)

    world.cycle()

    assert [Decimal(str(each["TotalAmt"])) for each in pushed(world)] == [40, 60]
    assert balance(world, invoice) == 0
    assert world.titles() == []


def test_a_payment_that_came_from_quickbooks_is_never_pushed_back(world) -> None:
    invoice = world.exported(10_000)
    payment = world.pay((invoice, "40.00"))
    world.receive()
    world.quickbooks.delete(world.company.realm, "Payment", payment)
    world.receive()

    assert world.rows(invoice) == [4_000, -4_000]
    assert pushed(world) == []
    assert world.titles() == []


def test_payments_of_prepayments_are_left_to_the_prepayments_exception(world) -> None:
    draft = world.draft(10_000, is_prepayment=True)
    invoice = world.finalize(draft)
    world.record_in_algapsa(invoice, 10_000)

    world.cycle()

    assert pushed(world) == []
    assert world.titles() == ["Prepayment to record in QuickBooks"]
