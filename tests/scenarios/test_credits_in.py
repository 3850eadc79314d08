"""Credit notes of ours that a bookkeeper, or QuickBooks itself, applies there."""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal
from typing import Any

import pytest
import sqlalchemy as sa

from qbo_sync_dagster.sandbox.algapsa import credit, reading
from qbo_sync_dagster.sandbox.algapsa.charges import Charge

STILL_OPEN = "QuickBooks applied a credit note that AlgaPSA still shows open"
DIFFERENT = "Credit note is applied differently in QuickBooks"
DRIFT = "Applied payment was changed outside the sync"
SAME = "Same payment on both sides?"


@pytest.fixture
def note(world) -> Callable[..., tuple[str, str]]:
    """A credit note that stands on both sides: AlgaPSA's id, and QuickBooks' of its memo."""

    def make(cents: int = 3_000, client: int = 0) -> tuple[str, str]:
        charge = Charge("Refund", -cents, service_id=world.service)
        made = world.finalize(world.draft(charges=(charge,), client=client))
        memo = world.quickbooks.credit_memo(
            world.company.realm,
            world.company.customers[world.clients[client]],
            [(world.company.item, Decimal(cents) / 100)],
            DocNumber=reading.invoice_state(world.owner, made.invoice_id).number,
            TxnDate=world.today.isoformat(),
        )
        world.link(("credit_memo", made.invoice_id, str(memo["Id"])))
        return made.invoice_id, str(memo["Id"])

    return make


def apply_in_quickbooks(world, invoice, memo: str, amount: str) -> str:
    made = world.quickbooks.apply_credit(
        world.company.realm,
        world.company.customers[world.clients[0]],
        world.quickbooks_id(invoice),
        memo,
        Decimal(amount),
    )
    return str(made["Id"])


def apply_in_algapsa(world, invoice, cents: int, **options: Any) -> credit.CreditApplication:
    applied = world.do(credit.apply_credit, invoice.invoice_id, cents, **options)
    assert applied is not None
    return applied


def application_key(applied: credit.CreditApplication) -> str:
    [draw] = applied.draws
    return f"{applied.transaction_id}:{draw.credit_id}"


def test_a_note_applied_in_quickbooks_is_never_spent_twice(world, note) -> None:
    invoice = world.exported(10_000)
    _, memo = note(3_000)
    apply_in_quickbooks(world, invoice, memo, "30.00")

    world.receive()

    assert world.rows(invoice) == []
    assert world.titles() == [STILL_OPEN]
    assert world.exception(STILL_OPEN).amounts["QuickBooks from credit note CM-000001"] == 3_000


def test_applying_it_in_algapsa_cures_it_and_nothing_is_pushed(world, note) -> None:
    invoice = world.exported(10_000)
    _, memo = note(3_000)
    payment = apply_in_quickbooks(world, invoice, memo, "30.00")
    world.receive()

    applied = apply_in_algapsa(world, invoice, 3_000)
    world.receive()

    assert world.titles() == []
    assert world.links("credit_application") == {application_key(applied): payment}
    assert world.rows(invoice) == []
    world.receive()
    assert world.titles() == []


def test_both_systems_applied_the_same_by_themselves(world, note) -> None:
    invoice = world.exported(10_000)
    _, memo = note(3_000)
    applied = apply_in_algapsa(world, invoice, 3_000)
    payment = apply_in_quickbooks(world, invoice, memo, "30.00")

    world.receive()

    assert world.links("credit_application") == {application_key(applied): payment}
    assert world.titles() == []


def test_one_payment_that_applies_a_note_to_two_invoices_answers_to_both(world, note) -> None:
    first, second = world.exported(10_000), world.exported(10_000)
    _, memo = note(3_000)
    applied = [apply_in_algapsa(world, first, 1_000), apply_in_algapsa(world, second, 2_000)]
    line = {"TxnType": "CreditMemo", "TxnId": memo}
    made = world.quickbooks.create(
        world.company.realm,
        "Payment",
        {
            "CustomerRef": {"value": world.company.customers[world.clients[0]]},
            "TotalAmt": 0,
            "Line": [
                {"Amount": 10, "LinkedTxn": [_invoice_line(world, first)]},
                {"Amount": 20, "LinkedTxn": [_invoice_line(world, second)]},
                {"Amount": 30, "LinkedTxn": [line]},
            ],
        },
    )

    world.receive()

    assert world.links("credit_application") == {
        application_key(each): made["Id"] for each in applied
    }
    assert world.titles() == []


def _invoice_line(world, invoice) -> dict[str, str]:
    return {"TxnType": "Invoice", "TxnId": world.quickbooks_id(invoice)}


def test_a_cheque_with_credit_on_top_brings_only_the_cheque(world, note) -> None:
    invoice = world.exported(10_000)
    _, memo = note(3_000)
    line = {"TxnType": "CreditMemo", "TxnId": memo}
    world.quickbooks.create(
        world.company.realm,
        "Payment",
        {
            "CustomerRef": {"value": world.company.customers[world.clients[0]]},
            "TotalAmt": 70,
            "Line": [
                {"Amount": 100, "LinkedTxn": [_invoice_line(world, invoice)]},
                {"Amount": 30, "LinkedTxn": [line]},
            ],
        },
    )
    world.receive()
    assert (world.titles(), world.rows(invoice)) == ([STILL_OPEN], [])

    apply_in_algapsa(world, invoice, 3_000)
    world.receive()

    assert (world.titles(), world.rows(invoice)) == ([], [7_000])
    assert world.state(invoice).status == "paid"


def test_algapsa_drew_on_another_note_for_the_same_invoice(world, note) -> None:
    invoice = world.exported(10_000)
    _, used_there = note(3_000)
    other, _ = note(3_000)
    [drawn] = _credits_of(world, other)
    applied = apply_in_algapsa(world, invoice, 3_000, credit_id=drawn)
    payment = apply_in_quickbooks(world, invoice, used_there, "30.00")

    world.receive()

    assert world.links("credit_application") == {application_key(applied): payment}
    assert world.titles() == []


def _credits_of(world, note_id: str) -> list[str]:
    query = sa.text("""
        SELECT c.credit_id::text FROM credit_tracking c
        JOIN transactions t USING (tenant, transaction_id) WHERE t.invoice_id = :note
    """)
    with world.owner.connect() as connection:
        return list(connection.execute(query, {"note": note_id}).scalars())


def test_a_payment_waiting_for_its_credit_goes_when_quickbooks_removes_it(world, note) -> None:
    invoice = world.exported(10_000)
    _, memo = note(3_000)
    payment = apply_in_quickbooks(world, invoice, memo, "30.00")
    world.receive()

    world.quickbooks.delete(world.company.realm, "Payment", payment)
    world.receive()

    assert world.titles() == []
    assert world.rows(invoice) == []


def test_credit_of_an_unlinked_memo_that_algapsa_also_applied_is_asked_about(world, note) -> None:
    invoice = world.exported(10_000)
    note(3_000)
    apply_in_algapsa(world, invoice, 3_000)
    customer = world.company.customers[world.clients[0]]
    lines = [(world.company.item, Decimal(30))]
    memo = world.quickbooks.credit_memo(world.company.realm, customer, lines)
    apply_in_quickbooks(world, invoice, str(memo["Id"]), "30.00")

    world.cycle()

    assert SAME in world.titles()
    assert world.rows(invoice) == []
    assert len(world.quickbooks.list(world.company.realm, "Payment")) == 1


def test_a_memo_linked_after_its_credit_came_in_as_money_is_looked_at_again(world) -> None:
    invoice = world.exported(10_000)
    customer = world.company.customers[world.clients[0]]
    lines = [(world.company.item, Decimal(30))]
    memo = str(world.quickbooks.credit_memo(world.company.realm, customer, lines)["Id"])
    apply_in_quickbooks(world, invoice, memo, "30.00")
    world.receive()
    assert world.rows(invoice) == [3_000]
    charge = Charge("Refund", -3_000, service_id=world.service)
    made = world.finalize(world.draft(charges=(charge,)))

    world.link(("credit_memo", made.invoice_id, memo))
    world.cycle()
    assert STILL_OPEN in world.titles()
    assert world.rows(invoice) == [3_000]

    apply_in_algapsa(world, invoice, 3_000)
    world.cycle()

    assert STILL_OPEN not in world.titles()
    assert world.rows(invoice) == [3_000, -3_000]
    assert world.state(invoice).credit_applied == 3_000


def test_taken_back_in_algapsa_what_bookkeepers_applied_stands_open_again(world, note) -> None:
    invoice = world.exported(10_000)
    _, memo = note(3_000)
    payment = apply_in_quickbooks(world, invoice, memo, "30.00")
    apply_in_algapsa(world, invoice, 3_000)
    world.receive()

    world.do(credit.reverse_credit, invoice.invoice_id)
    world.receive()
    world.receive()

    assert world.titles() == [STILL_OPEN]
    assert world.links("credit_application") == {}
    assert [each["Id"] for each in world.quickbooks.list(world.company.realm, "Payment")] == [
        payment
    ]
    assert world.rows(invoice) == []

    apply_in_algapsa(world, invoice, 3_000)
    world.receive()
    assert world.titles() == []


def test_credit_from_before_the_sync_that_only_algapsa_takes_back_is_drift(bare_world) -> None:
    world = bare_world
    invoice = world.history()
    charge = Charge("Refund", -5_000, service_id=world.service)
    world.finalize(world.draft(charges=(charge,)))
    apply_in_algapsa(world, invoice, 3_000)
    customer = world.company.customers[world.clients[0]]
    lines = [(world.company.item, Decimal(30))]
    memo = world.quickbooks.credit_memo(world.company.realm, customer, lines)
    payment = apply_in_quickbooks(world, invoice, str(memo["Id"]), "30.00")
    world.connect(world.company)
    world.link_everything()
    world.link(("invoice", invoice.invoice_id, world.quickbooks_id(invoice)))
    world.cycle()
    assert list(world.links("credit_application").values()) == [payment]
    assert world.titles() == []

    world.do(credit.reverse_credit, invoice.invoice_id)
    world.cycle()
    world.cycle()

    assert world.titles() == [DRIFT]
    assert world.rows(invoice) == []
    assert world.links("credit_application") != {}
