"""A ledger restored from a backup: what was done since is recognised, never done again."""

from __future__ import annotations

from datetime import datetime, timedelta

import pytest


@pytest.fixture(params=["community", "enterprise"])
def edition(request: pytest.FixtureRequest) -> str:
    """Both editions: only one of them shows AlgaPSA our links."""
    return str(request.param)


def _restored(world, cursor: datetime) -> None:
    """The ledger forgets every invoice, as a backup from before the first of them would."""
    world.in_ledger("DELETE FROM postings")
    world.in_ledger("DELETE FROM operations")
    world.in_ledger("DELETE FROM inbound_changes")
    world.in_ledger("DELETE FROM document_homes")
    world.in_ledger("DELETE FROM links WHERE kind = 'invoice'")
    world.in_ledger("DELETE FROM exceptions")
    world.configure(cursor=cursor)
    world.forget()


def _creates(world) -> int:
    counts = world.quickbooks.call_counts(world.company.realm)
    return counts["create"] + counts["batch"]


def _numbers(world) -> list[str]:
    found = world.quickbooks.list(world.company.realm, "Invoice")
    return sorted(item["DocNumber"] for item in found)


def test_invoices_exported_after_the_backup_are_adopted(world) -> None:
    world.cycle()
    backup = world.cursor
    books = [world.invoice(1_000 * n) for n in range(1, 4)]
    world.cycle()
    made = world.links()
    world.later(timedelta(days=2))
    _restored(world, backup)

    end = world.cycle()

    assert end.outcome == "succeeded", end.sentence
    assert _creates(world) == 0
    assert world.links() == made
    assert _numbers(world) == sorted(each.number for each in books)
    assert world.titles() == []


def test_payments_received_after_the_backup_are_not_written_again(world) -> None:
    world.cycle()
    backup = world.cursor
    invoice = world.invoice(10_000)
    world.cycle()
    world.pay((invoice, "40.00"))
    payment = world.pay((invoice, "25.00"))
    world.cycle()
    world.repay(payment, (invoice, "30.00"))
    world.cycle()
    rows = world.rows(invoice)
    world.later(timedelta(days=2))
    _restored(world, backup)

    for _ in range(2):
        assert world.cycle().outcome == "succeeded"

    assert world.rows(invoice) == rows
    assert world.state(invoice).paid == 7_000
    assert world.titles() == []


def test_an_invoice_edited_there_after_the_backup_is_adopted_and_not_sent_again(world) -> None:
    world.cycle()
    backup = world.cursor
    invoice = world.exported(10_000)
    made = world.quickbooks_id(invoice)
    world.quickbooks.edit(world.company.realm, "Invoice", made, TxnDate="2026-03-01")
    world.cycle()
    world.later(timedelta(days=2))
    _restored(world, backup)

    world.cycle()

    assert _creates(world) == 0
    assert world.links() == {invoice.invoice_id: made}
    assert world.titles() == ["Exported invoice was changed in QuickBooks"]


def test_an_invoice_renumbered_there_after_the_backup_is_not_made_again(world) -> None:
    world.cycle()
    backup = world.cursor
    invoice = world.exported(10_000)
    made = world.quickbooks_id(invoice)
    world.quickbooks.edit(world.company.realm, "Invoice", made, DocNumber="X-77")
    world.cycle()
    world.later(timedelta(days=2))
    _restored(world, backup)

    for _ in range(2):
        world.cycle()

    assert _numbers(world) == ["X-77"]
    assert world.links() == {invoice.invoice_id: made}


def test_a_renumbered_invoice_is_not_made_again_even_where_its_request_id_is_forgotten(
    world,
) -> None:
    world.quickbooks.set(world.company.realm, requestid_retention_seconds=1)
    world.cycle()
    backup = world.cursor
    invoice = world.exported(10_000)
    made = world.quickbooks_id(invoice)
    world.quickbooks.edit(world.company.realm, "Invoice", made, DocNumber="X-77")
    world.cycle()
    world.later(timedelta(days=2))
    _restored(world, backup)

    for _ in range(2):
        world.cycle()

    assert _numbers(world) == ["X-77"]
    assert world.links() == {invoice.invoice_id: made}
    assert world.titles() == ["Exported invoice was changed in QuickBooks"]


def test_a_backup_from_between_a_send_and_its_answer_settles_from_what_stands(world) -> None:
    world.cycle()
    backup = world.cursor
    invoice = world.exported(10_000)
    made = world.quickbooks_id(invoice)
    world.later(timedelta(hours=2))
    world.in_ledger("UPDATE postings SET state = 'sent', quickbooks_id = NULL, answered_at = NULL")
    world.in_ledger("UPDATE operations SET state = 'posting'")
    world.in_ledger("DELETE FROM links WHERE kind = 'invoice'")
    world.in_ledger("DELETE FROM inbound_changes")
    world.configure(cursor=backup)
    world.forget()

    end = world.cycle()

    assert end.outcome == "succeeded", end.sentence
    assert _creates(world) == 0
    assert world.links() == {invoice.invoice_id: made}
    assert world.operations() == {}


def test_a_backup_older_than_the_change_log_adopts_what_a_sweep_finds(world) -> None:
    world.cycle()
    backup = world.cursor
    books = [world.invoice(1_000 * n) for n in range(1, 4)]
    world.cycle()
    made = world.links()
    world.later(timedelta(days=40))
    _restored(world, backup)

    end = world.cycle()

    assert end.outcome == "succeeded", end.sentence
    assert _creates(world) == 0
    assert world.links() == made
    assert len(_numbers(world)) == len(books)
