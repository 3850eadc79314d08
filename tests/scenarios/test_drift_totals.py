"""The total difference: QuickBooks' total against AlgaPSA's after every export."""

from __future__ import annotations

from decimal import Decimal

import pytest

from qbo_sync_dagster.sandbox.algapsa.charges import Charge
from tests.scenarios.conftest import Books, World

DIFFERS = "Invoice total differs in QuickBooks"
CHANGED = "Exported invoice was changed in QuickBooks"


@pytest.fixture
def taxed_invoice(world: World) -> Books:
    """An invoice of 100.00 and 8.00 tax, in a company whose own tax comes to 8.25."""
    company = world.company
    customer = company.customers[world.clients[0]]
    world.quickbooks.edit(
        company.realm, "Customer", customer, BillAddr={"Line1": "1 Main Street", "City": "Spokane"}
    )
    world.quickbooks.set(company.realm, automated_sales_tax=True)
    charge = Charge(
        "Managed endpoint",
        10_000,
        service_id=world.service,
        tax_region="US-WA",
        tax_rate=Decimal(8),
    )
    return world.invoice(charges=(charge,))


def _correct(world, invoice):
    """A bookkeeper overrides the tax in QuickBooks."""
    realm = world.company.realm
    world.quickbooks.set(realm, automated_sales_tax=False)
    world.quickbooks.edit(
        realm, "Invoice", world.quickbooks_id(invoice), TxnTaxDetail={"TotalTax": Decimal(8)}
    )


def test_a_total_that_quickbooks_computed_otherwise_is_told_with_both(world, taxed_invoice) -> None:
    end = world.cycle()

    assert end.outcome == "succeeded"
    told = world.exception(DIFFERS)
    assert world.titles() == [DIFFERS]
    assert told.amounts == {"AlgaPSA total": 10_800, "QuickBooks total": 10_825}
    assert world.links() == {taxed_invoice.invoice_id: world.quickbooks_id(taxed_invoice)}


def test_it_is_no_drift_and_is_told_once(world, taxed_invoice) -> None:
    world.cycle()
    number = world.exception(DIFFERS).number

    end = world.cycle()

    assert world.titles() == [DIFFERS]
    assert world.exception(DIFFERS).number == number
    assert end.health.drift == 0


def test_a_difference_within_the_companys_setting_is_accepted_by_itself(
    world, taxed_invoice
) -> None:
    world.configure(accepted_cents=25)

    world.cycle()

    assert world.titles() == []
    assert world.in_ledger(
        "SELECT difference_minor, accepted_minor FROM links WHERE kind = 'invoice'"
    ) == [(25, 25)]


def test_a_cent_more_than_the_setting_is_told(world, taxed_invoice) -> None:
    world.configure(accepted_cents=24)

    world.cycle()

    assert world.titles() == [DIFFERS]


def test_correcting_the_tax_in_quickbooks_settles_it_without_drift(world, taxed_invoice) -> None:
    world.cycle()

    _correct(world, taxed_invoice)
    end = world.cycle()

    assert world.titles() == []
    assert end.health.drift == 0


def test_payments_wait_under_the_difference_and_flow_once_it_is_corrected(
    world, taxed_invoice
) -> None:
    world.cycle()
    world.pay((taxed_invoice, "50.00"))
    world.cycle()
    assert world.rows(taxed_invoice) == []
    assert world.titles() == [DIFFERS]

    _correct(world, taxed_invoice)
    world.cycle()
    world.cycle()

    assert world.rows(taxed_invoice) == [5_000]
    assert world.titles() == []


def test_another_field_edited_with_the_correction_is_still_drift(world, taxed_invoice) -> None:
    world.cycle()
    found = world.quickbooks_id(taxed_invoice)

    _correct(world, taxed_invoice)
    world.quickbooks.edit(world.company.realm, "Invoice", found, DocNumber="X-1")
    world.cycle()

    assert world.titles() == [CHANGED]
    told = world.exception(CHANGED).what_happened
    assert f"Number: {taxed_invoice.number} -> X-1" in told
    assert "total" not in told


def test_a_dismissed_difference_is_not_raised_again(world, taxed_invoice) -> None:
    world.cycle()

    world.dismiss(DIFFERS)
    world.cycle()

    assert world.titles() == []
