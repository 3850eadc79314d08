"""What is no longer wanted leaves the queue, with everything that was told about it."""

from __future__ import annotations

from datetime import timedelta

from qbo_sync_dagster.sandbox.algapsa import invoices, tenants
from qbo_sync_dagster.sync.outcome import Stage

CLOSED = "Dated in a closed QuickBooks period"
DELETED = "Exported invoice was deleted in AlgaPSA"
NAME = "Fir Street Clinic"


def _until(world, stage):
    events = world.events()
    for event in events:
        if getattr(event, "stage", None) is stage:
            return events
    raise AssertionError("the stage was not reached")


def _for_new_client(world):
    """An invoice of a client without a customer."""
    client = world.do(tenants.create_client, tenants.Client(NAME, email="ap@example.com"))
    world.clients.append(client)
    return world.invoice(client=len(world.clients) - 1)


def _customers(world):
    found = world.quickbooks.list(world.company.realm, "Customer")
    return [each["DisplayName"] for each in found]


def test_an_invoice_voided_right_before_it_is_sent_takes_its_exceptions_along(world) -> None:
    day = world.today - timedelta(days=2)
    world.quickbooks.set(world.company.realm, book_close_date=day.isoformat())
    invoice = world.invoice(day=day)
    world.cycle()
    assert world.titles() == [CLOSED]

    events = _until(world, Stage.OUTBOUND_OPERATIONS)
    world.do(invoices.void_invoice, invoice.invoice_id)
    list(events)
    world.cycle()

    assert world.titles() == []
    assert world.operations() == {}


def test_a_customer_that_no_invoice_waits_for_any_more_is_not_created(world) -> None:
    world.configure(create_customers=True)
    world.quickbooks.fault("503", realm=world.company.realm, times=20)
    invoice = _for_new_client(world)
    world.cycle()
    world.quickbooks.clear_faults()

    world.do(invoices.void_invoice, invoice.invoice_id)
    world.cycle()

    assert NAME not in _customers(world)
    assert world.operations() == {}


def test_a_refused_customer_that_no_invoice_waits_for_is_told_no_longer(world) -> None:
    world.configure(create_customers=True)
    world.quickbooks.fault("fault:2020", realm=world.company.realm, kind="create")
    invoice = _for_new_client(world)
    world.cycle()
    assert len(world.open()) == 1

    world.do(invoices.void_invoice, invoice.invoice_id)
    end = world.cycle()

    assert world.titles() == []
    assert (end.health.pending, end.health.errored) == (0, 0)


def test_switching_customer_creation_off_withdraws_what_was_queued(world) -> None:
    world.configure(create_customers=True)
    world.quickbooks.fault("503", realm=world.company.realm, times=20)
    _for_new_client(world)
    world.cycle()
    world.quickbooks.clear_faults()

    world.configure(create_customers=False)
    world.cycle()

    assert NAME not in _customers(world)
    assert world.titles() == ["Scheduled accounting export failed validation"]


def test_an_imported_link_whose_invoice_was_deleted_is_told_and_read_only_once(world) -> None:
    invoice = world.history(10_000)
    world.link(("invoice", invoice.invoice_id, world.quickbooks_id(invoice)))
    world.do(invoices.delete_invoice, invoice.invoice_id)
    world.cycle()
    world.forget()

    end = world.cycle()

    assert end.outcome == "succeeded"
    assert world.titles() == [DELETED]
    assert world.metered() == 1
