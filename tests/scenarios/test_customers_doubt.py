"""Customers whose creation got no answer, and clients that staff linked meanwhile."""

from __future__ import annotations

from datetime import timedelta

from qbo_sync_dagster.ledger import links
from qbo_sync_dagster.sandbox.algapsa import tenants

ORPHAN = "Sent to QuickBooks, but its arrival can't be confirmed"
NAME = "Fir Street Clinic"


def _lost(world):
    """A client whose customer was created, but QuickBooks' answer never came."""
    world.configure(create_customers=True)
    client = world.do(tenants.create_client, tenants.Client(NAME, email="ap@example.com"))
    world.clients.append(client)
    world.invoice(client=len(world.clients) - 1)
    world.quickbooks.fault("drop_after_commit", realm=world.company.realm, kind="create")
    world.cycle()
    [made] = [
        found
        for found in world.quickbooks.list(world.company.realm, "Customer")
        if found["DisplayName"] == NAME
    ]
    return client, str(made["Id"])


def test_a_customer_whose_answer_was_lost_is_linked_and_not_created_again(world) -> None:
    client, made = _lost(world)

    end = world.cycle()

    assert end.outcome == "succeeded"
    assert world.links("client")[client] == made
    names = [
        found["DisplayName"] for found in world.quickbooks.list(world.company.realm, "Customer")
    ]
    assert names.count(NAME) == 1


def test_a_client_linked_elsewhere_meanwhile_is_told_and_stops_nothing(world) -> None:
    client, made = _lost(world)
    other = str(world.quickbooks.customer(world.company.realm, "Fir Street")["Id"])
    with world.engine.ledger.begin() as connection:
        new = links.NewLink("client", client, other, "imported")
        links.add(connection, world.company.realm, [new])
    next_one = world.invoice()

    end = world.cycle()

    assert end.outcome == "succeeded", end.sentence
    assert world.links("client")[client] == other
    assert world.titles() == ["Record stands twice in QuickBooks"]
    assert made in world.open()[0].what_happened
    assert len(world.in_quickbooks(next_one)) == 1
    assert world.operations() == {}


def test_a_customer_made_inactive_before_it_was_confirmed_is_left_to_a_person(world) -> None:
    client, made = _lost(world)
    world.quickbooks.edit(world.company.realm, "Customer", made, Active=False)
    world.later(timedelta(minutes=3))

    for _ in range(2):
        end = world.cycle()

    assert end.outcome == "succeeded", end.sentence
    assert client not in world.links("client")
    assert ORPHAN in world.titles()
