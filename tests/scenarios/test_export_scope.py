"""Invoices out: which documents belong to a company, and which are left alone."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest

from qbo_sync_dagster.domain.eligibility import CompanyScope
from qbo_sync_dagster.sandbox.algapsa import edits
from qbo_sync_dagster.sandbox.algapsa.charges import manual_charge
from qbo_sync_dagster.sync import outbound
from qbo_sync_dagster.sync.cycle import last_end, run_cycle
from tests.scenarios.conftest import NAMES, Company, World, build_company

BEFORE_GO_LIVE = "Dated before go-live"
PREPAYMENT = "Prepayment to record in QuickBooks"
TAKEN = "Already in QuickBooks"


def _in_company(world, company):
    found = world.quickbooks.list(company.realm, "Invoice")
    return sorted(item["DocNumber"] for item in found)


def _cycle_of(world, company):
    return last_end(run_cycle(world.engine, company.realm, trigger="test"))


@pytest.fixture
def second(world: World) -> Company:
    """A second company of the tenant, with the same clients linked."""
    company = build_company(world.quickbooks, world.clients, NAMES)
    world.connect(company, company_name="Cedar Ridge Labs")
    first, world.company = world.company, company
    world.link_everything()
    world.company = first
    return company


def test_of_years_of_history_nothing_dated_before_go_live_is_sent(bare_world) -> None:
    world = bare_world
    for days in (11, 90, 400, 900):
        day = world.today - timedelta(days=days)
        world.finalize(world.draft(day=day), day)
    fresh = world.invoice(day=world.today - timedelta(days=10))
    world.connect(world.company)
    world.link_everything()

    end = world.cycle()

    assert end.outcome == "succeeded"
    assert _in_company(world, world.company) == [fresh.number]
    assert world.titles() == []


def test_history_that_quickbooks_has_with_the_same_numbers_is_not_sent_twice(bare_world) -> None:
    world, company = bare_world, bare_world.company
    both = [world.invoice(8_000, client=n) for n in range(3)]
    for n, invoice in enumerate(both):
        customer = company.customers[world.clients[n]]
        lines = [(company.item, "80.00")]
        world.quickbooks.invoice(company.realm, customer, lines, DocNumber=invoice.number)
    world.later(timedelta(hours=1))
    world.connect(company)
    world.link_everything()

    world.cycle()

    assert _in_company(world, company) == sorted(invoice.number for invoice in both)
    assert world.titles() == [TAKEN] * 3


def test_an_invoice_dated_before_go_live_but_finalized_after_it_is_told(world) -> None:
    invoice = world.invoice(day=world.today - timedelta(days=11))

    end = world.cycle()

    assert world.in_quickbooks(invoice) == []
    told = world.exception(BEFORE_GO_LIVE)
    assert world.titles() == [BEFORE_GO_LIVE]
    assert invoice.number in told.what_happened
    assert end.health.pending == 0


def test_redating_an_invoice_to_go_live_exports_it(world) -> None:
    invoice = world.invoice(day=world.today - timedelta(days=11))
    world.cycle()

    world.do(edits.redate_invoice, invoice.invoice_id, world.today - timedelta(days=10))
    world.cycle()

    assert len(world.in_quickbooks(invoice)) == 1
    assert world.titles() == []


def test_linking_an_invoice_from_before_go_live_settles_it(world) -> None:
    company = world.company
    invoice = world.invoice(8_000, day=world.today - timedelta(days=11))
    world.cycle()
    customer = company.customers[world.clients[0]]
    theirs = world.quickbooks.invoice(
        company.realm, customer, [(company.item, "80.00")], DocNumber="HIST-9"
    )

    world.link(("invoice", invoice.invoice_id, theirs["Id"]))
    world.cycle()

    assert world.links() == {invoice.invoice_id: theirs["Id"]}
    assert world.titles() == []
    assert _in_company(world, company) == ["HIST-9"]


def test_a_dismissed_invoice_from_before_go_live_is_not_raised_again(world) -> None:
    world.invoice(day=world.today - timedelta(days=11))
    world.cycle()

    world.dismiss(BEFORE_GO_LIVE)
    world.cycle()

    assert world.titles() == []


def test_a_prepayment_is_told_with_its_amount_and_not_exported(world) -> None:
    invoice = world.invoice(charges=(manual_charge("Retainer", 50_000),), is_prepayment=True)

    world.cycle()

    told = world.exception(PREPAYMENT)
    assert world.titles() == [PREPAYMENT]
    assert told.amounts == {"total": 50_000}
    assert world.in_quickbooks(invoice) == []
    assert world.operations() == {}


def test_an_invoice_that_algapsa_itself_mapped_is_never_created(world) -> None:
    invoice = world.invoice()
    realm = world.company.realm
    world.do(edits.map_entity, "invoice", invoice.invoice_id, "4711", realm=realm)

    world.cycle()

    assert _in_company(world, world.company) == []
    assert world.titles() == [TAKEN]
    assert "4711" in world.exception(TAKEN).what_happened


def test_an_invoice_booked_through_algapsas_csv_export_is_never_created(world) -> None:
    invoice = world.invoice()
    world.do(
        edits.map_entity,
        "invoice",
        invoice.invoice_id,
        invoice.number,
        realm=None,
        integration_type="quickbooks_csv",
    )

    world.cycle()

    assert _in_company(world, world.company) == []
    assert world.titles() == [TAKEN]


def test_new_invoices_go_to_the_default_company_only(world, second) -> None:
    invoice = world.invoice()

    second_end = _cycle_of(world, second)
    world.cycle()

    assert second_end.sentence == "Nothing to do"
    assert _in_company(world, world.company) == [invoice.number]
    assert _in_company(world, second) == []


def test_a_second_company_exports_only_documents_whose_home_it_is(world, second) -> None:
    elsewhere, here = world.invoice(), world.invoice()
    world.in_ledger(
        "INSERT INTO document_homes (tenant, invoice_id, realm) VALUES (:tenant, :invoice, :realm)",
        tenant=world.tenant,
        invoice=elsewhere.invoice_id,
        realm=second.realm,
    )

    world.cycle()
    _cycle_of(world, second)

    assert _in_company(world, world.company) == [here.number]
    assert _in_company(world, second) == [elsewhere.number]


def test_changing_the_default_company_moves_no_document_that_has_a_home(world, second) -> None:
    waiting = world.invoice()
    world.quickbooks.fault("fault:6000", realm=world.company.realm, kind="create")
    world.cycle()
    first = world.company.realm
    world.in_ledger("UPDATE connections SET is_default = false WHERE realm = :realm", realm=first)
    world.in_ledger(
        "UPDATE connections SET is_default = true WHERE realm = :realm", realm=second.realm
    )
    fresh = world.invoice()

    world.cycle()
    _cycle_of(world, second)

    assert _in_company(world, second) == [fresh.number]
    assert world.operations() == {f"Invoice {waiting.number}": "errored"}


def test_two_companies_cannot_both_export_one_document(world, second) -> None:
    """Even if both believe to be the default, the home that comes first decides."""
    invoice = world.invoice()
    world.cycle()
    world.in_ledger("UPDATE connections SET is_default = false")
    world.in_ledger(
        "UPDATE connections SET is_default = true WHERE realm = :realm", realm=second.realm
    )

    _cycle_of(world, second)

    assert _in_company(world, second) == []
    [found] = world.in_quickbooks(invoice)
    assert found["TotalAmt"] == Decimal(100)


def test_a_document_linked_in_another_company_is_not_exported_here(world, second) -> None:
    invoice = world.invoice(8_000)
    customer = second.customers[world.clients[0]]
    theirs = world.quickbooks.invoice(second.realm, customer, [(second.item, "80.00")])
    first, world.company = world.company, second
    world.link(("invoice", invoice.invoice_id, theirs["Id"]))
    world.company = first

    end = world.cycle()

    assert end.sentence == "Nothing to do"
    assert _in_company(world, first) == []


def test_a_document_linked_in_another_company_needs_no_home_to_be_left_alone(world, second) -> None:
    invoice = world.invoice(8_000)
    customer = second.customers[world.clients[0]]
    theirs = world.quickbooks.invoice(second.realm, customer, [(second.item, "80.00")])
    first, world.company = world.company, second
    world.link(("invoice", invoice.invoice_id, theirs["Id"]))
    world.company = first
    world.in_ledger("DELETE FROM document_homes")

    world.cycle()

    assert _in_company(world, first) == []


def test_a_home_set_by_another_company_at_that_moment_keeps_a_document_from_the_queue(
    world, second, monkeypatch
) -> None:
    world.invoice()
    world.quickbooks.fault("503", realm=world.company.realm, times=30)
    world.cycle()
    world.in_ledger("UPDATE connections SET is_default = false")
    world.in_ledger(
        "UPDATE connections SET is_default = true WHERE realm = :realm", realm=second.realm
    )
    load = outbound.load_scope

    def loaded_before(*args: Any) -> CompanyScope:
        return replace(load(*args), homes={})

    monkeypatch.setattr(outbound, "load_scope", loaded_before)
    _cycle_of(world, second)

    queued = "SELECT count(*) FROM operations WHERE realm = :realm"
    assert world.in_ledger(queued, realm=second.realm) == [(0,)]
