"""Customers that cannot be read: each is told by itself, and everything else goes on."""

from __future__ import annotations

from qbo_sync_dagster.sandbox.algapsa import tenants

NAME = "Fir Street Clinic"


def test_an_unreadable_customer_of_the_same_name_holds_back_its_client_alone(world, spoil) -> None:
    world.configure(create_customers=True)
    theirs = str(world.quickbooks.customer(world.company.realm, NAME)["Id"])
    world.cycle()
    spoil("Customer", theirs, Active="perhaps")
    client = world.do(tenants.create_client, tenants.Client(NAME, email="ap@example.com"))
    world.clients.append(client)
    waiting, other = world.invoice(client=len(world.clients) - 1), world.invoice()

    end = world.cycle()

    assert end.outcome == "succeeded", end.sentence
    assert world.in_quickbooks(waiting) == []
    assert len(world.in_quickbooks(other)) == 1
    [told] = world.open()
    assert NAME in told.what_happened
