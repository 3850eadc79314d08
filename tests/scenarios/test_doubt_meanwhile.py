"""What is sent once more is looked at right before: others are sent first, and that takes time."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import pytest

from qbo_sync_dagster.sync import posting

if TYPE_CHECKING:
    from collections.abc import Callable

SAME = "Same payment on both sides?"
TAKEN = "Already in QuickBooks"
LONG_ENOUGH = timedelta(minutes=3)


@pytest.fixture
def meanwhile(monkeypatch: pytest.MonkeyPatch) -> Callable[[Callable[[], object]], None]:
    """Have an act done once, after the first level that has something to send has sent it."""
    drain = posting._drain

    def arrange(act: Callable[[], object]) -> None:
        acts = [act]

        def drained(*args: Any) -> str | None:
            reason = drain(*args)
            if acts:
                acts.pop()()
            return reason

        monkeypatch.setattr(posting, "_drain", drained)

    return arrange


def test_a_payment_that_was_typed_meanwhile_is_not_sent_once_more(world, meanwhile) -> None:
    invoice = world.exported(10_000)
    world.record_in_algapsa(invoice, 4_000)
    world.quickbooks.fault("timeout_before", realm=world.company.realm, kind="create")
    world.cycle()
    world.later(LONG_ENOUGH)
    meanwhile(lambda: world.pay((invoice, "40.00")))

    world.cycle()
    world.cycle()

    found = world.quickbooks.list(world.company.realm, "Payment")
    assert [Decimal(str(each["TotalAmt"])) for each in found] == [40]
    assert world.rows(invoice) == [4_000]
    assert SAME in world.titles()


def test_an_invoice_that_was_typed_meanwhile_is_not_sent_once_more(world, meanwhile) -> None:
    world.quickbooks.set(world.company.realm, custom_txn_numbers=False)
    invoice = world.invoice(10_000)
    world.quickbooks.fault("timeout_before", realm=world.company.realm, kind="create")
    world.cycle()
    world.later(LONG_ENOUGH)
    customer = world.company.customers[world.clients[1]]
    item = (world.company.item, Decimal(100))
    meanwhile(
        lambda: world.quickbooks.invoice(
            world.company.realm, customer, [item], DocNumber=invoice.number
        )
    )

    world.cycle()
    world.cycle()

    assert len(world.in_quickbooks(invoice)) == 1
    assert world.titles() == [TAKEN]
