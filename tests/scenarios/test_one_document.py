"""Sync to QuickBooks: one document now, with a cycle's protections and without a cycle."""

from __future__ import annotations

import pytest

from qbo_sync_dagster.ledger import leases
from qbo_sync_dagster.sandbox.algapsa import invoices
from qbo_sync_dagster.sync.one_document import OneSynced, SyncedAs, sync_document


def sync(world, invoice) -> OneSynced:
    return sync_document(world.engine, world.company.realm, invoice.number)


def test_only_the_document_asked_for_is_exported(world) -> None:
    wanted, other = world.invoice(12_300), world.invoice(45_600)

    done = sync(world, wanted)

    assert done.outcome is SyncedAs.SYNCED
    assert world.links() == {wanted.invoice_id: done.quickbooks_id}
    assert world.in_quickbooks(other) == []
    assert world.in_ledger("SELECT count(*) FROM cycles") == [(0,)]


def test_asked_twice_it_is_exported_once(world) -> None:
    invoice = world.invoice()

    first, second = sync(world, invoice), sync(world, invoice)
    world.cycle()

    assert (first.outcome, second.outcome) == (SyncedAs.SYNCED, SyncedAs.ALREADY)
    assert first.quickbooks_id == second.quickbooks_id
    assert len(world.in_quickbooks(invoice)) == 1


def test_it_may_be_named_by_its_id(world) -> None:
    invoice = world.invoice()

    done = sync_document(world.engine, world.company.realm, invoice.invoice_id)

    assert done.outcome is SyncedAs.SYNCED


def test_a_number_that_quickbooks_has_already_is_never_sent(world) -> None:
    invoice = world.history()
    world.configure(go_live_date=world.today.replace(year=world.today.year - 1))

    done = sync(world, invoice)

    assert done.outcome is SyncedAs.REFUSED
    assert "already has" in done.sentence
    assert world.titles() == ["Already in QuickBooks"]
    assert len(world.in_quickbooks(invoice)) == 1


def test_an_answer_that_never_came_is_settled_by_the_next_cycle(world) -> None:
    invoice = world.invoice()
    world.quickbooks.fault("timeout_after_commit", realm=world.company.realm, kind="create")

    first, second = sync(world, invoice), sync(world, invoice)

    assert (first.outcome, second.outcome) == (SyncedAs.WAITS, SyncedAs.WAITS)
    assert "never" in second.sentence
    world.cycle()
    assert len(world.in_quickbooks(invoice)) == 1
    assert sync(world, invoice).outcome is SyncedAs.ALREADY


def test_every_missing_link_is_named(world) -> None:
    invoice = world.invoice()
    world.in_ledger("DELETE FROM links WHERE kind IN ('client', 'service')")

    done = sync(world, invoice)

    assert done.outcome is SyncedAs.REFUSED
    assert "not linked to a QuickBooks customer" in done.sentence
    assert "not linked to a QuickBooks item" in done.sentence


def test_once_the_cause_is_fixed_it_goes_out_at_once(world) -> None:
    invoice = world.invoice()
    world.in_ledger("DELETE FROM links WHERE kind = 'service'")
    assert sync(world, invoice).outcome is SyncedAs.REFUSED
    world.link_everything()

    assert sync(world, invoice).outcome is SyncedAs.SYNCED


@pytest.mark.parametrize("state", ["draft", "cancelled"])
def test_what_is_not_to_be_exported_is_refused_in_words(world, state: str) -> None:
    invoice = world.draft()
    if state == "cancelled":
        world.finalize(invoice)
        world.do(invoices.bulk_cancel, [invoice.invoice_id])

    done = sync(world, invoice)

    assert done.outcome is SyncedAs.REFUSED
    assert world.in_quickbooks(invoice) == []


def test_while_a_cycle_runs_nothing_is_sent(world) -> None:
    invoice = world.invoice()
    assert leases.take(world.engine.ledger, world.company.realm, "a cycle")

    assert sync(world, invoice).outcome is SyncedAs.SKIPPED
    assert world.in_quickbooks(invoice) == []


def test_an_unknown_number_is_refused(world) -> None:
    done = sync_document(world.engine, world.company.realm, "INV-UNKNOWN")

    assert done.outcome is SyncedAs.REFUSED
    assert "no finalized invoice" in done.sentence


def test_a_company_that_does_not_answer_is_told(world) -> None:
    invoice = world.invoice()
    world.quickbooks.fault("503", realm=world.company.realm, times=50)

    assert sync(world, invoice).outcome is SyncedAs.FAILED
    world.quickbooks.clear_faults(world.company.realm)
    assert sync(world, invoice).outcome is SyncedAs.SYNCED
