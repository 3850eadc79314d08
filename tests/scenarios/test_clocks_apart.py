"""QuickBooks' clock ten minutes off ours, either way: nothing is missed and nothing made twice."""

from __future__ import annotations

from datetime import timedelta

import pytest

from tests.scenarios.conftest import World

LONG_ENOUGH = timedelta(minutes=3)
OFF = timedelta(minutes=10)
ORPHAN = "Sent to QuickBooks, but its arrival can't be confirmed"


@pytest.fixture(params=[-OFF, OFF], ids=["behind", "ahead"])
def apart(world: World, request: pytest.FixtureRequest) -> World:
    """A world whose QuickBooks has its own idea of the time."""
    world.quickbooks.advance(request.param)
    return world


def test_payments_and_their_changes_come_in_once(apart: World) -> None:
    invoice = apart.exported(10_000)
    payment = apart.pay((invoice, "60.00"))
    apart.cycle()
    assert apart.rows(invoice) == [6_000]

    apart.repay(payment, (invoice, "50.00"))
    for _ in range(2):
        apart.later(LONG_ENOUGH)
        assert apart.cycle().outcome == "succeeded"

    assert sum(apart.rows(invoice)) == 5_000
    assert len(apart.rows(invoice)) == 3
    assert apart.titles() == []


@pytest.mark.parametrize("effect", ["drop_before", "drop_after_commit"])
def test_an_invoice_without_an_answer_stands_once(apart: World, effect: str) -> None:
    apart.quickbooks.set(
        apart.company.realm, custom_txn_numbers=False, requestid_retention_seconds=60
    )
    first, lost = apart.exported(), apart.invoice(client=1)
    apart.quickbooks.fault(effect, realm=apart.company.realm, kind="create")
    apart.cycle()

    for _ in range(2):
        apart.later(LONG_ENOUGH)
        assert apart.cycle().outcome == "succeeded"

    assert len(apart.in_quickbooks(lost)) == 1
    assert apart.links() == {each.invoice_id: apart.quickbooks_id(each) for each in (first, lost)}
    assert apart.titles() == []


def test_a_lost_invoice_that_people_rewrote_is_known_by_when_it_was_made(apart: World) -> None:
    apart.quickbooks.set(apart.company.realm, requestid_retention_seconds=60)
    apart.cycle()
    lost = apart.invoice()
    apart.quickbooks.fault("drop_after_commit", realm=apart.company.realm, kind="create")
    apart.cycle()
    realm, line = apart.company.realm, {"Amount": 11, "DetailType": "SalesItemLineDetail"}
    line["SalesItemLineDetail"] = {"ItemRef": {"value": apart.company.item}}
    made = apart.quickbooks_id(lost)
    apart.quickbooks.edit(realm, "Invoice", made, DocNumber="X-7", Line=[line])
    apart.later(timedelta(hours=2))

    apart.cycle()

    assert [each["Id"] for each in apart.quickbooks.list(realm, "Invoice")] == [made]
    assert ORPHAN in apart.titles()
