"""Writes whose answer never came: each invoice stands in QuickBooks once, whatever became of it."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from qbo_sync_dagster.sandbox.algapsa import edits, invoices
from qbo_sync_dagster.sync.outcome import Stage

ORPHAN = "Sent to QuickBooks, but its arrival can't be confirmed"
FAILING = "Scheduled accounting export keeps failing"
LONG_ENOUGH = timedelta(minutes=3)
LOST_AFTER = ("timeout_after_commit", "drop_after_commit", "502_after_commit", "malformed_json")
LOST_BEFORE = ("timeout_before", "drop_before", "500", "502_html", "503", "html_200")


def _lose(world, effect: str, kind: str = "create") -> None:
    """One cycle in which the answer to the write is lost."""
    world.quickbooks.fault(effect, realm=world.company.realm, kind=kind)
    results, end = world.stages()
    assert end.outcome == "succeeded", end.sentence
    assert results[Stage.POSTED_OPERATIONS].in_doubt


def _writes(world) -> list[tuple[str, str]]:
    """Kind and request id of each write since the last `forget`."""
    calls = world.quickbooks.calls(world.company.realm)
    return [(call.kind, call.request_id) for call in calls if call.kind in {"create", "batch"}]


def _all(world) -> list[str]:
    """The numbers of all QuickBooks invoices."""
    return [found["DocNumber"] for found in world.quickbooks.list(world.company.realm, "Invoice")]


def _in_step(world, *books: Any) -> None:
    """Each invoice stands once, linked; nothing is open or waits, and idling costs one call."""
    assert sorted(_all(world)) == sorted(each.number for each in books)
    assert world.links() == {each.invoice_id: world.quickbooks_id(each) for each in books}
    assert world.operations() == {}
    assert world.titles() == []
    world.cycle()
    world.forget()
    world.cycle()
    assert world.metered() == 1


@pytest.mark.parametrize("effect", LOST_AFTER)
def test_an_invoice_that_arrived_is_adopted(world, effect) -> None:
    invoice = world.invoice()
    _lose(world, effect)
    assert world.links() == {}
    assert world.operations() == {f"Invoice {invoice.number}": "posting"}
    world.later(LONG_ENOUGH)
    world.forget()

    results, end = world.stages()

    assert end.outcome == "succeeded", end.sentence
    assert results[Stage.INBOUND_CHANGES].doubt_settled == 1
    assert _writes(world) == []
    _in_step(world, invoice)


@pytest.mark.parametrize("effect", LOST_BEFORE)
def test_an_invoice_that_never_arrived_is_sent_again_as_the_same_request(world, effect) -> None:
    invoice = world.invoice()
    _lose(world, effect)
    sent = _writes(world)
    world.later(LONG_ENOUGH)
    world.forget()

    end = world.cycle()

    assert end.outcome == "succeeded", end.sentence
    assert _writes(world) == sent
    _in_step(world, invoice)


def test_what_may_still_arrive_waits_and_so_does_its_record(world) -> None:
    invoice = world.invoice()
    _lose(world, "drop_before")
    world.do(invoices.reopen_invoice, invoice.invoice_id, today=world.today)
    world.finalize(invoice)
    # Far from the 130 s, however long the test itself takes.
    world.later(timedelta(seconds=30))
    world.forget()

    results, end = world.stages()

    assert end.outcome == "succeeded"
    assert results[Stage.INBOUND_CHANGES].doubt_settled == 0
    assert world.operations() == {f"Invoice {invoice.number}": "posting"}
    assert _writes(world) == []


def test_other_invoices_go_out_while_one_is_in_doubt(world) -> None:
    first = world.invoice()
    _lose(world, "drop_before")
    second = world.invoice(client=1)

    world.cycle()

    assert _all(world) == [second.number]
    world.later(LONG_ENOUGH)
    world.cycle()
    _in_step(world, first, second)


@pytest.mark.parametrize("effect", LOST_AFTER)
def test_a_batch_that_was_carried_out_is_adopted_whole(world, effect) -> None:
    books = [world.invoice(1_000 * n) for n in range(1, 5)]
    _lose(world, effect, "batch")
    world.later(LONG_ENOUGH)
    world.forget()

    world.cycle()

    assert _writes(world) == []
    _in_step(world, *books)


@pytest.mark.parametrize("effect", ["drop_before", "502_html"])
def test_a_batch_that_never_arrived_is_sent_again_as_it_was(world, effect) -> None:
    books = [world.invoice(1_000 * n) for n in range(1, 5)]
    _lose(world, effect, "batch")
    sent = _writes(world)
    world.later(LONG_ENOUGH)
    world.forget()

    world.cycle()

    assert _writes(world) == sent
    _in_step(world, *books)


def test_of_a_batch_carried_out_in_part_only_the_rest_is_sent_with_new_ids(world) -> None:
    books = [world.invoice(1_000 * n) for n in range(1, 5)]
    world.quickbooks.fault(
        "fault:6000", realm=world.company.realm, kind="create", match=books[2].number
    )
    _lose(world, "drop_after_commit", "batch")
    [(_, batch)] = _writes(world)
    assert len(_all(world)) == 3
    world.later(LONG_ENOUGH)
    world.forget()

    world.cycle()

    [(kind, request_id)] = _writes(world)
    assert kind == "create"
    assert request_id != batch
    _in_step(world, *books)


def test_a_batch_refused_item_by_item_whose_answer_was_lost_is_refused_once_more(world) -> None:
    books = [world.invoice(1_000 * n) for n in range(1, 3)]
    for each in books:
        world.quickbooks.fault(
            "fault:6000", realm=world.company.realm, kind="create", match=each.number, times=2
        )
    _lose(world, "drop_after_commit", "batch")
    world.later(LONG_ENOUGH)

    world.cycle()

    assert _all(world) == []
    assert world.titles() == [FAILING, FAILING]
    assert set(world.operations().values()) == {"errored"}


def test_an_item_missing_in_a_batchs_answer_is_adopted_and_the_others_are_done_at_once(
    world,
) -> None:
    books = [world.invoice(1_000 * n) for n in range(1, 4)]
    world.quickbooks.fault(
        "omit_item", realm=world.company.realm, kind="create", match=books[1].number
    )
    world.cycle()
    assert len(world.links()) == 2
    world.later(LONG_ENOUGH)
    world.forget()

    world.cycle()

    assert _writes(world) == []
    _in_step(world, *books)


def test_two_equal_invoices_of_one_client_in_one_lost_batch_are_told_apart(world) -> None:
    books = [world.invoice(5_000) for _ in range(2)]
    _lose(world, "drop_after_commit", "batch")
    world.later(LONG_ENOUGH)

    world.cycle()

    _in_step(world, *books)


def test_two_equal_invoices_of_one_client_of_which_one_arrived(world) -> None:
    books = [world.invoice(5_000) for _ in range(2)]
    world.quickbooks.fault(
        "fault:6000", realm=world.company.realm, kind="create", match=books[0].number
    )
    _lose(world, "drop_after_commit", "batch")
    world.later(LONG_ENOUGH)

    world.cycle()

    _in_step(world, *books)


def test_without_batches_each_lost_answer_is_settled_on_its_own(world) -> None:
    world.settings(batches=False)
    books = [world.invoice(5_000) for _ in range(3)]
    _lose(world, "drop_after_commit")
    world.later(LONG_ENOUGH)
    world.forget()

    world.cycle()

    assert [kind for kind, _ in _writes(world)] == ["create", "create"]
    _in_step(world, *books)


def test_renumbered_by_a_user_before_the_answer_was_missed_it_is_adopted_and_drifted(
    world,
) -> None:
    invoice = world.invoice(12_345)
    _lose(world, "drop_after_commit")
    made = world.quickbooks_id(invoice)
    world.quickbooks.edit(world.company.realm, "Invoice", made, DocNumber="X-77")
    world.later(LONG_ENOUGH)

    end = world.cycle()

    assert end.outcome == "succeeded", end.sentence
    assert world.links() == {invoice.invoice_id: made}
    assert _all(world) == ["X-77"]
    assert world.titles() == ["Exported invoice was changed in QuickBooks"]


def test_two_equal_invoices_both_renumbered_there_are_left_to_a_person(world) -> None:
    books = [world.invoice(5_000) for _ in range(2)]
    _lose(world, "drop_after_commit", "batch")
    for position, each in enumerate(books):
        made = world.quickbooks_id(each)
        world.quickbooks.edit(world.company.realm, "Invoice", made, DocNumber=f"X-{position}")
    world.later(LONG_ENOUGH)
    world.forget()

    world.cycle()

    assert _writes(world) == []
    assert world.links() == {}
    assert world.titles() == [ORPHAN, ORPHAN]
    assert set(world.operations().values()) == {"held"}


@pytest.mark.parametrize("act", ["delete", "void"])
def test_what_a_user_removed_before_it_was_confirmed_is_not_sent_again(world, act) -> None:
    invoice = world.invoice()
    _lose(world, "drop_after_commit")
    made = world.quickbooks_id(invoice)
    getattr(world.quickbooks, act)(world.company.realm, "Invoice", made)
    world.later(LONG_ENOUGH)
    world.forget()

    for _ in range(2):
        world.cycle()

    assert _writes(world) == []
    assert world.links() == {}
    assert world.titles() == [ORPHAN]


def test_an_unlinked_invoice_of_that_customer_and_amount_leaves_it_to_a_person(world) -> None:
    invoice = world.invoice(5_000)
    _lose(world, "drop_before")
    company = world.company
    customer = company.customers[world.clients[0]]
    world.quickbooks.invoice(
        company.realm, customer, [(company.item, "50.00")], TxnDate="2026-01-31"
    )
    world.later(LONG_ENOUGH)
    world.forget()

    world.cycle()

    assert _writes(world) == []
    assert world.titles() == [ORPHAN]
    assert invoice.number in world.exception(ORPHAN).what_happened


def test_after_twelve_hours_it_is_not_sent_again_by_itself(world) -> None:
    invoice = world.invoice()
    _lose(world, "drop_before")
    world.quickbooks.set(world.company.realm, requestid_retention_seconds=3600)
    world.later(timedelta(hours=13))
    world.forget()

    for _ in range(2):
        end = world.cycle()

    assert end.outcome == "succeeded"
    assert _writes(world) == []
    assert _all(world) == []
    assert world.titles() == [ORPHAN]
    assert world.operations() == {f"Invoice {invoice.number}": "held"}
    assert world.metered() == 2


def test_after_twelve_hours_one_that_arrived_is_still_adopted(world) -> None:
    invoice = world.invoice()
    _lose(world, "drop_after_commit")
    world.quickbooks.set(world.company.realm, requestid_retention_seconds=3600)
    world.later(timedelta(hours=13))

    world.cycle()

    _in_step(world, invoice)


def test_an_orphan_that_staff_link_is_settled(world) -> None:
    invoice = world.invoice()
    _lose(world, "drop_before")
    world.later(timedelta(hours=13))
    world.cycle()
    company = world.company
    entered = world.quickbooks.invoice(
        company.realm,
        company.customers[world.clients[0]],
        [(company.item, "100.00")],
        DocNumber=invoice.number,
        TxnDate=world.today.isoformat(),
    )

    world.link(("invoice", invoice.invoice_id, str(entered["Id"])))
    world.cycle()

    assert world.links() == {invoice.invoice_id: entered["Id"]}
    assert world.titles() == []
    assert world.operations() == {}


def test_changed_in_algapsa_while_in_doubt_it_goes_out_as_it_is_now(world) -> None:
    invoice = world.invoice(10_000)
    _lose(world, "drop_before")
    sent = _writes(world)
    [charge] = world.do(edits.charge_ids, invoice.invoice_id)
    world.do(edits.reprice_charge, invoice.invoice_id, charge, 12_000)
    world.later(LONG_ENOUGH)
    world.forget()

    for _ in range(2):
        world.cycle()

    assert _writes(world) != sent
    assert [found["TotalAmt"] for found in world.in_quickbooks(invoice)] == [120]
    _in_step(world, invoice)


def test_voided_in_algapsa_while_in_doubt_and_never_arrived_it_is_not_sent(world) -> None:
    invoice = world.invoice()
    _lose(world, "drop_before")
    world.do(invoices.void_invoice, invoice.invoice_id)
    world.later(LONG_ENOUGH)
    world.forget()

    for _ in range(2):
        world.cycle()

    assert _writes(world) == []
    assert _all(world) == []
    assert world.operations() == {}
    assert world.titles() == []


def test_voided_in_algapsa_while_in_doubt_but_arrived_it_is_voided_there(world) -> None:
    invoice = world.invoice()
    _lose(world, "drop_after_commit")
    world.do(invoices.void_invoice, invoice.invoice_id)
    world.later(LONG_ENOUGH)

    world.cycle()

    assert world.links() == {invoice.invoice_id: world.quickbooks_id(invoice)}
    [shown] = world.in_quickbooks(invoice)
    assert shown["TotalAmt"] == 0
    assert world.titles() == []


def test_paid_there_before_it_was_adopted_the_payment_is_applied_in_the_same_cycle(world) -> None:
    invoice = world.invoice(10_000)
    _lose(world, "drop_after_commit")
    world.pay((invoice, "100.00"))
    world.later(LONG_ENOUGH)

    world.cycle()

    assert world.rows(invoice) == [10_000]
    assert world.state(invoice).status == "paid"
    _in_step(world, invoice)


def test_the_poll_reaches_back_to_the_send_however_far_the_cursor_went(world) -> None:
    invoice = world.invoice()
    _lose(world, "drop_after_commit")
    world.configure(cursor=world.engine.now() + timedelta(minutes=30))
    world.later(timedelta(hours=1))

    world.cycle()

    _in_step(world, invoice)


@pytest.mark.parametrize("arrived", [True, False])
def test_lost_again_at_the_second_send(world, arrived) -> None:
    invoice = world.invoice()
    _lose(world, "drop_before")
    world.later(LONG_ENOUGH)
    _lose(world, "drop_after_commit" if arrived else "drop_before")
    world.later(LONG_ENOUGH)

    world.cycle()

    _in_step(world, invoice)


def test_an_orphan_that_staff_dismissed_is_neither_sent_nor_counted_as_pending(world) -> None:
    world.invoice()
    _lose(world, "drop_before")
    world.later(timedelta(hours=13))
    world.cycle()
    world.dismiss(ORPHAN)
    world.forget()

    for _ in range(2):
        end = world.cycle()

    assert (end.health.pending, end.health.errored) == (0, 0)
    assert _writes(world) == []
    assert world.titles() == []
