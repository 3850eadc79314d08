"""Invoices and voids that QuickBooks does not take, and customers that it no longer has: each
raised by what people did, and settled from Dagster's page with the form that it shows."""

from __future__ import annotations

from qbo_sync_dagster.domain.catalogue import Action
from qbo_sync_dagster.sandbox.algapsa import invoices
from tests.scenarios.conftest import Books
from tests.webserver.acts import booked_by_hand, correct, received, refused, settled, shown
from tests.webserver.page import REASON, Page

EXPORT = "Scheduled accounting export keeps failing"
VOID = "Invoice void keeps failing in accounting"
CUSTOMER = "Linked QuickBooks customer is no longer available"
NOT_READY = "Scheduled accounting export failed validation"
NOT_PAYABLE = "QuickBooks payment targets a non-payable invoice"


# Scheduled accounting export keeps failing


def test_a_refused_invoice_is_exported_by_retry_once_its_mapping_is_right(page: Page) -> None:
    world = page.world
    invoice, service = refused(page)
    page.cycle()
    assert page.titles() == [EXPORT]
    assert invoice.number in page.section(EXPORT).replace("\\", "")
    correct(world, service)

    page.resolve(EXPORT, Action.RETRY)
    page.cycle()

    assert shown(world, invoice) == (25, 25)
    settled(page)
    assert page.closed(EXPORT).when


def test_a_refused_invoice_that_a_bookkeeper_entered_by_hand_is_linked_and_not_sent(
    page: Page,
) -> None:
    world = page.world
    invoice, _ = refused(page)
    page.cycle()
    entered = booked_by_hand(world, invoice, 25)

    page.resolve(EXPORT, Action.LINK_INVOICE, entered)
    page.cycle()

    assert world.links()[invoice.invoice_id] == entered
    assert shown(world, invoice) == (25, 25)
    settled(page)


def test_a_dismissed_export_is_never_sent(page: Page) -> None:
    world = page.world
    invoice, _ = refused(page)
    page.cycle()

    page.resolve(EXPORT, Action.DISMISS)
    page.cycle()

    assert world.in_quickbooks(invoice) == []
    settled(page)
    closed = page.closed(EXPORT)
    assert (closed.by, closed.how) == ("Avery", f"dismissed: {REASON}")


# Invoice void keeps failing in accounting


def _void_of_a_paid_invoice(page: Page) -> tuple[Books, str, str]:
    """An invoice is voided in AlgaPSA while a bookkeeper records a payment on it."""
    world = page.world
    invoice = world.exported(10_000)
    found = world.quickbooks_id(invoice)
    world.do(invoices.void_invoice, invoice.invoice_id)
    payment = world.pay((invoice, "40.00"))
    page.cycle()
    assert page.titles() == [VOID, NOT_PAYABLE]
    assert shown(world, invoice) == (100, 60)
    return invoice, found, payment


def test_a_void_goes_through_by_retry_once_its_payment_is_gone(page: Page) -> None:
    world, realm = page.world, page.world.company.realm
    invoice, found, payment = _void_of_a_paid_invoice(page)
    world.quickbooks.delete(realm, "Payment", payment)

    page.resolve(VOID, Action.RETRY)
    page.cycle()

    assert shown(world, invoice) == (0, 0)
    assert world.quickbooks.get(realm, "Invoice", found)["PrivateNote"].startswith("Voided")
    assert (world.rows(invoice), world.state(invoice).status) == ([], "cancelled")
    settled(page)


def test_a_void_that_staff_accept_was_not_made_leaves_it_and_its_payment_to_quickbooks(
    page: Page,
) -> None:
    world = page.world
    invoice, _, _ = _void_of_a_paid_invoice(page)

    page.resolve(VOID, Action.ACCEPT)
    page.cycle()

    assert (shown(world, invoice), received(world)) == ((100, 60), [40])
    assert (world.rows(invoice), world.state(invoice).status) == ([], "cancelled")
    settled(page)
    closed = page.closed(VOID)
    assert (closed.by, closed.how) == ("Avery", f"accepted: {REASON}")


def test_a_dismissed_void_is_never_made(page: Page) -> None:
    world = page.world
    invoice, _, _ = _void_of_a_paid_invoice(page)

    page.resolve(VOID, Action.DISMISS)
    page.cycle()

    assert shown(world, invoice) == (100, 60)
    assert (world.rows(invoice), world.state(invoice).status) == ([], "cancelled")
    settled(page, NOT_PAYABLE)
    closed = page.closed(VOID)
    assert (closed.by, closed.how) == ("Avery", f"dismissed: {REASON}")


# Linked QuickBooks customer is no longer available


def _customer_made_inactive(page: Page) -> Books:
    """A bookkeeper makes a linked customer inactive while an invoice waits to be sent."""
    world = page.world
    gone = world.company.customers[world.clients[0]]
    world.quickbooks.edit(world.company.realm, "Customer", gone, Active=False)
    invoice = world.invoice()
    page.cycle()
    assert page.titles() == [CUSTOMER, NOT_READY]
    return invoice


def test_invoices_go_to_the_customer_that_is_linked_from_the_page_instead(page: Page) -> None:
    world = page.world
    invoice = _customer_made_inactive(page)
    other = str(world.quickbooks.customer(world.company.realm, "Quarry Lane")["Id"])

    page.resolve(CUSTOMER, Action.LINK_CLIENT, other)
    page.cycle()

    [sent] = world.in_quickbooks(invoice)
    assert sent["CustomerRef"]["value"] == other
    assert world.links("client")[world.clients[0]] == other
    settled(page)


def test_a_dismissed_customer_is_not_told_again_and_its_invoices_say_what_they_wait_for(
    page: Page,
) -> None:
    world = page.world
    invoice = _customer_made_inactive(page)

    page.resolve(CUSTOMER, Action.DISMISS)
    page.cycle()

    assert world.in_quickbooks(invoice) == []
    assert page.titles() == [NOT_READY]
    assert page.closed(CUSTOMER).how == f"dismissed: {REASON}"
