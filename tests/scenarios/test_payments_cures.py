"""Every cure of a payment, carried out through `resolve`: both ledgers afterwards, then rest."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest

from qbo_sync_dagster.actions.cases import Choice
from qbo_sync_dagster.actions.errors import ActionRefusedError
from qbo_sync_dagster.actions.resolving import Resolution, resolve
from qbo_sync_dagster.domain.catalogue import Action
from qbo_sync_dagster.sandbox.algapsa import payments
from tests.scenarios.deciding import decide

SAME = "Same payment on both sides?"
REFUND = "Refund to record in QuickBooks"
DRIFT = "Applied payment was changed outside the sync"
LEFT = "Payments from before the sync don't pair"


def cure(world, title: str, action: Action, target: str = "") -> str:
    """Carry the action out and have a cycle follow it up; what was told."""
    choice = Choice(world.exception(title).number, "Ada", "as the bank statement shows")
    told = resolve(world.engine, Resolution(action, choice, target))
    assert world.cycle().outcome == "succeeded"
    return told


def stands(world, invoice) -> tuple[list[int], list[Decimal], Decimal]:
    """AlgaPSA's rows on the invoice, QuickBooks' payments, and what QuickBooks has open on it."""
    [found] = world.in_quickbooks(invoice)
    made = sorted(
        world.quickbooks.list(world.company.realm, "Payment"), key=lambda each: int(each["Id"])
    )
    amounts = [Decimal(str(each["TotalAmt"])) for each in made]
    return world.rows(invoice), amounts, Decimal(str(found["Balance"]))


def rests(world, invoice) -> None:
    """Nothing is open, and further cycles write to neither side."""
    assert world.titles() == []
    before, tokens = stands(world, invoice), world.stands()
    for _ in range(2):
        world.cycle()
    assert (stands(world, invoice), world.stands()) == (before, tokens)
    assert world.operations() == {}
    assert world.titles() == []


@pytest.fixture
def twice(world) -> Any:
    """An invoice of 100.00 with the same 40.00 on both sides."""
    invoice = world.exported(10_000)
    world.record_in_algapsa(invoice, 4_000)
    world.pay((invoice, "40.00"))
    world.cycle()
    return invoice


@pytest.fixture
def changed(world) -> Any:
    """An invoice of 100.00 whose pushed payment of 40.00 a bookkeeper reduced to 30.00."""
    invoice = world.exported(10_000)
    world.record_in_algapsa(invoice, 4_000)
    world.cycle()
    [payment] = world.quickbooks.list(world.company.realm, "Payment")
    world.repay(payment["Id"], (invoice, "30.00"), total="30.00")
    world.cycle()
    return invoice


@pytest.fixture
def before_the_sync(bare_world) -> Any:
    """A function that connects the company a week later, with the invoice linked by staff."""

    def connected(invoice) -> Any:
        world = bare_world
        world.later(timedelta(days=7))
        quickbooks_id = world.quickbooks_id(invoice)
        world.connect(world.company)
        world.link_everything()
        world.link(("invoice", invoice.invoice_id, quickbooks_id))
        world.cycle()
        return world

    return connected


def test_match(world, twice) -> None:
    cure(world, SAME, Action.MATCH)

    assert stands(world, twice) == ([4_000], [40], 60)
    rests(world, twice)


def test_both_are_real(world, twice) -> None:
    cure(world, SAME, Action.BOTH_REAL)

    assert stands(world, twice) == ([4_000, 4_000], [40, 40], 20)
    rests(world, twice)


def test_re_export_of_a_changed_payment(world, changed) -> None:
    told = cure(world, DRIFT, Action.RE_EXPORT)
    world.cycle()

    assert "closes once QuickBooks confirmed it" in told
    assert stands(world, changed) == ([4_000], [40], 60)
    rests(world, changed)


def test_accept_of_a_changed_payment(world, changed) -> None:
    cure(world, DRIFT, Action.ACCEPT)

    assert stands(world, changed) == ([4_000], [30], 70)
    assert world.in_ledger("SELECT amount_minor FROM decisions WHERE kind = 'accepted'") == [
        (1_000,)
    ]
    rests(world, changed)


def test_dismissal_of_a_changed_payment(world, changed) -> None:
    cure(world, DRIFT, Action.DISMISS)

    assert stands(world, changed) == ([4_000], [30], 70)
    rests(world, changed)


def test_a_payment_changed_again_after_its_change_was_accepted_is_told_again(
    world, changed
) -> None:
    cure(world, DRIFT, Action.ACCEPT)
    [payment] = world.quickbooks.list(world.company.realm, "Payment")

    world.repay(payment["Id"], (changed, "20.00"), total="20.00")
    world.cycle()

    assert world.titles() == [DRIFT]
    assert world.rows(changed) == [4_000]


def test_a_reversal_after_an_accepted_change_takes_what_is_left(world, changed) -> None:
    cure(world, DRIFT, Action.ACCEPT)
    [paid] = world.payment_rows(changed)

    world.do(payments.reverse_payment, paid.payment_id)
    world.cycle()

    assert stands(world, changed) == ([4_000, -4_000], [], 100)
    rests(world, changed)


def test_a_reversal_after_an_accepted_deletion_has_nothing_to_take_back(world, changed) -> None:
    [payment] = world.quickbooks.list(world.company.realm, "Payment")
    world.quickbooks.delete(world.company.realm, "Payment", payment["Id"])
    world.cycle()
    cure(world, DRIFT, Action.ACCEPT)
    [paid] = world.payment_rows(changed)

    world.do(payments.reverse_payment, paid.payment_id)
    world.cycle()

    assert stands(world, changed) == ([4_000, -4_000], [], 100)
    rests(world, changed)


def test_a_reversal_on_top_of_a_change_waits_for_its_decision_without_a_call(
    world, changed
) -> None:
    [paid] = world.payment_rows(changed)
    world.do(payments.reverse_payment, paid.payment_id)
    world.cycle()
    world.forget()

    world.cycle()

    assert world.titles() == [DRIFT]
    assert stands(world, changed) == ([4_000, -4_000], [30], 70)
    assert world.metered() == 1


def test_record_refund(world) -> None:
    invoice = world.exported(10_000)
    own = world.record_in_algapsa(invoice, 10_000)
    world.cycle()
    world.do(payments.refund_payment, own, 2_500)
    world.cycle()

    cure(world, REFUND, Action.RECORD_REFUND, "RefundReceipt 88")

    assert stands(world, invoice) == ([10_000, -2_500], [100], 0)
    [(amount, detail)] = world.in_ledger(
        "SELECT amount_minor, detail FROM decisions WHERE kind = 'refund_recorded'"
    )
    assert (amount, detail["quickbooks"]) == (2_500, "RefundReceipt 88")
    rests(world, invoice)


def test_push_of_a_payment_from_before_the_sync(bare_world, before_the_sync) -> None:
    invoice = bare_world.history()
    bare_world.record_in_algapsa(invoice, 4_000)
    world = before_the_sync(invoice)

    cure(world, LEFT, Action.PUSH)

    assert stands(world, invoice) == ([4_000], [40], 60)
    rests(world, invoice)


def test_apply_of_a_payment_from_before_the_sync(bare_world, before_the_sync) -> None:
    invoice = bare_world.history()
    bare_world.pay((invoice, "40.00"))
    world = before_the_sync(invoice)

    cure(world, LEFT, Action.APPLY)

    assert stands(world, invoice) == ([4_000], [40], 60)
    rests(world, invoice)


def test_match_of_payments_from_before_the_sync(bare_world, before_the_sync) -> None:
    invoice = bare_world.history()
    day = bare_world.today - timedelta(days=30)
    bare_world.do(payments.record_payment, payments.Payment(invoice.invoice_id, 4_000, day))
    bare_world.pay((invoice, "40.00"))
    world = before_the_sync(invoice)

    cure(world, LEFT, Action.MATCH)

    assert stands(world, invoice) == ([4_000], [40], 60)
    rests(world, invoice)


@pytest.mark.parametrize("second", [Action.ACCEPT, Action.DISMISS])
def test_a_changed_payment_that_was_to_be_sent_again_is_not_once_staff_think_better_of_it(
    world, changed, second
) -> None:
    decide(world, DRIFT, Action.RE_EXPORT)
    decide(world, DRIFT, second)
    world.cycle()

    assert stands(world, changed) == ([4_000], [30], 70)
    assert world.operations() == {}
    rests(world, changed)


@pytest.mark.parametrize("second", [Action.ACCEPT, Action.DISMISS])
@pytest.mark.parametrize("end", ["delete", "void"])
def test_an_ended_payment_that_was_to_be_sent_again_is_not_once_staff_think_better_of_it(
    world, changed, second, end
) -> None:
    [payment] = world.quickbooks.list(world.company.realm, "Payment")
    getattr(world.quickbooks, end)(world.company.realm, "Payment", payment["Id"])
    world.cycle()
    before = world.stands()

    decide(world, DRIFT, Action.RE_EXPORT)
    decide(world, DRIFT, second)
    for _ in range(2):
        world.cycle()

    assert world.stands() == before
    assert (world.operations(), world.titles()) == ({}, [])
    accepted = world.in_ledger("SELECT amount_minor FROM decisions WHERE kind = 'accepted'")
    assert accepted == ([(4_000,)] if second is Action.ACCEPT else [])


def test_a_change_that_staff_have_not_seen_is_not_accepted(world, changed) -> None:
    # Read before a send, when the cycle had told its drift already.
    world.in_ledger(
        """UPDATE links SET shown = jsonb_set(shown, '{total_minor}', '2000')
           WHERE kind = 'payment'"""
    )

    with pytest.raises(ActionRefusedError, match="changed again"):
        decide(world, DRIFT, Action.ACCEPT)

    world.cycle()
    assert world.titles() == [DRIFT]
    assert world.in_ledger("SELECT * FROM decisions WHERE kind = 'accepted'") == []
