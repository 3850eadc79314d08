"""A linked customer that becomes inactive: told once, and its invoices wait for it."""

from __future__ import annotations

GONE = "Linked QuickBooks customer is no longer available"
NOT_READY = "Scheduled accounting export failed validation"


def _customer(world, client=0):
    return world.company.customers[world.clients[client]]


def _activate(world, active):
    world.quickbooks.edit(world.company.realm, "Customer", _customer(world), Active=active)


def test_invoices_wait_for_an_inactive_customer_and_go_out_once_it_is_active_again(world) -> None:
    _activate(world, active=False)
    waiting, other = world.invoice(), world.invoice(client=1)

    world.cycle()

    assert world.titles() == [GONE, NOT_READY]
    assert "inactive" in world.exception(NOT_READY).what_happened
    assert world.in_quickbooks(waiting) == []
    assert len(world.in_quickbooks(other)) == 1

    _activate(world, active=True)
    world.cycle()

    assert world.titles() == []
    assert len(world.in_quickbooks(waiting)) == 1


def test_invoices_go_to_the_customer_that_the_client_is_linked_to_instead(world) -> None:
    _activate(world, active=False)
    invoice = world.invoice()
    world.cycle()

    other = str(world.quickbooks.customer(world.company.realm, "Quarry Lane")["Id"])
    world.link(("client", world.clients[0], other), replace=True)
    world.cycle()

    assert world.titles() == []
    assert world.in_quickbooks(invoice)[0]["CustomerRef"]["value"] == other


def test_a_customer_made_inactive_a_second_time_is_told_again_after_a_dismissal(world) -> None:
    _activate(world, active=False)
    world.cycle()
    world.dismiss(GONE)
    world.cycle()
    assert world.titles() == []

    _activate(world, active=True)
    world.cycle()
    _activate(world, active=False)
    world.cycle()

    assert world.titles() == [GONE]
