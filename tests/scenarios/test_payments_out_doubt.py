"""Payments out: whatever is lost on the way, a payment stands in QuickBooks once."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal

import pytest

from qbo_sync_dagster.actions.cases import Choice
from qbo_sync_dagster.actions.resolving import Resolution, resolve
from qbo_sync_dagster.domain.catalogue import Action
from qbo_sync_dagster.sandbox.algapsa import payments
from qbo_sync_dagster.sync import payments_out
from qbo_sync_dagster.sync.outcome import Stage
from tests.scenarios.credit_steps import apply, note, take_back

CLOSED = "Dated in a closed QuickBooks period"
ORPHAN = "Sent to QuickBooks, but its arrival can't be confirmed"
FAILING = "Payment push keeps failing in accounting"
SETTLED = "QuickBooks payment targets an already-settled invoice"
LONG_ENOUGH = timedelta(minutes=3)


def amounts(world) -> list[Decimal]:
    found = world.quickbooks.list(world.company.realm, "Payment")
    return sorted(Decimal(str(each["TotalAmt"])) for each in found)


def balance(world, invoice) -> Decimal:
    [found] = world.in_quickbooks(invoice)
    return Decimal(str(found["Balance"]))


def lose(world, effect: str, kind: str) -> None:
    """One cycle in which the answer to a write of a payment is lost."""
    world.quickbooks.fault(effect, realm=world.company.realm, kind=kind, entity="Payment")
    results, end = world.stages()
    assert end.outcome == "succeeded", end.sentence
    assert results[Stage.POSTED_OPERATIONS].in_doubt


def in_step(world, invoice, *expected: int) -> None:
    """The payments stand once on each side, linked; nothing waits and idling costs one call."""
    world.cycle()
    assert amounts(world) == list(expected)
    assert world.rows(invoice) == [100 * each for each in expected]
    assert len(world.links("payment")) == len(expected)
    assert world.operations() == {}
    assert world.titles() == []
    world.forget()
    world.cycle()
    assert world.metered() == 1


@pytest.mark.parametrize("effect", ["timeout_after_commit", "drop_after_commit", "malformed_json"])
def test_a_payment_that_arrived_is_adopted_by_its_marker(world, effect) -> None:
    invoice = world.exported(10_000)
    world.record_in_algapsa(invoice, 4_000)
    lose(world, effect, "create")
    assert amounts(world) == [40]
    world.later(LONG_ENOUGH)

    world.cycle()

    in_step(world, invoice, 40)


@pytest.mark.parametrize("effect", ["timeout_before", "502_html"])
def test_a_payment_that_never_arrived_is_sent_again(world, effect) -> None:
    invoice = world.exported(10_000)
    world.record_in_algapsa(invoice, 4_000)
    lose(world, effect, "create")
    assert amounts(world) == []
    world.later(LONG_ENOUGH)

    world.cycle()

    in_step(world, invoice, 40)


def test_a_batch_whose_answer_was_lost_stands_once(world) -> None:
    invoice = world.exported(10_000)
    world.record_in_algapsa(invoice, 3_000)
    world.record_in_algapsa(invoice, 4_000)
    world.quickbooks.fault("timeout_after_commit", realm=world.company.realm, kind="batch")
    world.cycle()
    world.later(LONG_ENOUGH)

    world.cycle()

    in_step(world, invoice, 30, 40)


def test_killed_after_the_send_the_payment_is_found_again(world, monkeypatch) -> None:
    invoice = world.exported(10_000)
    world.record_in_algapsa(invoice, 4_000)

    def killed(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr("qbo_sync_dagster.sync.sending._record", killed)
        with pytest.raises(KeyboardInterrupt):
            world.cycle()
    world.later(timedelta(minutes=10))

    world.cycle()

    in_step(world, invoice, 40)


def test_a_payment_whose_marker_was_edited_away_is_never_sent_blindly(world) -> None:
    invoice = world.exported(10_000)
    world.record_in_algapsa(invoice, 4_000)
    lose(world, "timeout_after_commit", "create")
    [found] = world.quickbooks.list(world.company.realm, "Payment")
    world.quickbooks.edit(world.company.realm, "Payment", found["Id"], PrivateNote="cheque")
    world.later(LONG_ENOUGH)

    world.cycle()
    world.cycle()

    assert amounts(world) == [40]
    assert world.rows(invoice) == [4_000]
    assert ORPHAN in world.titles()

    choice = Choice(world.exception(ORPHAN).number, "Ada")
    resolve(world.engine, Resolution(Action.ADOPT, choice, found["Id"]))
    world.cycle()

    in_step(world, invoice, 40)


def test_a_lost_answer_to_a_deletion_is_settled_by_reading(world) -> None:
    invoice = world.exported(10_000)
    own = world.record_in_algapsa(invoice, 4_000)
    world.cycle()
    world.do(payments.reverse_payment, own)
    lose(world, "timeout_after_commit", "delete")
    world.later(LONG_ENOUGH)

    world.cycle()
    world.cycle()

    assert amounts(world) == []
    assert balance(world, invoice) == 100
    assert world.operations() == {}
    assert world.titles() == []


def test_a_throttled_push_costs_no_attempt(world) -> None:
    invoice = world.exported(10_000)
    world.record_in_algapsa(invoice, 4_000)
    world.quickbooks.fault("429", realm=world.company.realm, kind="create", times=3)

    world.cycle()

    in_step(world, invoice, 40)


def test_a_refused_payment_is_told_and_sent_once_its_cause_is_gone(world) -> None:
    world.configure(deposit_account="999")
    invoice = world.exported(10_000)
    world.record_in_algapsa(invoice, 4_000)

    world.cycle()
    world.forget()
    world.cycle()

    assert world.titles() == [FAILING]
    assert world.metered() == 1

    world.configure(deposit_account=None)
    world.in_ledger("UPDATE operations SET state = 'queued' WHERE state = 'errored'")
    world.cycle()

    in_step(world, invoice, 40)


def test_a_payment_in_a_closed_period_is_held_and_follows_its_reopening(world) -> None:
    invoice = world.exported(10_000)
    world.quickbooks.set(world.company.realm, book_close_date=world.today.isoformat())
    world.record_in_algapsa(invoice, 4_000)

    world.cycle()
    world.cycle()

    assert world.titles() == [CLOSED]
    assert amounts(world) == []

    world.quickbooks.set(world.company.realm, book_close_date="")
    world.cycle()

    in_step(world, invoice, 40)


def test_a_payment_entered_in_quickbooks_after_the_poll_is_met_before_the_send(
    world, monkeypatch
) -> None:
    invoice = world.exported(10_000)
    world.record_in_algapsa(invoice, 4_000)

    queue = payments_out.queue_payments

    def entered_meanwhile(ctx) -> int:
        world.pay((invoice, "40.00"))
        return queue(ctx)

    with monkeypatch.context() as patch:
        patch.setattr(payments_out, "queue_payments", entered_meanwhile)
        world.cycle()

    assert amounts(world) == [40]
    world.cycle()
    assert amounts(world) == [40]
    assert world.titles() == ["Same payment on both sides?"]


def test_a_restored_ledger_recognises_its_own_payments(world) -> None:
    world.cycle()
    backup = world.cursor
    invoice = world.exported(10_000)
    world.record_in_algapsa(invoice, 4_000)
    world.cycle()
    made = world.links("payment")
    world.later(timedelta(days=2))
    for table in ("postings", "operations", "inbound_changes", "document_homes", "exceptions"):
        world.in_ledger(f"DELETE FROM {table}")
    world.in_ledger("DELETE FROM links WHERE kind IN ('invoice', 'payment')")
    world.configure(cursor=backup)

    world.cycle()

    assert world.links("payment") == made
    assert world.in_ledger("SELECT origin FROM links WHERE kind = 'payment'") == [("adopted",)]
    in_step(world, invoice, 40)


def test_credit_taken_back_without_an_answer_is_no_deletion_that_might_be_the_payment(
    world,
) -> None:
    paid, credited = world.exported(10_000), world.exported(20_000)
    note(world)
    world.cycle()
    apply(world, credited)
    world.cycle()
    world.record_in_algapsa(paid, 4_000)
    take_back(world, credited)
    world.quickbooks.fault("drop_after_commit", realm=world.company.realm, kind="delete")
    lose(world, "drop_before", "create")
    world.later(LONG_ENOUGH)

    world.cycle()

    in_step(world, paid, 40)


def test_a_repeat_that_was_throttled_keeps_the_request_id_of_the_first_send(world) -> None:
    invoice = world.exported(10_000)
    world.record_in_algapsa(invoice, 4_000)
    lose(world, "timeout_before", "create")
    world.later(LONG_ENOUGH)
    world.quickbooks.fault("429", realm=world.company.realm, kind="create", times=500)
    world.cycle()
    assert list(world.operations().values()) == ["posting"]
    world.quickbooks.clear_faults()
    world.later(LONG_ENOUGH)

    world.cycle()

    sent = world.in_ledger("SELECT state FROM postings WHERE entity = 'Payment'")
    assert sent == [("done",)]
    in_step(world, invoice, 40)


def test_an_item_that_was_throttled_in_a_repeat_keeps_the_request_id_of_the_first_send(
    world,
) -> None:
    invoice = world.exported(10_000)
    for cents in (3_000, 4_000):
        world.record_in_algapsa(invoice, cents)
    world.quickbooks.fault("timeout_before", realm=world.company.realm, kind="batch")
    world.cycle()
    world.later(LONG_ENOUGH)
    world.quickbooks.fault("fault:3001", realm=world.company.realm, kind="create")

    results, _ = world.stages()

    posted = results[Stage.POSTED_OPERATIONS]
    assert (posted.done, posted.in_doubt) == (1, 1)
    states = "SELECT state FROM postings WHERE entity = 'Payment'"
    assert sorted(world.in_ledger(states)) == [("done",), ("sent",)]
    assert list(world.operations().values()) == ["posting"]
    world.cycle()
    assert len(amounts(world)) == 1

    world.later(LONG_ENOUGH)
    world.cycle()

    in_step(world, invoice, 30, 40)


def test_a_payment_of_ours_that_is_voided_there_is_no_void_that_might_be_the_application(
    world,
) -> None:
    paid, credited = world.exported(10_000), world.exported(20_000)
    note(world)
    world.record_in_algapsa(paid, 4_000)
    world.cycle()
    [pushed] = world.links("payment").values()
    apply(world, credited)
    lose(world, "drop_before", "create")
    world.quickbooks.void(world.company.realm, "Payment", pushed)
    world.later(LONG_ENOUGH)

    world.cycle()

    assert len(world.links("credit_application")) == 1
    assert ORPHAN not in world.titles()
