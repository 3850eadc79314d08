"""Records that stand twice in QuickBooks: told until the second object is gone, and no sooner."""

from __future__ import annotations

from typing import TYPE_CHECKING

from qbo_sync_dagster.domain.catalogue import ExceptionKind
from qbo_sync_dagster.domain.exception_record import ExceptionRecord, RecordReference
from qbo_sync_dagster.ledger import exceptions

if TYPE_CHECKING:
    from tests.scenarios.conftest import World

TWICE = "Record stands twice in QuickBooks"


def tell(world: World, entity: str, identity: str) -> str:
    """As a lost answer leaves it: the object is the second one of a record; returns the record."""
    record = ExceptionRecord(
        ExceptionKind.STANDS_TWICE,
        f"copy:{entity}-{identity}",
        "It stands twice.",
        (
            RecordReference("algapsa", "copy", "1", "its record"),
            RecordReference("quickbooks", entity, identity, "the second one"),
        ),
    )
    with world.engine.ledger.begin() as connection:
        exceptions.raise_all(connection, world.company.realm, [record])
    return record.record


def told(world: World) -> set[str]:
    """The records of which it is told."""
    return {each.record for each in world.open() if each.title == TWICE}


def invoice_there(world: World, number: str) -> str:
    """An invoice of 10.00 that a bookkeeper made."""
    company = world.company
    customer = company.customers[world.clients[0]]
    made = world.quickbooks.invoice(company.realm, customer, [(company.item, 10)], DocNumber=number)
    return str(made["Id"])


def test_what_was_voided_deleted_or_made_inactive_is_told_no_more(world: World) -> None:
    realm, invoice = world.company.realm, world.exported()
    voided, deleted = world.pay((invoice, "10.00")), world.pay((invoice, "15.00"))
    copy, customer = invoice_there(world, "B-1"), world.quickbooks.customer(realm, "Copy Ltd")
    for entity, identity in (
        ("Payment", voided),
        ("Payment", deleted),
        ("Invoice", copy),
        ("Customer", str(customer["Id"])),
    ):
        tell(world, entity, identity)
    world.cycle()
    assert len(told(world)) == 4

    world.quickbooks.void(realm, "Payment", voided)
    world.quickbooks.delete(realm, "Payment", deleted)
    world.quickbooks.void(realm, "Invoice", copy)
    world.quickbooks.edit(realm, "Customer", str(customer["Id"]), Active=False)
    world.cycle()

    assert told(world) == set()


def test_what_still_takes_money_or_holds_it_stays_told(world: World) -> None:
    realm, invoice = world.company.realm, world.exported()
    customer = world.company.customers[world.clients[0]]
    memo = world.quickbooks.credit_memo(realm, customer, [(world.company.item, 20)])
    target = world.quickbooks_id(invoice)
    credit = world.quickbooks.apply_credit(realm, customer, target, str(memo["Id"]), "20.00")
    unapplied, copy = world.pay((invoice, "10.00")), invoice_there(world, "B-1")
    records = {
        tell(world, "Payment", str(credit["Id"])),
        tell(world, "Payment", unapplied),
        tell(world, "Invoice", copy),
        tell(world, "Customer", customer),
    }

    world.quickbooks.unapply(realm, unapplied)
    world.quickbooks.edit(realm, "Invoice", copy, DocNumber="B-2")
    world.quickbooks.edit(realm, "Customer", customer, Notes="called")
    world.cycle()

    assert told(world) == records
