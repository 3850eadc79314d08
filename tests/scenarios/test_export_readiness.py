"""Invoices out: what is missing is told at once, and the invoice goes out once it is there."""

from __future__ import annotations

from decimal import Decimal

import sqlalchemy as sa

from qbo_sync_dagster.sandbox.algapsa import edits, tenants
from qbo_sync_dagster.sandbox.algapsa.charges import Charge, FixedPart, fixed_plan, manual_charge

NOT_READY = "Scheduled accounting export failed validation"


def _unlinked_client(world, name="Fir Street Clinic", terms="net_30"):
    client = tenants.Client(name, terms=terms)
    world.clients.append(world.do(tenants.create_client, client))
    return len(world.clients) - 1


def _customer_for(world, client, name):
    customer = str(world.quickbooks.customer(world.company.realm, name)["Id"])
    world.company.customers[world.clients[client]] = customer
    return customer


def test_every_problem_of_an_invoice_is_in_its_one_exception_and_nothing_is_sent(world) -> None:
    unlinked = world.do(tenants.create_service, tenants.Service("Firewall lease", 9_900))
    world.do(tenants.create_tax_region, tenants.TaxRegion("US-OR", "Oregon", Decimal(1)))
    client = _unlinked_client(world, terms="due_on_receipt")
    invoice = world.invoice(
        client=client,
        charges=(
            Charge("Firewall", 9_900, service_id=unlinked, tax_region="US-OR", tax_rate=Decimal(1)),
            manual_charge("Travel", 4_200),
        ),
    )

    end = world.cycle()

    assert end.outcome == "succeeded"
    assert world.quickbooks.list(world.company.realm, "Invoice") == []
    told = world.exception(NOT_READY)
    assert world.titles() == [NOT_READY]
    assert invoice.number in told.what_happened
    for missing in ('"due_on_receipt"', '"Firewall lease"', '"US-OR"', '"Travel"'):
        assert missing in told.what_happened
    assert told.amounts == {"total": 14_199}
    assert end.health.errored == 1


def test_an_unlinked_customer_is_told_and_the_invoice_goes_out_once_linked(world) -> None:
    client = _unlinked_client(world)
    invoice = world.invoice(client=client)
    world.cycle()
    assert 'Client "Fir Street Clinic" is not linked' in world.exception(NOT_READY).what_happened

    customer = _customer_for(world, client, "Fir Street Clinic")
    world.link(("client", world.clients[client], customer))
    end = world.cycle()

    assert end.outcome == "succeeded"
    [found] = world.in_quickbooks(invoice)
    assert found["CustomerRef"]["value"] == customer
    assert world.titles() == []
    assert end.health.errored == 0


def test_links_made_one_by_one_shorten_the_exception_until_the_invoice_goes_out(world) -> None:
    service = world.do(tenants.create_service, tenants.Service("Firewall lease", 9_900))
    client = _unlinked_client(world, terms="due_on_receipt")
    invoice = world.invoice(client=client, charges=(Charge("Firewall", 9_900, service_id=service),))
    world.cycle()
    number = world.exception(NOT_READY).number

    world.link(("payment_term", "due_on_receipt", world.company.term))
    world.cycle()

    still = world.exception(NOT_READY)
    assert still.number == number
    assert "due_on_receipt" not in still.what_happened
    assert "Firewall lease" in still.what_happened

    customer = _customer_for(world, client, "Fir Street Clinic")
    item = str(world.quickbooks.item(world.company.realm, "Firewall lease")["Id"])
    world.link(("client", world.clients[client], customer), ("service", service, item))
    world.cycle()

    assert len(world.in_quickbooks(invoice)) == 1
    assert world.titles() == []


def test_an_unlinked_service_inside_a_fixed_plan_is_named(world) -> None:
    service = world.do(tenants.create_service, tenants.Service("Cloud backup", 4_000))
    plan = fixed_plan("Complete care", [FixedPart(world.service, 6_000), FixedPart(service, 4_000)])
    world.invoice(charges=(plan,))

    world.cycle()

    assert '"Cloud backup"' in world.exception(NOT_READY).what_happened


def test_totals_that_charges_do_not_add_up_to_are_not_sent_until_corrected(world) -> None:
    invoice = world.invoice(10_000)
    world.do(edits.overwrite_total, invoice.invoice_id, 10_001)

    world.cycle()

    assert "correct the invoice in AlgaPSA" in world.exception(NOT_READY).what_happened
    assert world.in_quickbooks(invoice) == []

    world.do(edits.retotal, invoice.invoice_id)
    world.cycle()

    assert len(world.in_quickbooks(invoice)) == 1
    assert world.titles() == []


def test_an_invoice_that_is_not_ready_does_not_hold_back_the_others(world) -> None:
    bad = world.invoice(client=_unlinked_client(world))
    good = [world.invoice(), world.invoice(client=1)]

    end = world.cycle()

    assert world.in_quickbooks(bad) == []
    assert [len(world.in_quickbooks(each)) for each in good] == [1, 1]
    assert (end.health.errored, end.health.pending) == (1, 0)


def test_waiting_for_a_link_costs_no_call_and_is_told_only_once(world) -> None:
    world.invoice(client=_unlinked_client(world))
    world.cycle()
    number = world.exception(NOT_READY).number
    world.forget()

    world.cycle()

    assert world.metered() == 1
    assert world.exception(NOT_READY).number == number


def test_a_dismissed_invoice_is_neither_raised_again_nor_sent_until_it_changes(world) -> None:
    client = _unlinked_client(world)
    invoice = world.invoice(client=client)
    world.cycle()
    world.dismiss(NOT_READY)

    customer = _customer_for(world, client, "Fir Street Clinic")
    world.link(("client", world.clients[client], customer))
    end = world.cycle()

    assert world.in_quickbooks(invoice) == []
    assert world.titles() == []
    assert (end.health.errored, end.health.pending) == (0, 0)

    world.do(edits.add_charge, invoice.invoice_id, Charge("Late", 100, service_id=world.service))
    world.cycle()

    [found] = world.in_quickbooks(invoice)
    assert found["TotalAmt"] == Decimal("101.00")


def test_a_tax_that_came_from_outside_is_told_and_changes_no_other_invoices_tax(world) -> None:
    taxed = {"service_id": world.service, "tax_region": "US-WA", "tax_rate": Decimal("8.25")}
    outside, own = (
        world.invoice(charges=(Charge("Managed endpoint", 10_000, **taxed),)) for _ in range(2)
    )
    statement = (
        "UPDATE invoices SET tax_source = 'external', tax = 700, total_amount = 10700 "
        "WHERE invoice_id = :id"
    )
    with world.owner.begin() as connection:
        connection.execute(sa.text(statement), {"id": outside.invoice_id})

    assert world.cycle().outcome == "succeeded"

    assert world.titles() == [NOT_READY]
    assert world.in_quickbooks(outside) == []
    [sent] = world.in_quickbooks(own)
    assert Decimal(str(sent["TxnTaxDetail"]["TotalTax"])) == Decimal("8.25")
