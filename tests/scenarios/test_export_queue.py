"""Invoices out: what becomes of queued invoices, each on its own."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest

from qbo_sync_dagster.sandbox.algapsa import edits, invoices
from qbo_sync_dagster.sandbox.algapsa.charges import Charge
from qbo_sync_dagster.sync.documents_out import DocumentLevel
from qbo_sync_dagster.sync.outcome import Stage

FAILING = "Scheduled accounting export keeps failing"


def _until(world, stage):
    """Run a cycle up to a stage; the generator goes on when asked."""
    events = world.events()
    for event in events:
        if getattr(event, "stage", None) is stage:
            return events
    raise AssertionError("the stage was not reached")


def _finish(events):
    *_, end = events
    return end


def test_of_three_queued_invoices_quickbooks_rejects_one(world) -> None:
    three = [world.invoice() for _ in range(3)]
    world.quickbooks.fault(
        "fault:6000", realm=world.company.realm, kind="create", match=three[1].number
    )

    end = world.cycle()

    assert end.outcome == "succeeded"
    assert [len(world.in_quickbooks(each)) for each in three] == [1, 0, 1]
    told = world.exception(FAILING)
    assert world.titles() == [FAILING]
    assert three[1].number in told.what_happened
    assert "Injected fault" in told.what_happened
    assert world.operations() == {f"Invoice {three[1].number}": "errored"}
    assert end.sentence == "2 operations processed, 1 refused by QuickBooks"


def test_a_refused_invoice_is_not_sent_again_as_it_was(world) -> None:
    world.invoice()
    world.quickbooks.fault("fault:6000", realm=world.company.realm, kind="create")
    world.cycle()
    world.forget()

    world.cycle()

    assert world.quickbooks.call_counts(world.company.realm) == {"cdc": 1}


def test_a_refused_invoice_is_sent_again_once_it_was_corrected(world) -> None:
    invoice = world.invoice(10_000)
    world.quickbooks.fault("fault:6000", realm=world.company.realm, kind="create")
    world.cycle()

    [item] = world.do(edits.charge_ids, invoice.invoice_id)
    world.do(edits.reprice_charge, invoice.invoice_id, item, 12_000)
    world.cycle()

    assert [found["TotalAmt"] for found in world.in_quickbooks(invoice)] == [120]
    assert world.titles() == []


def test_an_invoice_voided_while_queued_is_not_sent(world) -> None:
    invoice, other = world.invoice(), world.invoice(client=1)
    events = _until(world, Stage.OUTBOUND_OPERATIONS)

    world.do(invoices.void_invoice, invoice.invoice_id)
    end = _finish(events)

    assert end.outcome == "succeeded"
    assert world.in_quickbooks(invoice) == []
    assert len(world.in_quickbooks(other)) == 1
    assert world.operations() == {}
    assert world.titles() == []


@pytest.mark.parametrize("act", ["void", "reopen", "edit", "delete"])
def test_what_happens_to_an_invoice_after_it_was_prepared_keeps_it_from_being_sent(
    world, monkeypatch, act
) -> None:
    invoice, other = world.invoice(), world.invoice(client=1)
    prepare = DocumentLevel.prepare

    def then_changed(self, due):
        prepared = prepare(self, due)
        _do_something(world, invoice, act)
        return prepared

    with monkeypatch.context() as patched:
        patched.setattr(DocumentLevel, "prepare", then_changed)
        world.cycle()

    assert world.in_quickbooks(invoice) == []
    assert len(world.in_quickbooks(other)) == 1
    world.cycle()
    expected = [101] if act == "edit" else []
    assert [found["TotalAmt"] for found in world.in_quickbooks(invoice)] == expected


def _do_something(world, invoice, act):
    identity = invoice.invoice_id
    if act == "void":
        world.do(invoices.void_invoice, identity)
    elif act == "reopen":
        world.do(invoices.reopen_invoice, identity, today=world.today)
    elif act == "delete":
        world.do(invoices.delete_invoice, identity)
    else:
        world.do(edits.add_charge, identity, Charge("More", 100, service_id=world.service))


def test_an_invoice_reopened_while_queued_goes_out_as_it_is_finalized_again(world) -> None:
    invoice = world.invoice(10_000)
    events = _until(world, Stage.OUTBOUND_OPERATIONS)
    world.do(invoices.reopen_invoice, invoice.invoice_id, today=world.today)
    _finish(events)
    assert world.in_quickbooks(invoice) == []

    [item] = world.do(edits.charge_ids, invoice.invoice_id)
    world.do(edits.reprice_charge, invoice.invoice_id, item, 15_000)
    world.finalize(invoice)
    world.cycle()

    assert [found["TotalAmt"] for found in world.in_quickbooks(invoice)] == [150]


def test_an_invoice_deleted_while_queued_is_not_sent(world) -> None:
    invoice = world.invoice()
    events = _until(world, Stage.OUTBOUND_OPERATIONS)
    world.do(invoices.delete_invoice, invoice.invoice_id)

    end = _finish(events)

    assert end.outcome == "succeeded"
    assert world.quickbooks.list(world.company.realm, "Invoice") == []
    assert world.operations() == {}


def test_a_refused_invoice_that_was_reopened_and_finalized_again_is_sent_anew(world) -> None:
    invoice = world.invoice()
    world.quickbooks.fault("fault:6000", realm=world.company.realm, kind="create")
    world.cycle()
    world.do(invoices.reopen_invoice, invoice.invoice_id, today=world.today)
    world.cycle()
    assert world.titles() == []
    assert world.operations() == {}

    world.finalize(invoice)
    end = world.cycle()

    assert end.outcome == "succeeded", end.sentence
    assert len(world.in_quickbooks(invoice)) == 1


def test_a_refused_invoice_voided_afterwards_leaves_queue_and_exceptions(world) -> None:
    invoice = world.invoice()
    world.quickbooks.fault("fault:6000", realm=world.company.realm, kind="create")
    world.cycle()

    world.do(invoices.void_invoice, invoice.invoice_id)
    end = world.cycle()

    assert world.titles() == []
    assert (end.health.pending, end.health.errored) == (0, 0)


def test_a_record_that_somebody_edits_there_is_tried_again_later_by_itself(world) -> None:
    invoice = world.invoice()
    busy = "fault:6000:You can only add or edit one name at a time"
    world.quickbooks.fault(busy, realm=world.company.realm, kind="create")
    world.cycle()
    assert world.in_quickbooks(invoice) == []
    assert world.operations() == {f"Invoice {invoice.number}": "queued"}
    assert world.titles() == []

    world.later(timedelta(minutes=15))
    world.cycle()

    assert len(world.in_quickbooks(invoice)) == 1
    assert world.titles() == []


def test_a_record_that_stays_busy_is_told_after_five_attempts(world) -> None:
    invoice = world.invoice()
    busy = "fault:6000:You can only add or edit one name at a time"
    world.quickbooks.fault(busy, realm=world.company.realm, kind="create", times=99)

    for _ in range(6):
        world.cycle()
        world.later(timedelta(hours=8))

    assert world.quickbooks.call_counts(world.company.realm)["create"] == 5
    assert world.operations() == {f"Invoice {invoice.number}": "errored"}
    assert world.titles() == [FAILING]


def test_the_second_cycle_sends_nothing_again(world) -> None:
    invoice = world.exported()
    world.forget()

    end = world.cycle()

    assert end.sentence == "Nothing to do"
    assert world.quickbooks.call_counts(world.company.realm) == {"cdc": 1}
    assert len(world.in_quickbooks(invoice)) == 1


def test_without_batches_each_invoice_is_a_call_of_its_own(world) -> None:
    world.settings(batches=False)
    made = [world.invoice() for _ in range(3)]

    end = world.cycle()

    assert [len(world.in_quickbooks(each)) for each in made] == [1, 1, 1]
    counts = world.quickbooks.call_counts(world.company.realm)
    assert (counts["create"], counts["batch"]) == (3, 0)
    assert end.health.quickbooks_writes == 3


def test_three_hundred_invoices_go_out_in_ten_batches_and_two_look_ups(world) -> None:
    drafts = [
        invoices.InvoiceDraft(
            world.clients[n % 3],
            world.today,
            (Charge("Managed endpoint", 1_000 + n, service_id=world.service),),
        )
        for n in range(300)
    ]
    ids = world.do(invoices.draft_invoices, drafts)
    world.do(invoices.finalize_invoices, ids, today=world.today)

    end = world.cycle()

    assert end.health.quickbooks_writes == 300
    counts = world.quickbooks.call_counts(world.company.realm)
    assert counts["batch"] == 10
    # Whether an invoice bears one of the numbers, and whether a credit memo does.
    assert counts["query"] == 2
    totals = sorted(
        int(item["TotalAmt"] * 100)
        for item in world.quickbooks.list(world.company.realm, "Invoice")
    )
    assert totals == [1_000 + n for n in range(300)]
    assert set(world.links()) == set(ids)


def test_what_the_time_for_posting_does_not_reach_stays_queued_for_the_next_cycle(world) -> None:
    made = [world.invoice() for _ in range(3)]
    config = world.engine.config
    world.reopen(replace(config, posting_budget_seconds=0.0))

    results, end = world.stages()

    assert end.outcome == "succeeded"
    assert "time for posting" in results[Stage.POSTED_OPERATIONS].stopped_reason
    assert end.health.pending == 3
    assert world.titles() == []

    world.reopen(config)
    world.cycle()

    assert [len(world.in_quickbooks(each)) for each in made] == [1, 1, 1]
