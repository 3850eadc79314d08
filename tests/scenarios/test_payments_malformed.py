"""Payments in that cannot be read, and answers that are none: one exception, the rest go on."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal

import pytest

from qbo_sync_dagster.sandbox.algapsa import payments

UNREADABLE = "QuickBooks sent a record that can't be read"
DRIFT = "Applied payment was changed outside the sync"


def link_to(world, invoice) -> list[dict[str, str]]:
    return [{"TxnId": world.quickbooks_id(invoice), "TxnType": "Invoice"}]


@pytest.mark.parametrize(
    ("fields", "told"),
    [
        ({"TxnDate": None}, "TxnDate is missing"),
        ({"TxnDate": "yesterday"}, "TxnDate is not a date"),
        ({"TxnDate": "99999-01-01"}, "TxnDate is not a date"),
        ({"TotalAmt": None}, "TotalAmt is missing"),
        ({"TotalAmt": "100.00"}, "TotalAmt is not a number"),
        ({"TotalAmt": 10**30}, "TotalAmt is larger than any book holds"),
        ({"TotalAmt": 10**60}, "TotalAmt is not a number"),
        ({"CustomerRef": None}, "CustomerRef"),
        ({"CustomerRef": "3"}, "CustomerRef is not an object"),
        ({"SyncToken": None}, "SyncToken is missing"),
        ({"Line": "none"}, "Line is not a list of objects"),
        ({"Line": [{"Amount": 5, "LinkedTxn": [{"TxnType": "Invoice"}]}]}, "TxnId is missing"),
        ({"PaymentRefNum": "x" * 100_000}, "PaymentRefNum is longer than"),
    ],
    ids=lambda value: None if isinstance(value, str) else "-".join(value),
)
def test_a_payment_that_cannot_be_read_is_told_and_the_others_go_on(
    world, spoil, fields: dict[str, object], told: str
) -> None:
    invoice, other = world.invoice(10_000), world.invoice(5_000)
    world.cycle()
    bad = world.pay((invoice, "100.00"))
    mend = spoil("Payment", bad, **fields)
    world.pay((other, "50.00"))

    applied = world.receive()

    assert (applied.payments_applied, applied.parked) == (1, 1)
    assert world.titles() == [UNREADABLE]
    [exception] = world.open()
    assert told in exception.what_happened
    assert f"Payment {bad} cannot be read" in exception.what_happened
    assert (world.rows(invoice), world.rows(other)) == ([], [5_000])

    mend()
    world.repay(bad, (invoice, "90.00"))
    world.receive()

    assert world.rows(invoice) == [9_000]
    assert world.titles() == []


@pytest.mark.parametrize("amount", [-5, 0.001, "5.00", 10**40, None, [1], True])
def test_an_absurd_line_parks_its_payment_alone(world, spoil, amount: object) -> None:
    invoice, other = world.invoice(10_000), world.invoice(5_000)
    world.cycle()
    bad = world.pay((invoice, "100.00"))
    line = {"Amount": amount, "LinkedTxn": link_to(world, invoice)}
    spoil("Payment", bad, Line=[line])
    world.pay((other, "50.00"))

    applied = world.receive()

    assert (applied.payments_applied, applied.parked) == (1, 1)
    assert world.titles() == [UNREADABLE]
    assert (world.rows(invoice), world.rows(other)) == ([], [5_000])


def test_one_line_naming_two_invoices_is_not_split_by_guessing(world, spoil) -> None:
    first, second = world.invoice(10_000), world.invoice(10_000)
    world.cycle()
    bad = world.pay((first, "100.00"))
    both = link_to(world, first) + link_to(world, second)
    spoil("Payment", bad, Line=[{"Amount": 100, "LinkedTxn": both}])

    world.receive()

    assert world.titles() == [UNREADABLE]
    assert (world.rows(first), world.rows(second)) == ([], [])


def test_an_edit_that_cannot_be_read_leaves_what_stood(world, spoil) -> None:
    invoice = world.exported(10_000)
    payment = world.pay((invoice, "100.00"))
    world.receive()
    world.repay(payment, (invoice, "40.00"))
    spoil("Payment", payment, TxnDate=None)

    world.receive()

    assert world.rows(invoice) == [10_000]
    assert world.titles() == [UNREADABLE]


def test_a_payment_deleted_after_it_could_not_be_read_is_forgotten(world, spoil) -> None:
    invoice = world.exported(10_000)
    payment = world.pay((invoice, "100.00"))
    mend = spoil("Payment", payment, TxnDate=None)
    world.receive()
    assert world.titles() == [UNREADABLE]

    mend()
    world.quickbooks.delete(world.company.realm, "Payment", payment)
    world.receive()

    assert world.titles() == []
    assert world.rows(invoice) == []


@pytest.mark.parametrize("kind", ["update", "delete"])
def test_a_payment_of_ours_that_cannot_be_read_while_its_reversal_is_in_doubt_is_not_called_gone(
    world, spoil, kind: str
) -> None:
    invoice = world.exported(10_000)
    own = world.record_in_algapsa(invoice, 4_000)
    world.cycle()
    [payment] = world.links("payment").values()
    world.do(payments.reverse_payment, own, 4_000 if kind == "delete" else 1_000)
    realm = world.company.realm
    world.quickbooks.fault("drop_before", realm=realm, kind=kind, entity="Payment")
    world.cycle()
    assert "posting" in world.operations().values()
    world.quickbooks.edit(realm, "Payment", payment, Line=[])
    mend = spoil("Payment", payment, TxnDate=None)
    world.later(timedelta(minutes=3))

    world.cycle()
    world.cycle()

    assert world.titles() == [UNREADABLE]
    assert list(world.links("payment").values()) == [payment]

    mend()
    world.cycle()

    assert "On invoice" in world.exception(DRIFT).what_happened
    assert world.titles() == [DRIFT]


def test_the_same_version_read_well_later_applies_itself(world, spoil) -> None:
    invoice = world.exported(10_000)
    payment = world.pay((invoice, "100.00"))
    mend = spoil("Payment", payment, TxnDate=None)
    world.receive()
    assert world.titles() == [UNREADABLE]

    mend()
    world.receive()

    assert world.rows(invoice) == [10_000]
    assert world.titles() == []


def test_payment_without_an_id_is_told_once(world, spoil) -> None:
    invoice, other = world.invoice(10_000), world.invoice(5_000)
    world.cycle()
    bad = world.pay((invoice, "100.00"))
    spoil("Payment", bad, Id=None)
    world.pay((other, "50.00"))

    world.receive()
    world.receive()

    assert world.titles() == [UNREADABLE]
    assert (world.rows(invoice), world.rows(other)) == ([], [5_000])


def test_unknown_fields_and_long_texts_do_no_harm(world, spoil) -> None:
    invoice = world.exported(10_000)
    payment = world.pay((invoice, "100.00"), ref="4711")
    spoil(
        "Payment",
        payment,
        PrivateNote="\0\ud800" + "x" * 100_000,
        FutureField={"value": [1, {"deep": None}]},
        CustomField=[{"DefinitionId": "1"}],
    )

    world.receive()

    [row] = world.payment_rows(invoice)
    assert (row.amount, row.reference) == (10_000, "4711")
    assert world.titles() == []


def test_a_reference_full_of_signs_is_kept_as_text(world, spoil) -> None:
    invoice = world.exported(10_000)
    payment = world.pay((invoice, "100.00"))
    spoil("Payment", payment, PaymentRefNum="'; DROP TABLE invoices; -- \0<b>*x*")

    world.receive()

    [row] = world.payment_rows(invoice)
    assert row.reference.startswith("'; DROP TABLE invoices; --")


@pytest.mark.parametrize(
    "effect",
    ["html_200", "malformed_json", "502_html", "omit_field:time", "omit_field:CDCResponse"],
)
def test_a_poll_without_a_usable_answer_keeps_the_cursor_and_loses_nothing(
    world, effect: str
) -> None:
    invoice = world.exported(10_000)
    world.pay((invoice, "100.00"))
    cursor = world.cursor
    world.quickbooks.fault(effect, realm=world.company.realm, kind="cdc", times=20)

    end = world.cycle()

    assert end.outcome == "failed"
    assert world.cursor == cursor
    assert world.rows(invoice) == []

    world.quickbooks.clear_faults()
    world.receive()

    assert world.rows(invoice) == [10_000]
    assert world.titles() == []


def test_an_invoice_of_an_absurd_amount_does_not_stop_its_payment(world, spoil) -> None:
    invoice = world.exported(10_000)
    world.pay((invoice, "100.00"))
    spoil("Invoice", world.quickbooks_id(invoice), TotalAmt=10**30)

    world.receive()

    assert world.rows(invoice) == [10_000]
    assert world.titles() == [UNREADABLE]


def test_a_cheque_of_a_trillion_waits_as_larger_than_the_balance(world, spoil) -> None:
    invoice = world.exported(10_000)
    payment = world.pay((invoice, "100.00"))
    spoil(
        "Payment",
        payment,
        TotalAmt=999_999_999_999,
        Line=[{"Amount": Decimal(999_999_999_999), "LinkedTxn": link_to(world, invoice)}],
    )

    world.receive()

    assert world.titles() == ["QuickBooks payment targets an already-settled invoice"]
    assert world.rows(invoice) == []
