"""Payments and credit that QuickBooks does not take: each raised by what people did, and settled
from Dagster's page with the form that it shows."""

from __future__ import annotations

from typing import Any

from qbo_sync_dagster.domain.catalogue import Action
from qbo_sync_dagster.sandbox.algapsa import tenants
from tests.scenarios import credit_steps
from tests.scenarios.conftest import Books
from tests.webserver.acts import booked_by_hand, correct, received, refused, settled, shown
from tests.webserver.page import REASON, Page

EXPORT = "Scheduled accounting export keeps failing"
NO_INVOICE = "Payment push keeps failing — invoice not mapped in QBO"
NO_CUSTOMER = "Payment push keeps failing — customer not mapped in QBO"
CREDIT = "Credit application keeps failing in accounting"
UNPAIRED = "Payments from before the sync don't pair"
SETTLED = "QuickBooks payment targets an already-settled invoice"


# Payment push keeps failing: invoice not mapped


def _payment_of_a_refused_invoice(page: Page) -> tuple[Books, str]:
    """AlgaPSA receives 10.00 on an invoice that QuickBooks does not take."""
    invoice, service = refused(page)
    page.world.record_in_algapsa(invoice, 1_000)
    page.cycle()
    page.cycle()
    assert page.titles() == [NO_INVOICE, EXPORT]
    assert received(page.world) == []
    return invoice, service


def test_a_payment_follows_its_invoice_by_retry_once_that_is_exported(page: Page) -> None:
    world = page.world
    invoice, service = _payment_of_a_refused_invoice(page)
    correct(world, service)

    page.resolve(EXPORT, Action.RETRY)
    page.resolve(NO_INVOICE, Action.RETRY)
    page.cycle()

    assert (shown(world, invoice), received(world)) == ((25, 15), [10])
    assert world.rows(invoice) == [1_000]
    settled(page)


def test_a_payment_goes_to_the_invoice_that_a_bookkeeper_entered_once_staff_say_so(
    page: Page,
) -> None:
    """Whoever entered the invoice may have entered its payment, too."""
    world = page.world
    invoice, _ = _payment_of_a_refused_invoice(page)
    entered = booked_by_hand(world, invoice, 25)

    page.resolve(NO_INVOICE, Action.LINK_INVOICE, entered)
    page.cycle()
    assert page.titles() == [UNPAIRED]
    assert received(world) == []
    page.resolve(UNPAIRED, Action.PUSH)
    page.cycle()

    assert world.links()[invoice.invoice_id] == entered
    assert (shown(world, invoice), received(world)) == ((25, 15), [10])
    assert world.rows(invoice) == [1_000]
    settled(page)


def test_a_dismissed_payment_is_not_sent_after_its_invoice(page: Page) -> None:
    world = page.world
    invoice, service = _payment_of_a_refused_invoice(page)

    page.resolve(NO_INVOICE, Action.DISMISS)
    page.cycle()
    correct(world, service)
    page.resolve(EXPORT, Action.RETRY)
    page.cycle()

    assert (shown(world, invoice), received(world)) == ((25, 25), [])
    assert world.rows(invoice) == [1_000]
    settled(page)
    assert page.closed(NO_INVOICE).how == f"dismissed: {REASON}"


# Payment push keeps failing: customer not mapped


def _payment_of_an_unlinked_client(page: Page) -> tuple[Books, str, str]:
    """An old invoice is linked by hand before its client is, and AlgaPSA receives 40.00 on it."""
    world, realm = page.world, page.world.company.realm
    client = world.do(_client)
    world.clients.append(client)
    customer = str(world.quickbooks.customer(realm, "Delmar Pottery")["Id"])
    invoice = world.history(10_000, client=3, customer=customer)
    world.link(("invoice", invoice.invoice_id, world.quickbooks_id(invoice)))
    world.record_in_algapsa(invoice, 4_000)
    page.cycle()
    assert page.titles() == [NO_CUSTOMER]
    assert received(world) == []
    return invoice, client, customer


def _client(connection: Any, tenant: str) -> str:
    return tenants.create_client(connection, tenant, tenants.Client("Delmar Pottery"))


def test_a_payment_goes_out_once_its_client_is_linked_from_the_page(page: Page) -> None:
    world = page.world
    invoice, client, customer = _payment_of_an_unlinked_client(page)

    page.resolve(NO_CUSTOMER, Action.LINK_CLIENT, customer)
    page.cycle()

    assert world.links("client")[client] == customer
    assert (shown(world, invoice), received(world)) == ((100, 60), [40])
    assert world.rows(invoice) == [4_000]
    settled(page)


def test_a_payment_goes_out_by_retry_once_its_client_was_linked_elsewhere(page: Page) -> None:
    world = page.world
    invoice, client, customer = _payment_of_an_unlinked_client(page)
    world.link(("client", client, customer))

    page.resolve(NO_CUSTOMER, Action.RETRY)
    page.cycle()

    assert (shown(world, invoice), received(world)) == ((100, 60), [40])
    settled(page)


def test_a_dismissed_payment_stays_out_of_quickbooks_even_when_its_client_is_linked(
    page: Page,
) -> None:
    world = page.world
    invoice, client, customer = _payment_of_an_unlinked_client(page)

    page.resolve(NO_CUSTOMER, Action.DISMISS)
    page.cycle()
    world.link(("client", client, customer))
    page.cycle()

    assert (shown(world, invoice), received(world)) == ((100, 100), [])
    assert world.rows(invoice) == [4_000]
    settled(page)


# Credit application keeps failing in accounting


def _credit_on_a_paid_invoice(page: Page) -> tuple[Books, str]:
    """AlgaPSA applies credit of 30.00 to an invoice that has only 20.00 left in QuickBooks."""
    world = page.world
    invoice = world.exported(10_000)
    credit_steps.note(world)
    page.cycle()
    credit_steps.apply(world, invoice)
    payment = world.pay((invoice, "80.00"))
    page.cycle()
    assert page.titles() == [CREDIT, SETTLED]
    assert (shown(world, invoice), credit_steps.remaining(world)) == ((100, 20), [30])
    return invoice, payment


def test_credit_is_applied_by_retry_once_the_invoice_has_room_for_it(page: Page) -> None:
    world = page.world
    invoice, payment = _credit_on_a_paid_invoice(page)
    world.repay(payment, (invoice, "70.00"), total="70.00")

    page.resolve(CREDIT, Action.RETRY)
    page.cycle()

    assert (shown(world, invoice), credit_steps.remaining(world)) == ((100, 0), [0])
    assert world.rows(invoice) == [7_000]
    assert world.state(invoice).status == "paid"
    settled(page)


def test_a_dismissed_credit_application_is_never_sent(page: Page) -> None:
    world = page.world
    invoice, _ = _credit_on_a_paid_invoice(page)

    page.resolve(CREDIT, Action.DISMISS)
    page.cycle()

    assert (shown(world, invoice), credit_steps.remaining(world)) == ((100, 20), [30])
    assert world.state(invoice).credit_applied == 3_000
    settled(page, SETTLED)
    assert page.closed(CREDIT).how == f"dismissed: {REASON}"
