"""Change polls of documents: too many, too old, or delivered twice."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal

import pytest

from qbo_sync_dagster.sandbox.quickbooks import forms
from qbo_sync_dagster.sync.outcome import Stage

GONE = "Exported invoice was voided or deleted in QuickBooks"
CHANGED = "Exported invoice was changed in QuickBooks"


def _crowd(world, count: int) -> None:
    """Invoices of somebody who is no client."""
    realm = world.company.realm
    stranger = str(world.quickbooks.customer(realm, "Walk-in sales")["Id"])
    body = forms.document(stranger, [(world.company.item, Decimal(80))], {})
    world.quickbooks.seed(realm, [{"entity": "Invoice", "body": body} for _ in range(count)])


def test_fifteen_hundred_invoice_changes_in_one_window(world) -> None:
    deleted, edited, paid = (world.invoice(10_000) for _ in range(3))
    world.cycle()
    realm, quickbooks = world.company.realm, world.quickbooks
    quickbooks.delete(realm, "Invoice", world.quickbooks_id(deleted))
    quickbooks.edit(realm, "Invoice", world.quickbooks_id(edited), DocNumber="X-77")
    world.pay((paid, "100.00"))
    _crowd(world, 1_500)

    results, end = world.stages()

    assert end.outcome == "succeeded", end.sentence
    assert results[Stage.INBOUND_CHANGES].sweep == "more changes than one answer holds"
    assert world.titles() == sorted([CHANGED, GONE])
    assert world.rows(paid) == [10_000]
    world.later(timedelta(minutes=15))
    world.cycle()
    world.forget()
    world.cycle()
    assert world.metered() == 1


def test_an_answer_lost_in_a_crowded_window_is_adopted_from_the_sweep(world) -> None:
    world.cycle()
    invoice = world.invoice()
    world.quickbooks.fault("drop_after_commit", realm=world.company.realm, kind="create")
    world.cycle()
    _crowd(world, 1_100)
    world.later(timedelta(minutes=3))

    results, end = world.stages()

    assert end.outcome == "succeeded", end.sentence
    assert results[Stage.INBOUND_CHANGES].sweep
    assert world.links() == {invoice.invoice_id: world.quickbooks_id(invoice)}
    assert world.titles() == []


@pytest.mark.parametrize("days", [28, 40])
def test_after_weeks_of_silence_what_happened_there_is_known(world, days) -> None:
    deleted, voided, kept = (world.invoice(10_000) for _ in range(3))
    world.cycle()
    realm, quickbooks = world.company.realm, world.quickbooks
    quickbooks.delete(realm, "Invoice", world.quickbooks_id(deleted))
    quickbooks.void(realm, "Invoice", world.quickbooks_id(voided))
    world.later(timedelta(days=days))

    results, end = world.stages()

    assert end.outcome == "succeeded", end.sentence
    assert (results[Stage.INBOUND_CHANGES].sweep is None) == (days < 29)
    assert world.titles() == [GONE, GONE]
    assert len(world.in_quickbooks(kept)) == 1
    assert world.cursor > world.engine.now() - timedelta(minutes=1)


def test_what_an_overlapping_poll_delivers_again_is_known(world) -> None:
    invoice = world.exported(10_000)
    world.pay((invoice, "100.00"))
    world.cycle()
    since = world.cursor - timedelta(minutes=4)
    before = world.changes("Invoice")

    world.configure(cursor=since)
    results, _ = world.stages()

    assert results[Stage.INBOUND_CHANGES].received == 0
    assert world.changes("Invoice") == before
    assert world.rows(invoice) == [10_000]
