"""Closed books that stay as they are: accepted, QuickBooks keeps what was to be taken back."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal
from typing import TYPE_CHECKING

import pytest
import sqlalchemy as sa

from qbo_sync_dagster.actions.errors import ActionRefusedError
from qbo_sync_dagster.domain.catalogue import Action
from qbo_sync_dagster.sandbox.algapsa import invoices, payments
from tests.scenarios import credit_steps
from tests.scenarios.deciding import closed, decide

if TYPE_CHECKING:
    from tests.scenarios.conftest import World

CLOSED = "Dated in a closed QuickBooks period"


def close_books(world: World) -> None:
    """QuickBooks' books are closed through today."""
    world.quickbooks.set(world.company.realm, book_close_date=world.today.isoformat())


def accept_and_look_twice(world: World) -> None:
    """What waits is accepted; two cycles and a reopened period change nothing in QuickBooks."""
    before = world.stands()
    decide(world, CLOSED, Action.ACCEPT)
    world.cycle()
    world.quickbooks.set(world.company.realm, book_close_date="")
    world.later(timedelta(hours=13))
    world.cycle()

    assert world.stands() == before
    assert world.titles() == []
    assert world.operations() == {}
    assert closed(world, CLOSED) == ("resolved", "Avery")


def accepted(world: World) -> list[int]:
    """The amounts of what was accepted."""
    rows = world.in_ledger("SELECT amount_minor FROM decisions WHERE kind = 'accepted'")
    return [minor for (minor,) in rows]


def test_a_void_that_waits_for_closed_books_is_given_up(world: World) -> None:
    invoice = world.exported(10_000)
    close_books(world)
    world.do(invoices.bulk_cancel, [invoice.invoice_id])
    world.cycle()

    accept_and_look_twice(world)

    assert accepted(world) == [10_000]


def test_a_reversal_that_waits_for_closed_books_is_given_up(world: World) -> None:
    invoice = world.exported(10_000)
    own = world.record_in_algapsa(invoice, 4_000)
    world.cycle()
    close_books(world)
    world.do(payments.reverse_payment, own)
    world.cycle()

    accept_and_look_twice(world)

    assert accepted(world) == [4_000]
    assert world.rows(invoice) == [4_000, -4_000]


def reverse_part(world: World, payment: str, cents: int) -> None:
    """AlgaPSA takes a payment back; a hand on its database leaves only a part of that."""
    row = world.do(payments.reverse_payment, payment)
    with world.owner.begin() as connection:
        connection.execute(
            sa.text("UPDATE invoice_payments SET amount = :minor WHERE payment_id = :row"),
            {"minor": -cents, "row": row},
        )


def test_a_later_reversal_takes_back_nothing_of_what_closed_books_keep(world: World) -> None:
    invoice = world.exported(10_000)
    own = world.record_in_algapsa(invoice, 4_000)
    world.cycle()
    [payment] = world.quickbooks.list(world.company.realm, "Payment")
    close_books(world)
    reverse_part(world, own, 1_000)
    world.cycle()
    decide(world, CLOSED, Action.ACCEPT)
    world.quickbooks.set(world.company.realm, book_close_date="")

    reverse_part(world, own, 500)
    world.cycle()

    shown = world.quickbooks.get(world.company.realm, "Payment", payment["Id"])
    assert Decimal(str(shown["TotalAmt"])) == 35
    assert accepted(world) == [1_000]
    before = world.stands()
    world.cycle()
    assert (world.stands(), world.titles(), world.operations()) == (before, [], {})


def test_removed_credit_that_waits_for_closed_books_is_given_up(world: World) -> None:
    invoice = world.invoice(10_000)
    credit_steps.note(world, 3_000)
    world.cycle()
    credit_steps.apply(world, invoice)
    world.cycle()
    assert len(credit_steps.linking(world)) == 1
    close_books(world)
    credit_steps.take_back(world, invoice)
    world.cycle()

    accept_and_look_twice(world)

    assert accepted(world) == [3_000]
    assert credit_steps.balance(world, invoice) == Decimal(70)


def test_what_is_to_be_created_is_not_accepted_but_re_dated(world: World) -> None:
    invoice = world.exported(10_000)
    close_books(world)
    world.record_in_algapsa(invoice, 4_000)
    world.cycle()

    with pytest.raises(ActionRefusedError, match="Re-date what is to be created"):
        decide(world, CLOSED, Action.ACCEPT)

    assert list(world.operations().values()) == ["held"]


def test_what_was_recorded_otherwise_is_not_accepted_a_second_time(world: World) -> None:
    own = world.record_in_algapsa(world.exported(10_000), 4_000)
    world.cycle()
    payment = world.links("payment")[own]
    world.quickbooks.deposit(world.company.realm, payment)
    reverse_part(world, own, 1_000)
    world.cycle()
    decide(
        world, "Payment reversal to record in QuickBooks", Action.RECORD_REFUND, "JournalEntry 12"
    )
    world.quickbooks.undeposit(world.company.realm, payment)
    close_books(world)
    reverse_part(world, own, 500)
    world.cycle()

    accept_and_look_twice(world)

    assert accepted(world) == [500]


def test_a_reversal_that_is_being_sent_is_not_given_up(world: World) -> None:
    own = world.record_in_algapsa(world.exported(10_000), 4_000)
    world.cycle()
    close_books(world)
    world.do(payments.reverse_payment, own)
    world.cycle()
    world.in_ledger("UPDATE operations SET state = 'posting' WHERE state = 'held'")

    with pytest.raises(ActionRefusedError, match="Only what is to be voided or taken back"):
        decide(world, CLOSED, Action.ACCEPT)

    assert list(world.operations().values()) == ["posting"]


def test_an_update_that_waits_for_closed_books_is_not_given_up_as_a_void(world: World) -> None:
    invoice = world.exported(10_000)
    found = world.quickbooks_id(invoice)
    world.quickbooks.edit(world.company.realm, "Invoice", found, DocNumber="X-1")
    world.cycle()
    decide(world, "Exported invoice was changed in QuickBooks", Action.RE_EXPORT)
    close_books(world)
    world.cycle()

    with pytest.raises(ActionRefusedError, match="where an update waits"):
        decide(world, CLOSED, Action.ACCEPT)

    assert list(world.operations().values()) == ["held"]
