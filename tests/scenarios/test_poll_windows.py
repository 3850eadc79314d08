"""Polls that one change answer cannot hold: too many changes, or too long ago."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

from qbo_sync_dagster.quickbooks.answers import ChangeSweep
from qbo_sync_dagster.quickbooks.client import QuickBooksClient
from qbo_sync_dagster.sync.outcome import Stage

GONE = "Exported invoice was voided or deleted in QuickBooks"
CHANGED = "Exported invoice was changed in QuickBooks"


def _sales(world, count: int) -> list[dict[str, Any]]:
    """Invoices of a walk-in customer, to be seeded."""
    stranger = str(world.quickbooks.customer(world.company.realm, "Walk-in sales")["Id"])
    line = {
        "Amount": 80,
        "DetailType": "SalesItemLineDetail",
        "SalesItemLineDetail": {"ItemRef": {"value": world.company.item}},
    }
    body = {"CustomerRef": {"value": stranger}, "Line": [line]}
    return [{"entity": "Invoice", "body": body | {"DocNumber": f"WALK-{n}"}} for n in range(count)]


def test_once_a_sweep_is_over_polls_are_cheap_again(world) -> None:
    world.quickbooks.seed(world.company.realm, _sales(world, 1_100))
    for _ in range(2):
        world.cycle()
        world.later(timedelta(minutes=15))
    world.forget()

    results, end = world.stages()

    assert results[Stage.INBOUND_CHANGES].sweep is None
    assert end.sentence == "Nothing to do"
    assert world.metered() == 1


def test_a_change_made_while_a_sweep_runs_is_not_lost(world) -> None:
    realm = world.company.realm
    invoice = world.exported()
    world.quickbooks.seed(realm, _sales(world, 1_100))
    events = world.events()
    assert next(events).result.sweep

    world.quickbooks.edit(realm, "Invoice", world.quickbooks_id(invoice), DocNumber="X-1")
    for _ in events:
        pass
    world.cycle()

    assert world.titles() == [CHANGED]


def test_a_sweep_that_breaks_off_keeps_the_cursor_and_is_repeated(world) -> None:
    realm = world.company.realm
    invoice = world.exported()
    world.quickbooks.delete(realm, "Invoice", world.quickbooks_id(invoice))
    world.later(timedelta(days=40))
    [(before,)] = world.in_ledger("SELECT cursor FROM connections")
    world.quickbooks.fault("503", realm=realm, kind="query", entity="Payment", times=9)

    end = world.cycle()

    assert end.outcome == "failed"
    assert end.health.cursor == before
    assert world.titles() == []
    world.quickbooks.clear_faults(realm)

    assert world.cycle().outcome == "succeeded"
    assert world.titles() == [GONE]


def test_a_change_between_the_parts_of_a_sweep_is_not_lost_where_our_clock_is_ahead(
    world, monkeypatch
) -> None:
    realm = world.company.realm
    invoice = world.exported()
    world.later(timedelta(days=40))
    sweep = QuickBooksClient.changed_since

    def edited_after(client: QuickBooksClient, entity: str, since: datetime) -> ChangeSweep:
        found = sweep(client, entity, since)
        if entity == "Invoice":
            made = world.quickbooks_id(invoice)
            world.quickbooks.edit(realm, "Invoice", made, DocNumber="X-1")
            world.quickbooks.advance(timedelta(minutes=20))
        return found

    world.offset += timedelta(hours=1)
    world.later(timedelta(0))
    with monkeypatch.context() as patch:
        patch.setattr(QuickBooksClient, "changed_since", edited_after)
        results, _ = world.stages()
    assert results[Stage.INBOUND_CHANGES].sweep

    world.cycle()

    assert world.titles() == [CHANGED]


def test_a_change_stamped_a_little_before_the_cursor_is_not_lost(world, spoil) -> None:
    invoice = world.exported()
    world.cycle()
    stamped = (world.cursor - timedelta(minutes=3)).isoformat()
    spoil("Invoice", world.quickbooks_id(invoice), at=stamped, SyncToken="7", DocNumber="X-1")

    world.cycle()

    assert world.titles() == [CHANGED]
