"""Invoices that AlgaPSA itself booked in QuickBooks: linked after a look, never created again."""

from __future__ import annotations

from qbo_sync_dagster.sandbox.algapsa import edits

TAKEN = "Already in QuickBooks"
TOTAL = "Invoice total differs in QuickBooks"


def _booked(world, cents=10_000, amount="100.00", realm=None):
    """A finalized invoice, its QuickBooks invoice under another number, and AlgaPSA's mapping."""
    company = world.company
    customer = company.customers[world.clients[0]]
    made = world.quickbooks.invoice(company.realm, customer, [(company.item, amount)])
    invoice = world.invoice(cents)
    world.do(
        edits.map_entity, "invoice", invoice.invoice_id, made["Id"], realm=realm or company.realm
    )
    return invoice, str(made["Id"])


def test_the_mapping_becomes_a_link_and_nothing_is_created(world) -> None:
    invoice, theirs = _booked(world)

    end = world.cycle()

    assert end.outcome == "succeeded"
    assert world.links() == {invoice.invoice_id: theirs}
    assert world.titles() == []
    assert len(world.quickbooks.list(world.company.realm, "Invoice")) == 1


def test_both_totals_are_compared_when_the_mapping_becomes_a_link(world) -> None:
    invoice, theirs = _booked(world, amount="101.00")

    world.cycle()

    assert world.links() == {invoice.invoice_id: theirs}
    assert world.titles() == [TOTAL]


def test_a_mapping_to_an_invoice_that_is_not_there_is_told_and_asked_about_once(world) -> None:
    invoice, theirs = _booked(world)
    world.quickbooks.delete(world.company.realm, "Invoice", theirs)
    world.cycle()
    assert world.titles() == [TAKEN]
    assert world.links() == {}
    world.forget()

    world.cycle()

    assert world.metered() == 1
    assert world.in_quickbooks(invoice) == []


def test_a_mapping_to_an_invoice_that_was_voided_is_told_and_makes_no_link(world) -> None:
    invoice, theirs = _booked(world)
    world.quickbooks.void(world.company.realm, "Invoice", theirs)

    world.cycle()

    assert world.links() == {}
    assert world.titles() == [TAKEN]
    assert world.in_quickbooks(invoice) == []


def test_a_mapping_into_another_company_makes_no_link_here(world) -> None:
    invoice, _ = _booked(world, realm="9341450000000099")

    world.cycle()

    assert world.links() == {}
    assert world.titles() == [TAKEN]
    assert world.in_quickbooks(invoice) == []


def test_a_mapping_to_an_invoice_that_is_linked_to_another_document_is_told(world) -> None:
    second, theirs = _booked(world)
    first = world.history()
    world.link(("invoice", first.invoice_id, theirs))

    end = world.cycle()

    assert end.outcome == "succeeded"
    assert world.links() == {first.invoice_id: theirs}
    assert world.exception(TAKEN).record == f"invoice:{second.invoice_id}"
    assert world.in_quickbooks(second) == []
