"""Answers that no book should hold: each ends in one clear exception, and nothing else stops."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from qbo_sync_dagster.quickbooks.client import QuickBooksClient
from qbo_sync_dagster.sync.outcome import Stage

UNREADABLE = "QuickBooks sent a record that can't be read"
CHANGED = "Exported invoice was changed in QuickBooks"


def _spoil_poll(world, effect):
    world.quickbooks.fault(effect, realm=world.company.realm, kind="cdc")


@pytest.mark.parametrize("field", ["TotalAmt", "TxnDate"])
def test_an_invoice_that_lacks_a_field_is_parked_and_read_again_by_the_next_poll(
    world, field
) -> None:
    invoice, other = world.exported(), world.exported(client=1)
    made = world.quickbooks.edit(
        world.company.realm, "Invoice", world.quickbooks_id(invoice), DocNumber="X-1"
    )
    fresh = world.invoice(client=2)
    _spoil_poll(world, f"omit_field:{field}")

    end = world.cycle()

    assert end.outcome == "succeeded", end.sentence
    assert UNREADABLE in world.titles()
    told = [item for item in world.open() if item.title == UNREADABLE]
    assert any(f"Invoice:{made['Id']}" == item.record for item in told)
    assert all(field in item.what_happened for item in told)
    assert len(world.in_quickbooks(fresh)) == 1

    world.cycle()

    assert world.titles() == [CHANGED]
    assert len(world.in_quickbooks(other)) == 1


def test_an_invoice_without_its_token_never_passes_for_one_that_is_known(world) -> None:
    invoice = world.exported()
    world.cycle()
    made = world.quickbooks.edit(
        world.company.realm, "Invoice", world.quickbooks_id(invoice), DocNumber="X-1"
    )
    _spoil_poll(world, "omit_field:SyncToken")
    world.cycle()
    told = {item.record: item.what_happened for item in world.open()}
    assert "SyncToken is missing" in told[f"Invoice:{made['Id']}"]

    world.cycle()

    assert CHANGED in world.titles()
    assert f"Invoice:{made['Id']}" not in {item.record for item in world.open()}


def test_an_object_without_an_id_is_told_and_the_right_one_is_still_applied(world) -> None:
    invoice = world.exported()
    world.quickbooks.edit(
        world.company.realm, "Invoice", world.quickbooks_id(invoice), DocNumber="X-1"
    )
    _spoil_poll(world, "omit_field:Id")
    assert world.cycle().outcome == "succeeded"
    assert UNREADABLE in world.titles()

    world.cycle()

    assert CHANGED in world.titles()


def test_a_text_of_a_hundred_thousand_characters_parks_the_record_it_numbers(world) -> None:
    invoice = world.exported()
    world.quickbooks.edit(
        world.company.realm, "Invoice", world.quickbooks_id(invoice), PrivateNote="called"
    )
    _spoil_poll(world, "huge_text:DocNumber")

    end = world.cycle()

    assert end.outcome == "succeeded", end.sentence
    assert UNREADABLE in world.titles()
    assert all(len(item.what_happened) < 1_000 for item in world.open())
    world.cycle()
    assert world.titles() == []


def test_a_note_of_a_hundred_thousand_characters_is_no_concern(world) -> None:
    invoice = world.exported()
    world.quickbooks.edit(
        world.company.realm, "Invoice", world.quickbooks_id(invoice), PrivateNote="called"
    )
    _spoil_poll(world, "huge_text:PrivateNote")

    assert world.cycle().outcome == "succeeded"
    assert world.titles() == []


def test_absurd_text_in_a_write_answer_does_no_harm(world) -> None:
    invoice = world.invoice()
    world.quickbooks.fault("huge_text:DocNumber", realm=world.company.realm, kind="create")

    assert world.cycle().outcome == "succeeded"
    world.cycle()

    assert len(world.in_quickbooks(invoice)) == 1
    assert (world.titles(), world.operations()) == ([], {})


def test_a_sweep_page_with_an_unreadable_object_still_brings_the_others(world) -> None:
    first, second = world.exported(), world.exported(client=1)
    realm = world.company.realm
    for invoice in (first, second):
        world.quickbooks.edit(
            realm, "Invoice", world.quickbooks_id(invoice), DocNumber=f"X-{invoice.number}"
        )
    world.later(timedelta(days=40))
    world.quickbooks.fault("omit_field:TotalAmt", realm=realm, kind="query", entity="Invoice")

    results, end = world.stages()

    assert end.outcome == "succeeded", end.sentence
    assert results[Stage.APPLIED_CHANGES].parked == 2
    assert world.titles() == [UNREADABLE, UNREADABLE]


def test_a_poll_that_tells_a_time_far_ahead_does_not_make_later_polls_skip_changes(
    world, monkeypatch
) -> None:
    invoice = world.exported()
    cdc = QuickBooksClient.cdc

    def ahead(self, entities, since):
        return replace(cdc(self, entities, since), time=datetime(2099, 1, 1, tzinfo=UTC))

    with monkeypatch.context() as patched:
        patched.setattr(QuickBooksClient, "cdc", ahead)
        assert world.cycle().outcome == "succeeded"
    world.later(timedelta(hours=1))
    world.quickbooks.edit(
        world.company.realm, "Invoice", world.quickbooks_id(invoice), DocNumber="X-1"
    )

    world.cycle()

    assert world.titles() == [CHANGED]
