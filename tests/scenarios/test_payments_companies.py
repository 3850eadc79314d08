"""Payments in of two QuickBooks companies of one provider: the same id is not the same payment."""

from __future__ import annotations

import pytest

from tests.scenarios.conftest import NAMES, Company, World, build_company


@pytest.fixture
def second(world: World) -> Company:
    """A second company of the tenant, with the same clients linked."""
    company = build_company(world.quickbooks, world.clients, NAMES)
    world.connect(company, company_name="Cedar Ridge Labs")
    first, world.company = world.company, company
    world.link_everything()
    world.company = first
    return company


def test_equal_payment_ids_of_two_companies_are_two_payments(world, second) -> None:
    first = world.company
    here = world.history(10_000)
    world.link(("invoice", here.invoice_id, world.quickbooks_id(here)))
    payment = world.pay((here, "100.00"))
    world.receive()

    world.company = second
    there = world.history(10_000)
    world.link(("invoice", there.invoice_id, world.quickbooks_id(there)))
    other = world.pay((there, "100.00"))
    assert other == payment
    world.receive()

    assert (world.rows(here), world.rows(there)) == ([10_000], [10_000])
    world.quickbooks.delete(second.realm, "Payment", other)
    world.receive()
    assert (world.rows(here), world.rows(there)) == ([10_000], [10_000, -10_000])
    assert world.titles() == []
    world.company = first
    assert world.receive().rows_written == 0
    assert world.titles() == []


def test_one_company_that_is_down_does_not_hold_the_others_payments(world, second) -> None:
    invoice = world.exported(10_000)
    world.pay((invoice, "100.00"))
    world.quickbooks.fault("503", realm=second.realm, times=50)
    first, world.company = world.company, second
    assert world.cycle().outcome == "failed"
    world.company = first

    world.receive()

    assert world.rows(invoice) == [10_000]
