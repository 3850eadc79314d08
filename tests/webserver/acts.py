"""What people do whose records QuickBooks does not take, and how both sides look then."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from qbo_sync_dagster.sandbox.algapsa import tenants
from qbo_sync_dagster.sandbox.algapsa.charges import Charge
from tests.scenarios.conftest import Books, World
from tests.webserver.page import Page


def refused(page: Page) -> tuple[Books, str]:
    """An invoice over a service that is mapped to an item QuickBooks does not have."""
    world = page.world
    backup = world.do(_service)
    world.link(("service", backup, "999999"))
    charges = (Charge("Backup", 2_500, service_id=backup),)
    return world.invoice(charges=charges), backup


def _service(connection: Any, tenant: str) -> str:
    return tenants.create_service(connection, tenant, tenants.Service("Backup", 2_500))


def correct(world: World, service: str) -> None:
    """Staff map the service to the right item."""
    world.link(("service", service, world.company.item), replace=True)


def booked_by_hand(world: World, invoice: Books, amount: int) -> str:
    """A bookkeeper enters the invoice in QuickBooks, under its number; its id there."""
    customer = world.company.customers[world.clients[0]]
    made = world.quickbooks.invoice(
        world.company.realm,
        customer,
        [(world.company.item, Decimal(amount))],
        DocNumber=invoice.number,
        TxnDate=world.today.isoformat(),
    )
    return str(made["Id"])


def shown(world: World, invoice: Books) -> tuple[Decimal, Decimal]:
    """(total, balance) of the one invoice of that number in QuickBooks."""
    [found] = world.in_quickbooks(invoice)
    return Decimal(str(found["TotalAmt"])), Decimal(str(found["Balance"]))


def received(world: World) -> list[Decimal]:
    """The amounts of QuickBooks' payments."""
    found = world.quickbooks.list(world.company.realm, "Payment")
    return sorted(Decimal(str(each["TotalAmt"])) for each in found)


def settled(page: Page, *left: str) -> None:
    """Another cycle moves nothing, and only the exceptions named are left."""
    assert page.titles() == sorted(left)
    before = page.world.stands()
    page.world.cycle()
    assert page.world.stands() == before
    assert page.world.operations() == {}
    assert page.world.titles() == sorted(left)
