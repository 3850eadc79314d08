"""Objects that people changed beyond recognition before their creation was confirmed.

QuickBooks has forgotten the request by then, so that sending it again would make a second one.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from typing import Any

import pytest

from qbo_sync_dagster.quickbooks import answers
from qbo_sync_dagster.quickbooks.answers import ChangeSet
from qbo_sync_dagster.quickbooks.client import QuickBooksClient
from qbo_sync_dagster.sandbox.algapsa import tenants
from qbo_sync_dagster.sync.engine import SyncEngine
from tests.scenarios.conftest import World
from tests.scenarios.credit_steps import apply, note

ORPHAN = "Sent to QuickBooks, but its arrival can't be confirmed"
FORGOTTEN = timedelta(hours=2)
THROTTLED = timedelta(minutes=5)


def _customer(world: World) -> str:
    world.configure(create_customers=True)
    world.clients.append(world.do(tenants.create_client, tenants.Client("Fir Street Clinic")))
    world.invoice(client=len(world.clients) - 1)
    return "Customer"


def _invoice(world: World) -> str:
    world.invoice(8_000)
    return "Invoice"


def _credit_note(world: World) -> str:
    note(world)
    return "CreditMemo"


def _payment(world: World) -> str:
    world.record_in_algapsa(world.exported(10_000), 4_000)
    return "Payment"


def _application(world: World) -> str:
    invoice = world.exported(10_000)
    note(world)
    world.cycle()
    apply(world, invoice)
    return "Payment"


def _changes(world: World, made: Callable[[World], str]) -> dict[str, Any]:
    """What leaves of the object nothing that was sent."""
    line = {
        "Amount": 11,
        "DetailType": "SalesItemLineDetail",
        "SalesItemLineDetail": {"ItemRef": {"value": world.company.item}},
    }
    if made is _customer:
        return {"DisplayName": "Fir St. Clinic"}
    if made in (_invoice, _credit_note):
        return {"DocNumber": "X-7", "Line": [line]}
    return {"PrivateNote": "by hand", "TotalAmt": 11, "Line": []}


def _throttle_polls(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """From now on each change call is let in only after minutes, on both clocks."""
    waited = timedelta(0)
    now, cdc = SyncEngine.now, QuickBooksClient.cdc

    def let_in_late(
        client: QuickBooksClient, entities: Sequence[str], since: datetime
    ) -> ChangeSet:
        nonlocal waited
        waited += THROTTLED
        world.quickbooks.advance(THROTTLED)
        return cdc(client, entities, since)

    monkeypatch.setattr(SyncEngine, "now", lambda engine: now(engine) + waited)
    monkeypatch.setattr(QuickBooksClient, "cdc", let_in_late)


def test_what_a_bookkeeper_enters_for_others_at_that_moment_keeps_nothing_from_being_sent_again(
    world: World,
) -> None:
    world.invoice(8_000)
    world.quickbooks.fault("drop_before", realm=world.company.realm, kind="create")
    world.cycle()
    company = world.company
    theirs = world.quickbooks.invoice(
        company.realm, company.customers[world.clients[1]], [(company.item, 11)]
    )
    world.later(FORGOTTEN)

    world.cycle()

    assert len(world.quickbooks.list(company.realm, "Invoice")) == 2
    assert theirs["Id"] not in world.links().values()
    assert world.titles() == []


@pytest.mark.parametrize("made", [_customer, _invoice, _credit_note, _payment, _application])
def test_what_was_changed_in_every_respect_is_left_to_a_person_and_not_made_again(
    world: World, made: Callable[[World], str]
) -> None:
    world.quickbooks.set(world.company.realm, requestid_retention_seconds=60)
    entity = made(world)
    before = {each["Id"] for each in world.quickbooks.list(world.company.realm, entity)}
    world.quickbooks.fault(
        "drop_after_commit", realm=world.company.realm, kind="create", entity=entity
    )
    world.cycle()
    objects = {each["Id"] for each in world.quickbooks.list(world.company.realm, entity)}
    [lost] = objects - before
    world.quickbooks.edit(world.company.realm, entity, lost, **_changes(world, made))
    world.later(FORGOTTEN)

    for _ in range(2):
        world.cycle()

    assert {each["Id"] for each in world.quickbooks.list(world.company.realm, entity)} == objects
    assert ORPHAN in world.titles()
    assert "posting" not in world.operations().values()


@pytest.mark.parametrize("remembered", [True, False])
@pytest.mark.parametrize("made", [_invoice, _credit_note, _payment, _application])
def test_what_was_deleted_where_no_poll_can_show_it_is_left_to_a_person(
    world: World,
    monkeypatch: pytest.MonkeyPatch,
    made: Callable[[World], str],
    remembered: bool,
) -> None:
    if not remembered:
        world.quickbooks.set(world.company.realm, requestid_retention_seconds=60)
    entity = made(world)
    before = {each["Id"] for each in world.quickbooks.list(world.company.realm, entity)}
    world.quickbooks.fault(
        "drop_after_commit", realm=world.company.realm, kind="create", entity=entity
    )
    world.cycle()
    objects = {each["Id"] for each in world.quickbooks.list(world.company.realm, entity)}
    [lost] = objects - before
    world.quickbooks.delete(world.company.realm, entity, lost)
    # More changes than one answer holds: what changed is asked by queries, which show no deletion.
    monkeypatch.setattr(answers, "MOST_CHANGES", 1)
    world.later(FORGOTTEN)

    for _ in range(2):
        assert world.cycle().outcome == "succeeded"

    assert {each["Id"] for each in world.quickbooks.list(world.company.realm, entity)} == before
    assert ORPHAN in world.titles()


def test_what_never_arrived_is_sent_again_though_more_changed_than_one_answer_holds(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    world.cycle()
    world.invoice(8_000)
    world.quickbooks.fault("drop_before", realm=world.company.realm, kind="create")
    world.cycle()
    world.quickbooks.customer(world.company.realm, "Walk-in sales")
    monkeypatch.setattr(answers, "MOST_CHANGES", 1)
    world.later(FORGOTTEN)

    world.cycle()

    assert len(world.quickbooks.list(world.company.realm, "Invoice")) == 1
    assert world.titles() == []


def test_a_poll_that_was_throttled_still_tells_when_a_changed_object_was_made(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    realm = world.company.realm
    world.quickbooks.set(realm, requestid_retention_seconds=60)
    invoice = world.exported(10_000)
    for cents in (3_000, 4_000):
        world.record_in_algapsa(invoice, cents)
    world.quickbooks.fault("drop_after_commit", realm=realm, kind="batch")
    world.cycle()
    objects = {each["Id"] for each in world.quickbooks.list(realm, "Payment")}
    changed = min(objects)
    world.quickbooks.edit(realm, "Payment", changed, **_changes(world, _payment))
    world.later(FORGOTTEN)
    _throttle_polls(world, monkeypatch)

    for _ in range(2):
        assert world.cycle().outcome == "succeeded"

    assert {each["Id"] for each in world.quickbooks.list(realm, "Payment")} == objects
    assert set(world.links("payment").values()) == objects - {changed}
    assert ORPHAN in world.titles()


def test_a_sweep_after_a_throttled_poll_still_finds_what_was_deleted_at_once(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    realm = world.company.realm
    world.quickbooks.set(realm, requestid_retention_seconds=60)
    world.cycle()
    world.invoice(8_000)
    world.quickbooks.fault("drop_after_commit", realm=realm, kind="create")
    world.cycle()
    [made] = world.quickbooks.list(realm, "Invoice")
    world.quickbooks.delete(realm, "Invoice", made["Id"])
    monkeypatch.setattr(answers, "MOST_CHANGES", 1)
    world.later(FORGOTTEN)
    world.quickbooks.customer(realm, "Walk-in sales")
    _throttle_polls(world, monkeypatch)

    for _ in range(2):
        assert world.cycle().outcome == "succeeded"

    assert world.quickbooks.list(realm, "Invoice") == []
    assert ORPHAN in world.titles()
