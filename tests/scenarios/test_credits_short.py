"""Credit that QuickBooks has not, or no longer: told with its figures, and how that is cured."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal

import pytest

from qbo_sync_dagster.domain.catalogue import Action
from qbo_sync_dagster.sandbox.algapsa import credit
from tests.scenarios.conftest import Books, World
from tests.scenarios.credit_steps import (
    apply,
    balance,
    linking,
    note,
    remaining,
    settle,
    settled,
    take_back,
)

CONSUMED = "Credit was already applied in QuickBooks — Alga application not synced"
DEPOSIT = "Project deposit credit applied to a synced invoice — QuickBooks not updated"
PREPAYMENT = "Prepayment credit applied to a synced invoice — QuickBooks not updated"
PREPAYMENT_TO_RECORD = "Prepayment to record in QuickBooks"
LOOKED_AT_AGAIN = timedelta(hours=1)


def test_credit_of_a_project_deposit_is_told_with_its_amount_and_never_sent(world: World) -> None:
    invoice, deposit = world.exported(10_000), world.exported(2_500)
    world.do(credit.issue_credit, world.clients[0], 2_500, invoice_id=deposit.invoice_id)
    world.forget()
    apply(world, invoice)

    world.cycle()

    told = world.exception(DEPOSIT)
    assert told.amounts == {"credit": 2_500}
    assert deposit.number in told.what_happened
    assert world.metered() == 1
    assert linking(world) == []
    assert world.operations() == {}


def test_a_dismissed_deposit_is_not_told_again_and_one_taken_back_closes_itself(
    world: World,
) -> None:
    invoice, deposit = world.exported(10_000), world.exported(2_500)
    world.do(credit.issue_credit, world.clients[0], 2_500, invoice_id=deposit.invoice_id)
    apply(world, invoice, 1_000)
    world.cycle()
    settle(world, DEPOSIT, Action.DISMISS)
    world.cycle()
    assert world.titles() == []

    apply(world, invoice, 500)
    world.cycle()
    assert world.exception(DEPOSIT).amounts == {"credit": 500}

    take_back(world, invoice)
    world.cycle()
    assert world.titles() == []


def test_prepaid_credit_waits_without_a_word_until_its_invoice_is_there(world: World) -> None:
    world.finalize(world.draft(2_000, is_prepayment=True))
    invoice = world.invoice(10_000)
    world.in_ledger("DELETE FROM links WHERE kind = 'service'")
    apply(world, invoice)
    world.cycle()
    assert PREPAYMENT not in world.titles()

    world.link(("service", world.service, world.company.item))
    world.cycle()
    world.cycle()

    assert world.titles() == sorted([PREPAYMENT, PREPAYMENT_TO_RECORD])
    assert linking(world) == []
    assert balance(world, invoice) == Decimal(100)


@pytest.fixture
def spent(bare_world: World) -> tuple[World, Books, str]:
    """A note whose memo somebody used in QuickBooks before the sync, and AlgaPSA uses now.

    The invoice that AlgaPSA applied it to, and the payment that holds the credit.
    """
    world, company = bare_world, bare_world.company
    made = note(world)
    customer, lines = company.customers[world.clients[0]], [(company.item, Decimal(30))]
    realm = company.realm
    memo = world.quickbooks.credit_memo(
        realm, customer, lines, DocNumber=made.number, TxnDate=world.today.isoformat()
    )
    theirs = world.quickbooks.invoice(realm, customer, lines, DocNumber="X-1")
    payment = world.quickbooks.apply_credit(realm, customer, theirs["Id"], memo["Id"], Decimal(20))
    world.later(timedelta(days=1))
    world.connect(company)
    world.link_everything()
    world.link(("credit_memo", made.invoice_id, str(memo["Id"])))
    invoice = world.exported(10_000)
    apply(world, invoice)
    world.cycle()
    return world, invoice, str(payment["Id"])


def test_a_note_that_quickbooks_spent_already_is_told_and_nothing_is_sent(spent) -> None:
    world, invoice, _ = spent

    told = world.exception(CONSUMED)
    assert told.amounts == {"credit": 3_000, "left in QuickBooks": 1_000}
    assert invoice.number in told.what_happened
    assert linking(world)[1:] == []
    assert balance(world, invoice) == Decimal(100)
    world.forget()
    world.cycle()
    assert world.metered() == 1


def test_credit_that_is_free_again_is_sent_at_once_when_staff_retry(spent) -> None:
    world, invoice, payment = spent
    world.quickbooks.delete(world.company.realm, "Payment", payment)

    settle(world, CONSUMED, Action.RETRY)
    world.cycle()

    assert balance(world, invoice) == Decimal(70)
    assert remaining(world) == [Decimal(0)]
    assert world.titles() == []
    settled(world)


@pytest.mark.parametrize("memo_moves", [True, False])
def test_credit_that_is_free_again_is_sent_by_itself_within_the_hour(spent, memo_moves) -> None:
    world, invoice, payment = spent
    world.quickbooks.set(world.company.realm, credit_memo_moves_when_applied=memo_moves)
    world.quickbooks.delete(world.company.realm, "Payment", payment)

    world.later(LOOKED_AT_AGAIN)
    world.cycle()

    assert balance(world, invoice) == Decimal(70)
    assert world.titles() == []
    settled(world)


def test_a_retry_while_the_credit_is_still_spent_sends_nothing(spent) -> None:
    world, invoice, _ = spent

    settle(world, CONSUMED, Action.RETRY)
    world.cycle()

    assert [item.title for item in world.open()] == [CONSUMED]
    assert balance(world, invoice) == Decimal(100)


def test_a_dismissed_shortage_is_left_alone_even_when_credit_is_free_again(spent) -> None:
    world, invoice, payment = spent
    settle(world, CONSUMED, Action.DISMISS)
    world.cycle()
    assert (world.titles(), world.operations()) == ([], {})

    world.quickbooks.delete(world.company.realm, "Payment", payment)
    world.later(LOOKED_AT_AGAIN)
    world.cycle()

    assert balance(world, invoice) == Decimal(100)
    settled(world)


def test_what_algapsa_takes_back_closes_the_shortage(spent) -> None:
    world, invoice, _ = spent

    take_back(world, invoice)
    world.cycle()

    assert (world.titles(), world.operations()) == ([], {})


def test_part_of_the_credit_goes_where_it_suffices(spent) -> None:
    world, invoice, _ = spent
    take_back(world, invoice)
    apply(world, invoice, 1_000)

    world.cycle()

    assert balance(world, invoice) == Decimal(90)
    assert remaining(world) == [Decimal(0)]
    assert world.titles() == []
    settled(world)
