"""Many documents at once: gone through page by page, sent in few calls, none forgotten."""

from __future__ import annotations

import pytest

from qbo_sync_dagster.sandbox.algapsa import edits, invoices
from qbo_sync_dagster.sandbox.algapsa.bulk import bulk_invoices
from qbo_sync_dagster.sandbox.algapsa.charges import Charge
from qbo_sync_dagster.sync import (
    changed_in_algapsa,
    outbound,
    posting,
    reconsider,
    unlinked,
    unsettled,
)

MOST_CALLS = 45


@pytest.fixture
def small_pages(monkeypatch: pytest.MonkeyPatch) -> None:
    """Pages of two, so that five documents take three."""
    monkeypatch.setattr(outbound, "PAGE", 2)
    monkeypatch.setattr(unlinked, "PAGE", 2)
    monkeypatch.setattr(changed_in_algapsa, "_PAGE", 2)
    monkeypatch.setattr(posting, "CHUNK", 2)
    monkeypatch.setattr(reconsider, "_CHUNK", 2)
    monkeypatch.setattr(unsettled, "PAGE", 2)


@pytest.mark.usefixtures("small_pages")
def test_every_invoice_goes_out_in_the_order_of_its_number(world) -> None:
    made = [world.invoice() for _ in range(5)]

    world.cycle()

    numbers = [item["DocNumber"] for item in world.quickbooks.list(world.company.realm, "Invoice")]
    assert numbers == sorted(invoice.number for invoice in made)
    assert world.links().keys() == {invoice.invoice_id for invoice in made}


@pytest.mark.usefixtures("small_pages")
def test_a_change_in_algapsa_is_noticed_on_every_page(world) -> None:
    made = [world.invoice() for _ in range(5)]
    world.cycle()
    for invoice in (made[0], made[2], made[4]):
        world.do(edits.renumber_invoice, invoice.invoice_id, f"{invoice.number}-A")

    world.cycle()

    assert world.titles() == ["Exported invoice was changed in AlgaPSA"] * 3


@pytest.mark.usefixtures("small_pages")
def test_queued_invoices_that_were_voided_are_withdrawn_on_every_page(world) -> None:
    unready = (Charge("Work without a service", 5_000),)
    made = [world.invoice(charges=unready) for _ in range(5)]
    world.cycle()
    assert len(world.operations()) == 5
    for invoice in made[1:]:
        world.do(invoices.void_invoice, invoice.invoice_id)

    world.cycle()

    assert list(world.operations()) == [f"Invoice {made[0].number}"]
    assert len(world.open()) == 1


@pytest.mark.usefixtures("small_pages")
def test_unready_invoices_go_out_from_every_page_once_the_cause_is_gone(world) -> None:
    made = [world.invoice(charges=(Charge("Without a service", 5_000),)) for _ in range(5)]
    world.cycle()
    world.configure(default_item=world.company.item)

    world.cycle()

    assert world.links().keys() == {invoice.invoice_id for invoice in made}
    assert world.open() == []


@pytest.mark.usefixtures("small_pages")
def test_payments_of_every_page_are_applied(world) -> None:
    made = [world.invoice() for _ in range(5)]
    world.cycle()
    for invoice in made:
        world.pay((invoice, "100.00"))

    world.cycle()

    assert [world.state(invoice).status for invoice in made] == ["paid"] * 5


def test_a_thousand_invoices_of_known_customers_take_few_calls(world) -> None:
    world.do(
        bulk_invoices,
        1_000,
        client_ids=world.clients,
        service_ids=[world.service],
        invoice_date=world.today,
    )
    world.forget()

    end = world.cycle()

    assert end.health.quickbooks_writes == 1_000
    assert len(world.quickbooks.calls(world.company.realm)) <= MOST_CALLS
    assert end.health.http_calls <= MOST_CALLS


def test_an_idle_cycle_polls_once_and_asks_nothing_else(world) -> None:
    for _ in range(3):
        world.invoice()
    world.cycle()
    world.forget()

    end = world.cycle()

    assert end.sentence == "Nothing to do"
    assert world.quickbooks.call_counts(world.company.realm) == {"cdc": 1}
