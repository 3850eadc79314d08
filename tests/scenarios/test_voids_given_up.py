"""Voids that staff give up: what AlgaPSA has of the document by then decides what follows."""

from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING

import pytest
import sqlalchemy as sa

from qbo_sync_dagster.actions.errors import ActionRefusedError
from qbo_sync_dagster.domain.catalogue import Action
from qbo_sync_dagster.sandbox.algapsa import edits, invoices
from tests.scenarios.credit_steps import settled
from tests.scenarios.deciding import decide

if TYPE_CHECKING:
    from tests.scenarios.conftest import Books, World

CHANGED = "Exported invoice was changed in AlgaPSA"
REOPENED = "Exported invoice was reopened in AlgaPSA"
VOIDED = "Exported invoice was voided in AlgaPSA"
FAILING = "Invoice void keeps failing in accounting"
CLOSED = "Dated in a closed QuickBooks period"


def reprice(world: World, invoice: Books, cents: int) -> None:
    """A hand on AlgaPSA's database gives the invoice's one charge another price."""
    [item] = world.do(edits.charge_ids, invoice.invoice_id)
    world.do(edits.reprice_charge, invoice.invoice_id, item, cents)


def set_status(world: World, invoice: Books, status: str) -> None:
    """A hand on AlgaPSA's database gives the invoice another status."""
    with world.owner.begin() as connection:
        connection.execute(
            sa.text("UPDATE invoices SET status = :status WHERE invoice_id = :id"),
            {"status": status, "id": invoice.invoice_id},
        )


def close_books(world: World, through: str) -> None:
    """QuickBooks' books are closed through that day; "" opens them."""
    world.quickbooks.set(world.company.realm, book_close_date=through)


def link_of(world: World, invoice: Books) -> tuple[str, int, int]:
    """State, difference and accepted difference of the invoice's link."""
    query = "SELECT state, difference_minor, accepted_minor FROM links WHERE algapsa_id = :id"
    [(state, difference, accepted)] = world.in_ledger(query, id=invoice.invoice_id)
    return state, difference, accepted


@pytest.fixture
def refused(world: World) -> tuple[Books, str]:
    """(invoice, payment): raised from 100.00 to 120.00 in AlgaPSA; its void fails, it is paid."""
    invoice = world.exported(10_000)
    reprice(world, invoice, 12_000)
    world.cycle()
    decide(world, CHANGED, Action.VOID)
    payment = world.pay((invoice, "40.00"))
    world.cycle()
    assert world.titles() == [CHANGED, FAILING]
    return invoice, payment


def test_a_failed_void_of_what_algapsa_still_has_keeps_the_two_linked(
    world: World, refused: tuple[Books, str]
) -> None:
    invoice, payment = refused

    told = decide(world, FAILING, Action.ACCEPT)
    world.cycle()

    assert "20.00 less than AlgaPSA" in told
    assert link_of(world, invoice) == ("live", -2_000, -2_000)
    assert world.rows(invoice) == [4_000]
    assert world.titles() == []
    world.quickbooks.delete(world.company.realm, "Payment", payment)
    world.record_in_algapsa(invoice, 3_000)
    world.cycle()
    assert world.rows(invoice) == [4_000, 3_000, -4_000]
    [found] = world.in_quickbooks(invoice)
    assert Decimal(str(found["Balance"])) == 70
    settled(world)
    assert world.titles() == []


def test_accepting_what_was_exported_takes_back_a_void_that_failed(
    world: World, refused: tuple[Books, str]
) -> None:
    invoice, payment = refused

    decide(world, CHANGED, Action.ACCEPT)
    world.quickbooks.delete(world.company.realm, "Payment", payment)
    world.cycle()

    [found] = world.in_quickbooks(invoice)
    assert Decimal(str(found["TotalAmt"])) == 100
    assert world.titles() == []
    settled(world)


def test_accepting_what_was_exported_takes_back_a_void_that_waits(world: World) -> None:
    invoice = world.exported(10_000)
    reprice(world, invoice, 12_000)
    world.cycle()
    decide(world, CHANGED, Action.VOID)

    decide(world, CHANGED, Action.ACCEPT)
    world.cycle()

    [found] = world.in_quickbooks(invoice)
    assert Decimal(str(found["TotalAmt"])) == 100
    assert link_of(world, invoice) == ("live", -2_000, -2_000)
    settled(world)


def test_a_failed_void_is_not_given_up_for_a_version_that_nobody_was_shown(
    world: World, refused: tuple[Books, str]
) -> None:
    invoice, _ = refused
    reprice(world, invoice, 13_000)

    with pytest.raises(ActionRefusedError, match="changed again"):
        decide(world, FAILING, Action.ACCEPT)
    world.cycle()
    decide(world, CHANGED, Action.ACCEPT)
    world.cycle()

    assert link_of(world, invoice) == ("live", -3_000, -3_000)
    assert world.titles() == []


def test_a_failed_void_is_given_up_for_the_version_that_a_cycle_showed(
    world: World, refused: tuple[Books, str]
) -> None:
    invoice, _ = refused
    reprice(world, invoice, 13_000)
    world.cycle()

    decide(world, FAILING, Action.ACCEPT)
    world.cycle()

    assert link_of(world, invoice) == ("live", -3_000, -3_000)
    assert world.titles() == []
    settled(world)


def test_a_draft_stays_told_when_its_failed_void_is_given_up(world: World) -> None:
    invoice = world.exported(10_000)
    world.do(invoices.reopen_invoice, invoice.invoice_id, by_sql=True, today=world.today)
    world.cycle()
    decide(world, REOPENED, Action.VOID)
    payment = world.pay((invoice, "40.00"))
    world.cycle()
    assert FAILING in world.titles()

    told = decide(world, FAILING, Action.ACCEPT)
    world.cycle()

    assert "a draft in AlgaPSA" in told
    assert FAILING not in world.titles()
    assert REOPENED in world.titles()
    assert world.operations() == {}
    world.finalize(invoice)
    world.quickbooks.delete(world.company.realm, "Payment", payment)
    world.cycle()
    [found] = world.in_quickbooks(invoice)
    assert Decimal(str(found["TotalAmt"])) == 100
    assert link_of(world, invoice)[0] == "live"


@pytest.mark.parametrize("title", [FAILING, CLOSED])
def test_a_void_that_algapsa_took_back_meanwhile_leaves_the_two_linked(
    world: World, title: str
) -> None:
    invoice = world.exported(10_000)
    if title == CLOSED:
        close_books(world, world.today.isoformat())
    world.do(invoices.bulk_cancel, [invoice.invoice_id])
    world.pay((invoice, "40.00"))
    world.cycle()
    set_status(world, invoice, "sent")

    decide(world, title, Action.ACCEPT)
    close_books(world, "")
    world.cycle()

    assert link_of(world, invoice) == ("live", 0, 0)
    assert world.rows(invoice) == [4_000]
    assert world.titles() == []
    settled(world)


def test_a_void_from_before_the_link_is_not_accepted_once_the_invoice_stands_again(
    world: World,
) -> None:
    invoice = world.history()
    world.do(invoices.bulk_cancel, [invoice.invoice_id])
    world.link(("invoice", invoice.invoice_id, world.quickbooks_id(invoice)))
    world.cycle()
    set_status(world, invoice, "sent")

    with pytest.raises(ActionRefusedError, match="changed again"):
        decide(world, VOIDED, Action.ACCEPT)

    assert link_of(world, invoice)[0] == "live"


def test_a_void_that_algapsa_took_back_is_told_no_more_and_never_sent(world: World) -> None:
    invoice = world.exported(10_000)
    world.do(invoices.bulk_cancel, [invoice.invoice_id])
    payment = world.pay((invoice, "40.00"))
    world.cycle()
    assert FAILING in world.titles()
    set_status(world, invoice, "sent")

    world.cycle()

    assert (world.titles(), world.operations()) == ([], {})
    world.quickbooks.delete(world.company.realm, "Payment", payment)
    world.cycle()
    [found] = world.in_quickbooks(invoice)
    assert Decimal(str(found["TotalAmt"])) == 100


def test_a_retried_void_leaves_nothing_told_once_the_change_is_dismissed(
    world: World, refused: tuple[Books, str]
) -> None:
    decide(world, FAILING, Action.RETRY)

    decide(world, CHANGED, Action.DISMISS)

    assert (world.titles(), world.operations()) == ([], {})
    settled(world)


def test_a_void_given_up_is_told_under_no_other_title(world: World) -> None:
    invoice = world.exported(10_000)
    world.do(invoices.reopen_invoice, invoice.invoice_id, by_sql=True, today=world.today)
    world.cycle()
    decide(world, REOPENED, Action.VOID)
    world.pay((invoice, "40.00"))
    world.cycle()
    close_books(world, world.today.isoformat())
    decide(world, FAILING, Action.RETRY)
    world.cycle()
    assert {FAILING, CLOSED} <= set(world.titles())

    decide(world, FAILING, Action.ACCEPT)

    assert not {FAILING, CLOSED} & set(world.titles())
    assert world.operations() == {}


def test_a_re_export_instead_takes_the_failed_void_and_its_title_back(
    world: World, refused: tuple[Books, str]
) -> None:
    invoice, _ = refused

    decide(world, CHANGED, Action.RE_EXPORT)

    assert world.titles() == [CHANGED]
    world.cycle()
    [found] = world.in_quickbooks(invoice)
    assert Decimal(str(found["TotalAmt"])) == 120
    assert world.titles() == []
    settled(world)
