"""Updates and voids that wait: in doubt they are left alone, refused their cause must go first."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any

import sqlalchemy as sa

from qbo_sync_dagster.domain.catalogue import Action
from qbo_sync_dagster.sandbox.algapsa import edits, invoices
from tests.scenarios.credit_steps import settled
from tests.scenarios.deciding import decide

if TYPE_CHECKING:
    from tests.scenarios.conftest import Books, World

DRIFT = "Exported invoice was changed in QuickBooks"
CHANGED = "Exported invoice was changed in AlgaPSA"
DELETED = "Exported invoice was deleted in AlgaPSA"
FAILING = "Invoice void keeps failing in accounting"
EXPORT_FAILING = "Scheduled accounting export keeps failing"
CLOSED = "Dated in a closed QuickBooks period"
LONG_ENOUGH = timedelta(minutes=3)


def shown(world: World, found: str) -> dict[str, Any]:
    """The invoice as QuickBooks has it."""
    return world.quickbooks.get(world.company.realm, "Invoice", found)


def open_operations(world: World) -> list[tuple[str, str]]:
    """Kind and state of what waits for QuickBooks, in the order in which it was queued."""
    query = (
        "SELECT kind, state FROM operations WHERE state IN ('queued', 'posting', 'held', 'errored')"
        " ORDER BY operation_id"
    )
    return [(kind, state) for kind, state in world.in_ledger(query)]


def renumbered(world: World) -> tuple[Books, str]:
    """(invoice, its id there): a bookkeeper changed its number, and staff have it re-exported."""
    invoice = world.exported()
    found = world.quickbooks_id(invoice)
    world.quickbooks.edit(world.company.realm, "Invoice", found, DocNumber="X-1")
    world.cycle()
    decide(world, DRIFT, Action.RE_EXPORT)
    return invoice, found


def in_doubt(world: World, kind: str) -> None:
    """A cycle whose write never arrives, of which nobody can be sure."""
    world.quickbooks.fault("timeout_before", realm=world.company.realm, kind=kind)
    world.cycle()
    assert [state for _, state in open_operations(world)] == ["posting"]


def test_a_re_export_in_doubt_is_not_sent_again_before_it_is_settled(world: World) -> None:
    invoice, found = renumbered(world)
    in_doubt(world, "update")

    world.cycle()

    assert open_operations(world) == [("update_document", "posting")]
    assert shown(world, found)["DocNumber"] == "X-1"
    world.later(LONG_ENOUGH)
    world.cycle()
    assert shown(world, found)["DocNumber"] == invoice.number
    settled(world)


def test_a_void_waits_for_a_re_export_in_doubt(world: World) -> None:
    invoice = world.exported()
    found = world.quickbooks_id(invoice)
    [item] = world.do(edits.charge_ids, invoice.invoice_id)
    world.do(edits.reprice_charge, invoice.invoice_id, item, 12_000)
    world.cycle()
    decide(world, CHANGED, Action.RE_EXPORT)
    in_doubt(world, "update")
    world.do(invoices.bulk_cancel, [invoice.invoice_id])

    world.cycle()

    assert open_operations(world) == [("update_document", "posting"), ("void_document", "queued")]
    assert shown(world, found)["TotalAmt"] == 100
    world.later(LONG_ENOUGH)
    world.cycle()
    world.cycle()
    assert shown(world, found)["TotalAmt"] == 0
    settled(world)


def test_a_void_in_doubt_is_settled_although_algapsa_took_it_back(world: World) -> None:
    invoice = world.exported()
    found = world.quickbooks_id(invoice)
    world.do(invoices.bulk_cancel, [invoice.invoice_id])
    in_doubt(world, "void")
    with world.owner.begin() as connection:
        connection.execute(
            sa.text("UPDATE invoices SET status = 'sent' WHERE invoice_id = :id"),
            {"id": invoice.invoice_id},
        )

    world.cycle()

    assert open_operations(world) == [("void_document", "posting")]
    world.later(LONG_ENOUGH)
    world.cycle()
    world.cycle()
    assert (world.titles(), open_operations(world)) == ([], [])
    assert shown(world, found)["TotalAmt"] == 100


def test_a_refused_re_export_waits_without_calls_and_follows_once_there_is_room(
    world: World,
) -> None:
    invoice = world.exported()
    found = world.quickbooks_id(invoice)
    payment = world.pay((invoice, "80.00"))
    world.cycle()
    [item] = world.do(edits.charge_ids, invoice.invoice_id)
    world.do(edits.reprice_charge, invoice.invoice_id, item, 5_000)
    world.cycle()
    decide(world, CHANGED, Action.RE_EXPORT)
    world.cycle()
    assert open_operations(world) == [("update_document", "errored")]
    world.forget()

    world.cycle()

    assert world.metered() == 1
    world.quickbooks.delete(world.company.realm, "Payment", payment)
    world.cycle()
    assert shown(world, found)["TotalAmt"] == 50
    assert (world.titles(), open_operations(world)) == ([], [])


def test_a_refused_re_export_leaves_nothing_told_once_the_change_is_accepted(
    world: World,
) -> None:
    invoice = world.exported()
    world.pay((invoice, "80.00"))
    world.cycle()
    [item] = world.do(edits.charge_ids, invoice.invoice_id)
    world.do(edits.reprice_charge, invoice.invoice_id, item, 5_000)
    world.cycle()
    decide(world, CHANGED, Action.RE_EXPORT)
    world.cycle()
    assert EXPORT_FAILING in world.titles()

    decide(world, CHANGED, Action.ACCEPT)

    assert (world.titles(), open_operations(world)) == ([], [])
    settled(world)


def test_a_refused_void_waits_without_calls_and_ends_with_the_invoice(world: World) -> None:
    invoice = world.exported()
    found = world.quickbooks_id(invoice)
    world.do(invoices.bulk_cancel, [invoice.invoice_id])
    payment = world.pay((invoice, "40.00"))
    world.cycle()
    assert open_operations(world) == [("void_document", "errored")]
    world.forget()

    world.cycle()

    assert world.metered() == 1
    assert FAILING in world.titles()
    world.quickbooks.delete(world.company.realm, "Payment", payment)
    world.quickbooks.delete(world.company.realm, "Invoice", found)
    world.cycle()
    assert (world.titles(), open_operations(world)) == ([], [])


def test_a_held_re_export_ends_with_the_invoice_in_algapsa(world: World) -> None:
    invoice, found = renumbered(world)
    world.quickbooks.set(world.company.realm, book_close_date=world.today.isoformat())
    world.cycle()
    assert CLOSED in world.titles()

    world.do(invoices.delete_invoice, invoice.invoice_id, by_sql=True)
    world.cycle()

    assert open_operations(world) == []
    assert world.titles() == [DRIFT, DELETED]
    assert shown(world, found)["DocNumber"] == "X-1"
