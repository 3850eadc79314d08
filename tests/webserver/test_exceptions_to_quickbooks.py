"""What QuickBooks does not take: each raised by what people did, and settled from Dagster's page
with the form that it shows."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from qbo_sync_dagster.domain.catalogue import Action
from qbo_sync_dagster.sandbox.algapsa import invoices, tenants
from qbo_sync_dagster.sandbox.algapsa.charges import Charge
from tests.scenarios import credit_steps
from tests.scenarios.conftest import Books, World
from tests.webserver.page import REASON, Page

EXPORT = "Scheduled accounting export keeps failing"
VOID = "Invoice void keeps failing in accounting"
NO_INVOICE = "Payment push keeps failing — invoice not mapped in QBO"
NO_CUSTOMER = "Payment push keeps failing — customer not mapped in QBO"
CREDIT = "Credit application keeps failing in accounting"
CUSTOMER = "Linked QuickBooks customer is no longer available"
NOT_READY = "Scheduled accounting export failed validation"
NOT_PAYABLE = "QuickBooks payment targets a non-payable invoice"
UNKNOWN = "QuickBooks payment references an unknown invoice"
UNPAIRED = "Payments from before the sync don't pair"
SETTLED = "QuickBooks payment targets an already-settled invoice"


def _refused(page: Page) -> tuple[Books, str]:
    """An invoice over a service that is mapped to an item QuickBooks does not have."""
    world = page.world
    backup = world.do(_service)
    world.link(("service", backup, "999999"))
    charges = (Charge("Backup", 2_500, service_id=backup),)
    return world.invoice(charges=charges), backup


def _service(connection: Any, tenant: str) -> str:
    return tenants.create_service(connection, tenant, tenants.Service("Backup", 2_500))


def _correct(world: World, service: str) -> None:
    world.link(("service", service, world.company.item), replace=True)


def _booked_by_hand(world: World, invoice: Books, amount: int) -> str:
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


def _shown(world: World, invoice: Books) -> tuple[Decimal, Decimal]:
    """(total, balance) of the one invoice of that number in QuickBooks."""
    [found] = world.in_quickbooks(invoice)
    return Decimal(str(found["TotalAmt"])), Decimal(str(found["Balance"]))


def _received(world: World) -> list[Decimal]:
    """The amounts of QuickBooks' payments."""
    found = world.quickbooks.list(world.company.realm, "Payment")
    return sorted(Decimal(str(each["TotalAmt"])) for each in found)


def _settled(page: Page, *left: str) -> None:
    """Another cycle moves nothing, and only the exceptions named are left."""
    assert page.titles() == sorted(left)
    before = page.world.stands()
    page.world.cycle()
    assert page.world.stands() == before
    assert page.world.operations() == {}
    assert page.world.titles() == sorted(left)


# Scheduled accounting export keeps failing


def test_a_refused_invoice_is_exported_by_retry_once_its_mapping_is_right(page: Page) -> None:
    world = page.world
    invoice, service = _refused(page)
    page.cycle()
    assert page.titles() == [EXPORT]
    assert invoice.number in page.section(EXPORT).replace("\\", "")
    _correct(world, service)

    page.resolve(EXPORT, Action.RETRY)
    page.cycle()

    assert _shown(world, invoice) == (25, 25)
    _settled(page)
    assert page.closed(EXPORT).when


def test_a_refused_invoice_that_a_bookkeeper_entered_by_hand_is_linked_and_not_sent(
    page: Page,
) -> None:
    world = page.world
    invoice, _ = _refused(page)
    page.cycle()
    entered = _booked_by_hand(world, invoice, 25)

    page.resolve(EXPORT, Action.LINK_INVOICE, entered)
    page.cycle()

    assert world.links()[invoice.invoice_id] == entered
    assert _shown(world, invoice) == (25, 25)
    _settled(page)


def test_a_dismissed_export_is_never_sent(page: Page) -> None:
    world = page.world
    invoice, _ = _refused(page)
    page.cycle()

    page.resolve(EXPORT, Action.DISMISS)
    page.cycle()

    assert world.in_quickbooks(invoice) == []
    _settled(page)
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
    assert _shown(world, invoice) == (100, 60)
    return invoice, found, payment


def test_a_void_goes_through_by_retry_once_its_payment_is_gone(page: Page) -> None:
    world, realm = page.world, page.world.company.realm
    invoice, found, payment = _void_of_a_paid_invoice(page)
    world.quickbooks.delete(realm, "Payment", payment)

    page.resolve(VOID, Action.RETRY)
    page.cycle()

    assert _shown(world, invoice) == (0, 0)
    assert world.quickbooks.get(realm, "Invoice", found)["PrivateNote"].startswith("Voided")
    assert (world.rows(invoice), world.state(invoice).status) == ([], "cancelled")
    _settled(page)


def test_a_void_that_staff_accept_was_not_made_leaves_the_invoice_to_quickbooks(
    page: Page,
) -> None:
    world = page.world
    invoice, _, _ = _void_of_a_paid_invoice(page)

    page.resolve(VOID, Action.ACCEPT)
    page.cycle()
    # What was paid on it has no place in AlgaPSA either, which is a decision of its own.
    page.resolve(UNKNOWN, Action.NOT_FROM_ALGAPSA)
    page.cycle()

    assert (_shown(world, invoice), _received(world)) == ((100, 60), [40])
    assert (world.rows(invoice), world.state(invoice).status) == ([], "cancelled")
    _settled(page)
    closed = page.closed(VOID)
    assert (closed.by, closed.how) == ("Avery", f"accepted: {REASON}")


def test_a_dismissed_void_is_never_made(page: Page) -> None:
    world = page.world
    invoice, _, _ = _void_of_a_paid_invoice(page)

    page.resolve(VOID, Action.DISMISS)
    page.cycle()

    assert _shown(world, invoice) == (100, 60)
    assert (world.rows(invoice), world.state(invoice).status) == ([], "cancelled")
    _settled(page, NOT_PAYABLE)
    closed = page.closed(VOID)
    assert (closed.by, closed.how) == ("Avery", f"dismissed: {REASON}")


# Payment push keeps failing: invoice not mapped


def _payment_of_a_refused_invoice(page: Page) -> tuple[Books, str]:
    """AlgaPSA receives 10.00 on an invoice that QuickBooks does not take."""
    invoice, service = _refused(page)
    page.world.record_in_algapsa(invoice, 1_000)
    page.cycle()
    page.cycle()
    assert page.titles() == [NO_INVOICE, EXPORT]
    assert _received(page.world) == []
    return invoice, service


def test_a_payment_follows_its_invoice_by_retry_once_that_is_exported(page: Page) -> None:
    world = page.world
    invoice, service = _payment_of_a_refused_invoice(page)
    _correct(world, service)

    page.resolve(EXPORT, Action.RETRY)
    page.resolve(NO_INVOICE, Action.RETRY)
    page.cycle()

    assert (_shown(world, invoice), _received(world)) == ((25, 15), [10])
    assert world.rows(invoice) == [1_000]
    _settled(page)


def test_a_payment_goes_to_the_invoice_that_a_bookkeeper_entered_once_staff_say_so(
    page: Page,
) -> None:
    """Whoever entered the invoice may have entered its payment, too."""
    world = page.world
    invoice, _ = _payment_of_a_refused_invoice(page)
    entered = _booked_by_hand(world, invoice, 25)

    page.resolve(NO_INVOICE, Action.LINK_INVOICE, entered)
    page.cycle()
    assert page.titles() == [UNPAIRED]
    assert _received(world) == []
    page.resolve(UNPAIRED, Action.PUSH)
    page.cycle()

    assert world.links()[invoice.invoice_id] == entered
    assert (_shown(world, invoice), _received(world)) == ((25, 15), [10])
    assert world.rows(invoice) == [1_000]
    _settled(page)


def test_a_dismissed_payment_is_not_sent_after_its_invoice(page: Page) -> None:
    world = page.world
    invoice, service = _payment_of_a_refused_invoice(page)

    page.resolve(NO_INVOICE, Action.DISMISS)
    page.cycle()
    _correct(world, service)
    page.resolve(EXPORT, Action.RETRY)
    page.cycle()

    assert (_shown(world, invoice), _received(world)) == ((25, 25), [])
    assert world.rows(invoice) == [1_000]
    _settled(page)
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
    assert _received(world) == []
    return invoice, client, customer


def _client(connection: Any, tenant: str) -> str:
    return tenants.create_client(connection, tenant, tenants.Client("Delmar Pottery"))


def test_a_payment_goes_out_once_its_client_is_linked_from_the_page(page: Page) -> None:
    world = page.world
    invoice, client, customer = _payment_of_an_unlinked_client(page)

    page.resolve(NO_CUSTOMER, Action.LINK_CLIENT, customer)
    page.cycle()

    assert world.links("client")[client] == customer
    assert (_shown(world, invoice), _received(world)) == ((100, 60), [40])
    assert world.rows(invoice) == [4_000]
    _settled(page)


def test_a_payment_goes_out_by_retry_once_its_client_was_linked_elsewhere(page: Page) -> None:
    world = page.world
    invoice, client, customer = _payment_of_an_unlinked_client(page)
    world.link(("client", client, customer))

    page.resolve(NO_CUSTOMER, Action.RETRY)
    page.cycle()

    assert (_shown(world, invoice), _received(world)) == ((100, 60), [40])
    _settled(page)


def test_a_dismissed_payment_stays_out_of_quickbooks_even_when_its_client_is_linked(
    page: Page,
) -> None:
    world = page.world
    invoice, client, customer = _payment_of_an_unlinked_client(page)

    page.resolve(NO_CUSTOMER, Action.DISMISS)
    page.cycle()
    world.link(("client", client, customer))
    page.cycle()

    assert (_shown(world, invoice), _received(world)) == ((100, 100), [])
    assert world.rows(invoice) == [4_000]
    _settled(page)


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
    assert (_shown(world, invoice), credit_steps.remaining(world)) == ((100, 20), [30])
    return invoice, payment


def test_credit_is_applied_by_retry_once_the_invoice_has_room_for_it(page: Page) -> None:
    world = page.world
    invoice, payment = _credit_on_a_paid_invoice(page)
    world.repay(payment, (invoice, "70.00"), total="70.00")

    page.resolve(CREDIT, Action.RETRY)
    page.cycle()

    assert (_shown(world, invoice), credit_steps.remaining(world)) == ((100, 0), [0])
    assert world.rows(invoice) == [7_000]
    assert world.state(invoice).status == "paid"
    _settled(page)


def test_a_dismissed_credit_application_is_never_sent(page: Page) -> None:
    world = page.world
    invoice, _ = _credit_on_a_paid_invoice(page)

    page.resolve(CREDIT, Action.DISMISS)
    page.cycle()

    assert (_shown(world, invoice), credit_steps.remaining(world)) == ((100, 20), [30])
    assert world.state(invoice).credit_applied == 3_000
    _settled(page, SETTLED)
    assert page.closed(CREDIT).how == f"dismissed: {REASON}"


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
    _settled(page)


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
