"""Payments of QuickBooks that can't be applied: each raised by what people did, and settled from
Dagster's page with the form that it shows."""

from __future__ import annotations

from decimal import Decimal

from qbo_sync_dagster.domain.catalogue import Action
from qbo_sync_dagster.sandbox.algapsa import payments
from tests.scenarios.conftest import Books, World
from tests.webserver.page import REASON, Page

UNKNOWN = "QuickBooks payment references an unknown invoice"
SAME = "Same payment on both sides?"
SETTLED = "QuickBooks payment targets an already-settled invoice"


def _unknown(page: Page, number: str = "") -> tuple[Books, str]:
    """A payment of an invoice that stands on both sides and was never linked."""
    world = page.world
    invoice = world.history(10_000)
    found = world.quickbooks_id(invoice)
    world.pay((invoice, "100.00"))
    if number:
        world.quickbooks.edit(world.company.realm, "Invoice", found, DocNumber=number)
    page.cycle()
    assert page.titles() == [UNKNOWN]
    assert world.rows(invoice) == []
    return invoice, found


def _both_paid(page: Page) -> tuple[Books, str, str]:
    """An invoice that AlgaPSA shows as paid, and a payment of the same amount in QuickBooks."""
    world = page.world
    invoice = world.exported(10_000)
    row = world.record_in_algapsa(invoice, 10_000)
    payment = world.pay((invoice, "100.00"))
    page.cycle()
    assert page.titles() == [SETTLED]
    assert (world.rows(invoice), _received(world)) == ([10_000], [100])
    return invoice, row, payment


def _received(world: World) -> list[Decimal]:
    """The amounts of QuickBooks' payments, oldest first."""
    found = world.quickbooks.list(world.company.realm, "Payment")
    return [Decimal(str(each["TotalAmt"])) for each in sorted(found, key=lambda each: each["Id"])]


def _balance(world: World, invoice: Books) -> Decimal:
    [found] = world.in_quickbooks(invoice)
    return Decimal(str(found["Balance"]))


def test_the_page_names_payment_invoice_and_amounts_and_what_to_do(page: Page) -> None:
    invoice, _ = _unknown(page)

    told = page.section(UNKNOWN)

    assert f"Invoice {invoice.number}" in told.replace("\\", "")
    assert "100.00" in told
    assert "Confirm the invoice was exported from AlgaPSA, or link it" in told
    assert "assigned to" in told
    assert "qbo-sync exceptions link-invoice" in told


def test_linking_the_unknown_invoice_applies_its_payment(page: Page) -> None:
    world = page.world
    invoice, found = _unknown(page)

    page.resolve(UNKNOWN, Action.LINK_INVOICE)
    page.cycle()

    assert page.titles() == []
    assert world.links() == {invoice.invoice_id: found}
    assert (world.rows(invoice), world.state(invoice).status) == ([10_000], "paid")
    assert (_received(world), _balance(world, invoice)) == ([100], 0)
    assert page.closed(UNKNOWN).when


def test_linking_an_invoice_that_bears_another_number_needs_its_number(page: Page) -> None:
    world = page.world
    invoice, found = _unknown(page, number="typed by hand")

    refused = page.refused(UNKNOWN, Action.LINK_INVOICE)
    page.resolve(UNKNOWN, Action.LINK_INVOICE, invoice.number)
    page.cycle()

    assert "no finalized invoice with the number" in refused
    assert world.links() == {invoice.invoice_id: found}
    assert world.rows(invoice) == [10_000]
    assert UNKNOWN not in page.titles()


def test_an_invoice_that_staff_linked_elsewhere_lets_its_payment_through_by_retry(
    page: Page,
) -> None:
    world = page.world
    invoice, found = _unknown(page)
    world.link(("invoice", invoice.invoice_id, found))

    page.resolve(UNKNOWN, Action.RETRY)
    page.cycle()

    assert page.titles() == []
    assert (world.rows(invoice), _received(world)) == ([10_000], [100])


def test_an_invoice_that_is_not_from_algapsa_frees_the_rest_of_the_cheque(page: Page) -> None:
    world, realm = page.world, page.world.company.realm
    ours = world.exported(10_000)
    lines = [(world.company.item, Decimal(80))]
    customer = world.company.customers[world.clients[0]]
    theirs = world.quickbooks.invoice(realm, customer, lines, DocNumber="HW-1")
    paid = [(world.quickbooks_id(ours), Decimal(100)), (theirs["Id"], Decimal(80))]
    world.quickbooks.record_payment(realm, customer, paid)
    page.cycle()
    assert page.titles() == [UNKNOWN]
    assert world.rows(ours) == []

    page.resolve(UNKNOWN, Action.NOT_FROM_ALGAPSA)
    page.cycle()

    assert page.titles() == []
    assert (world.rows(ours), world.state(ours).status) == ([10_000], "paid")
    assert _received(world) == [180]
    closed = page.closed(UNKNOWN)
    assert (closed.by, closed.how) == ("Avery", f"not from AlgaPSA: {REASON}")


def test_a_dismissed_payment_of_an_unknown_invoice_stays_out_and_silent(page: Page) -> None:
    world = page.world
    invoice, _ = _unknown(page)

    page.resolve(UNKNOWN, Action.DISMISS)
    page.cycle()
    page.cycle()

    assert page.titles() == []
    assert (world.rows(invoice), _received(world)) == ([], [100])
    closed = page.closed(UNKNOWN)
    assert (closed.by, closed.how) == ("Avery", f"dismissed: {REASON}")


def test_a_dismissal_without_a_reason_is_refused(page: Page) -> None:
    _unknown(page)

    refused = page.refused(UNKNOWN, Action.DISMISS)

    assert "needs a reason" in refused
    page.cycle()
    assert page.titles() == [UNKNOWN]


def test_the_same_money_on_both_sides_is_matched_and_nothing_moves(page: Page) -> None:
    world = page.world
    invoice, row, payment = _both_paid(page)
    before = world.stands()

    page.resolve(SETTLED, Action.MATCH)
    page.cycle()

    assert page.titles() == []
    assert world.links("payment") == {row: payment}
    assert world.stands() == before
    assert (world.rows(invoice), _balance(world, invoice)) == ([10_000], 0)
    closed = page.closed(SETTLED)
    assert (closed.by, closed.how) == ("Avery", f"matched: {REASON}")


def test_two_real_payments_stand_on_both_sides_and_the_second_is_unapplied(page: Page) -> None:
    world = page.world
    invoice, _, _ = _both_paid(page)

    page.resolve(SETTLED, Action.BOTH_REAL)
    page.cycle()
    page.cycle()

    assert page.titles() == []
    assert (_received(world), _balance(world, invoice)) == ([100, 100], 0)
    assert world.rows(invoice) == [10_000]
    assert page.closed(SETTLED).how == f"both are real: {REASON}"


def test_a_settled_invoice_that_has_room_again_takes_the_payment_by_retry(page: Page) -> None:
    world = page.world
    invoice, row, _ = _both_paid(page)
    world.do(payments.reverse_payment, row)

    page.resolve(SETTLED, Action.RETRY)
    page.cycle()

    assert page.titles() == []
    assert world.rows(invoice) == [10_000, -10_000, 10_000]
    assert (_received(world), _balance(world, invoice)) == ([100], 0)


def test_a_dismissed_overpayment_is_left_unapplied(page: Page) -> None:
    world = page.world
    invoice, _, _ = _both_paid(page)

    page.resolve(SETTLED, Action.DISMISS)
    page.cycle()
    page.cycle()

    # AlgaPSA's own payment, which QuickBooks has no room for, is told by itself.
    assert page.titles() == [SAME]
    assert (world.rows(invoice), _received(world)) == ([10_000], [100])
    assert page.closed(SETTLED).how == f"dismissed: {REASON}"
