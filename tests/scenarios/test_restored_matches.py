"""A ledger restored from before a match: what was followed since is neither pushed nor doubled."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

from qbo_sync_dagster.domain.catalogue import Action
from tests.scenarios.deciding import decide


def _forget_payments(world, cursor: datetime) -> None:
    """The ledger forgets all payments, as a backup from before the first of them would."""
    for table in ("postings", "operations", "inbound_changes", "exceptions", "decisions"):
        world.in_ledger(f"DELETE FROM {table}")
    world.in_ledger("DELETE FROM links WHERE kind = 'payment'")
    world.configure(cursor=cursor)


def _followed(world, change) -> tuple[Any, str, datetime]:
    """(invoice, payment, backup): 40.00 on both sides that were matched after the backup, changed
    in QuickBooks, and followed in AlgaPSA."""
    invoice = world.exported(10_000)
    world.cycle()
    backup = world.cursor
    world.record_in_algapsa(invoice, 4_000)
    payment = world.pay((invoice, "40.00"))
    world.cycle()
    decide(world, "Same payment on both sides?", Action.MATCH)
    world.cycle()
    change(invoice, payment)
    world.cycle()
    decide(world, "Applied payment was changed outside the sync", Action.APPLY)
    world.cycle()
    assert world.titles() == []
    world.later(timedelta(days=2))
    return invoice, payment, backup


def test_a_payment_whose_deletion_was_followed_after_the_backup_is_not_pushed(world) -> None:
    invoice, _, backup = _followed(
        world, lambda _, payment: world.quickbooks.delete(world.company.realm, "Payment", payment)
    )
    assert world.rows(invoice) == [4_000, -4_000]
    _forget_payments(world, backup)

    for _ in range(3):
        assert world.cycle().outcome == "succeeded"

    assert world.quickbooks.list(world.company.realm, "Payment") == []
    assert world.rows(invoice) == [4_000, -4_000]
    assert world.operations() == {}
    assert world.titles() == []
    world.pay((invoice, "40.00"))
    world.cycle()
    assert world.rows(invoice) == [4_000, -4_000, 4_000]
    assert world.titles() == []


def test_a_payment_whose_change_was_followed_after_the_backup_is_neither_pushed_nor_doubled(
    world,
) -> None:
    invoice, _, backup = _followed(
        world, lambda invoice, payment: world.repay(payment, (invoice, "30.00"))
    )
    rows = [4_000, -4_000, 3_000]
    assert world.rows(invoice) == rows
    before = world.stands()
    _forget_payments(world, backup)

    for _ in range(3):
        assert world.cycle().outcome == "succeeded"

    assert world.stands() == before
    assert world.rows(invoice) == rows
    assert world.operations() == {}
    assert world.titles() == []
