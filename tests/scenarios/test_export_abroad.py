"""Invoices out: other currencies, and companies outside the United States."""

from __future__ import annotations

from decimal import Decimal

import pytest

from qbo_sync_dagster.sandbox.algapsa import tenants
from qbo_sync_dagster.sandbox.algapsa.charges import Charge
from tests.scenarios.conftest import NAMES, World, build_company

NOT_READY = "Scheduled accounting export failed validation"
FAILING = "Scheduled accounting export keeps failing"


def test_an_invoice_in_the_customers_currency_keeps_its_currency_and_amount(
    many_currencies,
) -> None:
    world = many_currencies
    invoice = world.invoice(12_345, client=3, currency="EUR")

    world.cycle()

    [found] = world.in_quickbooks(invoice)
    assert found["CurrencyRef"]["value"] == "EUR"
    assert found["TotalAmt"] == Decimal("123.45")
    assert world.titles() == []


def test_a_currency_the_customer_does_not_have_is_refused_alone(many_currencies) -> None:
    world = many_currencies
    bad = world.invoice(client=3, currency="USD")
    good = world.invoice(client=0)

    world.cycle()

    assert world.in_quickbooks(bad) == []
    assert len(world.in_quickbooks(good)) == 1
    assert world.titles() == [FAILING]


def test_a_created_customer_gets_its_clients_currency(many_currencies) -> None:
    world = many_currencies
    world.configure(create_customers=True)
    client = world.do(tenants.create_client, tenants.Client("Lyon Atelier", currency="EUR"))
    world.clients.append(client)
    invoice = world.invoice(client=4, currency="EUR")

    world.cycle()

    customer = world.quickbooks.get(world.company.realm, "Customer", world.links("client")[client])
    assert customer["CurrencyRef"]["value"] == "EUR"
    assert len(world.in_quickbooks(invoice)) == 1


@pytest.fixture
def abroad(bare_world: World) -> World:
    """A Canadian company whose tax region has a tax code of its own."""
    world = bare_world
    world.company = build_company(
        world.quickbooks, world.clients, NAMES, country="CA", home_currency="USD"
    )
    world.connect(world.company)
    company = world.company
    made = world.quickbooks.create(company.realm, "TaxCode", {"Name": "GST 5%", "Taxable": True})
    code = str(made["Id"])
    world.link(
        *(("client", client, customer) for client, customer in company.customers.items()),
        ("service", world.service, company.item),
        ("tax_region", "US-WA", code),
        ("payment_term", "net_30", company.term),
    )
    return world


def test_outside_the_united_states_lines_carry_the_linked_tax_code(abroad) -> None:
    world = abroad
    charge = Charge(
        "Managed endpoint",
        10_000,
        service_id=world.service,
        tax_region="US-WA",
        tax_rate=Decimal(5),
    )
    invoice = world.invoice(charges=(charge,))

    world.cycle()

    [found] = world.in_quickbooks(invoice)
    [line] = [item for item in found["Line"] if item["DetailType"] == "SalesItemLineDetail"]
    linked = world.links("tax_region")["US-WA"]
    assert line["SalesItemLineDetail"]["TaxCodeRef"]["value"] == linked
    assert found["TotalAmt"] == Decimal(105)
    assert found["GlobalTaxCalculation"] == "TaxExcluded"
    assert world.titles() == []


def test_outside_the_united_states_an_untaxed_region_needs_its_code_too(abroad) -> None:
    world = abroad
    world.do(tenants.create_tax_region, tenants.TaxRegion("CA-BC", "British Columbia", Decimal(0)))
    charge = Charge("Exempt", 10_000, service_id=world.service, tax_region="CA-BC")
    invoice = world.invoice(charges=(charge,))

    world.cycle()

    assert world.in_quickbooks(invoice) == []
    assert '"CA-BC"' in world.exception(NOT_READY).what_happened
