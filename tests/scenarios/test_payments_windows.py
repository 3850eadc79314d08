"""Payments in when one change poll cannot tell everything: too many changes, or too long ago."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal

from qbo_sync_dagster.sync.outcome import Stage

UNKNOWN = "QuickBooks payment references an unknown invoice"


def cent(customer: str, invoice: str) -> dict[str, object]:
    """A payment of one cent, to be seeded."""
    line = {
        "Amount": Decimal("0.01"),
        "LinkedTxn": [{"TxnId": invoice, "TxnType": "Invoice"}],
    }
    body = {"CustomerRef": {"value": customer}, "TotalAmt": Decimal("0.01"), "Line": [line]}
    return {"entity": "Payment", "body": body}


def test_fifteen_hundred_payments_in_one_window(world) -> None:
    realm, quickbooks = world.company.realm, world.quickbooks
    books = [world.invoice(10_000) for _ in range(10)]
    world.cycle()
    deleted = world.pay((books[0], "30.00"))
    voided = world.pay((books[1], "30.00"))
    world.receive()
    quickbooks.delete(realm, "Payment", deleted)
    quickbooks.void(realm, "Payment", voided)
    stranger = str(quickbooks.customer(realm, "Walk-in sales")["Id"])
    sales = [quickbooks.invoice(realm, stranger, [(world.company.item, 80)]) for _ in range(35)]
    quickbooks.seed(realm, [cent(stranger, sale["Id"]) for sale in sales for _ in range(40)])
    customer = world.company.customers[world.clients[0]]
    ours = [world.quickbooks_id(each) for each in books]
    quickbooks.seed(realm, [cent(customer, invoice) for invoice in ours for _ in range(10)])

    results, end = world.stages()

    assert end.outcome == "succeeded", end.sentence
    assert results[Stage.INBOUND_CHANGES].sweep == "more changes than one answer holds"
    applied = results[Stage.APPLIED_CHANGES]
    assert (applied.payments_applied, applied.payments_reversed) == (102, 2)
    assert list(world.changes().values()).count("foreign") == 1_400
    assert [world.state(each).paid for each in books] == [10] * 10
    assert world.titles() == []
    assert world.receive().rows_written == 0


def test_a_cursor_forty_days_old_catches_up_with_everything_that_happened(world) -> None:
    books = [world.invoice(10_000) for _ in range(6)]
    world.cycle()
    kept, edited, voided, deleted, unapplied, orphaned = (
        world.pay((each, "100.00")) for each in books
    )
    world.receive()
    unlinked = world.history(5_000)
    waiting = world.pay((unlinked, "50.00"))
    world.receive()
    assert world.titles() == [UNKNOWN]

    realm, quickbooks = world.company.realm, world.quickbooks
    world.repay(edited, (books[1], "40.00"))
    quickbooks.void(realm, "Payment", voided)
    quickbooks.delete(realm, "Payment", deleted)
    quickbooks.unapply(realm, unapplied)
    quickbooks.delete(realm, "Invoice", world.quickbooks_id(books[5]))
    quickbooks.delete(realm, "Payment", orphaned)
    quickbooks.delete(realm, "Payment", waiting)
    new = world.pay((books[1], "60.00"))
    world.later(timedelta(days=40))

    results, end = world.stages()

    assert end.outcome == "succeeded", end.sentence
    assert results[Stage.INBOUND_CHANGES].sweep == "the last poll was 40 days ago"
    assert [world.state(each).paid for each in books] == [10_000, 10_000, 0, 0, 0, 0]
    assert world.changes()[kept, 0] == "applied"
    assert world.changes()[new, 0] == "applied"
    assert world.changes()[waiting, -1] in {"applied", "known", "foreign"}
    assert world.titles() == ["Exported invoice was voided or deleted in QuickBooks"]
    world.forget()
    assert world.receive().rows_written == 0
    assert world.metered() == 1


def test_a_payment_deleted_unseen_is_found_by_the_sweep(world, spoil) -> None:
    invoice = world.exported(10_000)
    payment = world.pay((invoice, "100.00"))
    world.receive()
    world.quickbooks.delete(world.company.realm, "Payment", payment)
    # As if the deletion had not touched the invoice's time of change.
    spoil("Invoice", world.quickbooks_id(invoice), at="2026-01-01")
    world.later(timedelta(days=40))

    world.receive()

    assert world.rows(invoice) == [10_000, -10_000]
    assert world.titles() == []
