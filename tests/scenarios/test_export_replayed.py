"""Invoices out: an answer that QuickBooks repeats from the past proves nothing about today."""

from __future__ import annotations

from datetime import timedelta

GONE = "Exported invoice was voided or deleted in QuickBooks"


def _forgotten(world):
    """The ledger forgets its invoices, as an old backup would; the cursor stays where it is."""
    for table in ("postings", "operations", "inbound_changes", "document_homes", "exceptions"):
        world.in_ledger(f"DELETE FROM {table}")
    world.in_ledger("DELETE FROM links WHERE kind = 'invoice'")


def test_an_invoice_deleted_after_the_backup_is_told_and_not_believed_to_stand(world) -> None:
    invoice = world.exported()
    world.quickbooks.delete(world.company.realm, "Invoice", world.quickbooks_id(invoice))
    world.later(timedelta(hours=2))
    world.cycle()
    _forgotten(world)
    world.later(timedelta(hours=2))

    world.cycle()
    world.later(timedelta(minutes=15))
    world.cycle()

    assert world.quickbooks.list(world.company.realm, "Invoice") == []
    assert world.titles() == [GONE]


def test_an_invoice_edited_since_the_first_answer_is_held_against_how_it_stands_now(world) -> None:
    invoice = world.exported()
    identity = world.quickbooks_id(invoice)
    world.quickbooks.edit(world.company.realm, "Invoice", identity, DocNumber="X-1")
    world.later(timedelta(hours=2))
    world.cycle()
    _forgotten(world)
    world.later(timedelta(hours=2))

    world.cycle()
    world.later(timedelta(minutes=15))
    world.cycle()

    found = world.quickbooks.list(world.company.realm, "Invoice")
    assert [item["Id"] for item in found] == [identity]
    [(shown,)] = world.in_ledger("SELECT shown->>'number' FROM links WHERE kind = 'invoice'")
    assert shown == "X-1"
