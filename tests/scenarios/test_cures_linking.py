"""Exceptions that a link cures: the client's customer, or the invoice that both sides mean."""

from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING

import pytest

from qbo_sync_dagster.actions.errors import ActionRefusedError
from qbo_sync_dagster.domain.catalogue import CATALOGUE, Action, ExceptionKind
from qbo_sync_dagster.sandbox.algapsa import tenants
from tests.scenarios import credit_steps
from tests.scenarios.causes import CAUSES, customer
from tests.scenarios.deciding import decide

if TYPE_CHECKING:
    from tests.scenarios.conftest import World


def title(kind: ExceptionKind) -> str:
    return CATALOGUE[kind].title


def booked_by_hand(world: World, cents: int, client: int = 0) -> str:
    """The invoice that a bookkeeper entered in QuickBooks instead, under another number."""
    made = world.quickbooks.invoice(
        world.company.realm,
        customer(world, client),
        [(world.company.item, Decimal(cents) / 100)],
        DocNumber="BY-HAND",
        TxnDate=world.today.isoformat(),
    )
    return str(made["Id"])


def invoices_there(world: World) -> int:
    return len(world.quickbooks.list(world.company.realm, "Invoice"))


@pytest.mark.parametrize(
    ("kind", "cents"),
    [
        (ExceptionKind.EXPORT_FAILING, 10_000),
        (ExceptionKind.BEFORE_GO_LIVE, 10_000),
        (ExceptionKind.PREPAYMENT, 50_000),
    ],
    ids=str,
)
def test_an_invoice_that_was_booked_by_hand_is_linked_and_never_sent(
    world: World, kind: ExceptionKind, cents: int
) -> None:
    CAUSES[kind](world)
    found = booked_by_hand(world, cents)

    decide(world, title(kind), Action.LINK_INVOICE, found)
    world.cycle()
    world.quickbooks.clear_faults(world.company.realm)
    world.cycle()

    assert list(world.links().values()) == [found]
    assert title(kind) not in world.titles()
    assert invoices_there(world) == 1
    assert world.operations() == {}


def test_a_payment_of_an_invoice_that_is_linked_now_applies_itself(world: World) -> None:
    invoice = world.history()
    world.pay((invoice, "100.00"))
    world.cycle()

    decide(world, title(ExceptionKind.UNKNOWN_INVOICE), Action.LINK_INVOICE)
    world.cycle()

    assert world.links() == {invoice.invoice_id: world.quickbooks_id(invoice)}
    assert world.rows(invoice) == [10_000]
    assert world.titles() == []


def test_a_payment_whose_invoice_bears_another_number_here_is_linked_by_that(world: World) -> None:
    ours, theirs = world.history(), booked_by_hand(world, 10_000)
    world.quickbooks.record_payment(world.company.realm, customer(world), [(theirs, Decimal(100))])
    world.cycle()

    with pytest.raises(ActionRefusedError, match="no finalized invoice with the number 'BY-HAND'"):
        decide(world, title(ExceptionKind.UNKNOWN_INVOICE), Action.LINK_INVOICE)
    decide(world, title(ExceptionKind.UNKNOWN_INVOICE), Action.LINK_INVOICE, ours.number)
    world.cycle()

    assert world.links() == {ours.invoice_id: theirs}
    assert world.rows(ours) == [10_000]


def test_a_payment_is_pushed_to_the_invoice_that_was_booked_by_hand(world: World) -> None:
    CAUSES[ExceptionKind.PUSH_INVOICE_NOT_MAPPED](world)
    found = booked_by_hand(world, 10_000)
    clients = [("client", key, value) for key, value in world.company.customers.items()]

    decide(world, title(ExceptionKind.PUSH_INVOICE_NOT_MAPPED), Action.LINK_INVOICE, found)
    world.link(*clients)
    world.cycle()
    # It was there before the link, so that QuickBooks may have it in a way that nobody can tell.
    decide(world, title(ExceptionKind.HISTORY_PAYMENTS), Action.PUSH)
    world.cycle()

    [payment] = world.quickbooks.list(world.company.realm, "Payment")
    assert payment["Line"][0]["LinkedTxn"][0]["TxnId"] == found
    assert title(ExceptionKind.PUSH_INVOICE_NOT_MAPPED) not in world.titles()
    assert invoices_there(world) == 1


def test_credit_goes_to_the_memo_that_was_booked_by_hand(world: World) -> None:
    CAUSES[ExceptionKind.CREDIT_WAITING](world)
    memo = world.quickbooks.credit_memo(
        world.company.realm,
        customer(world),
        [(world.company.item, Decimal(30))],
        DocNumber="BY-HAND",
        TxnDate=world.today.isoformat(),
    )

    decide(world, title(ExceptionKind.CREDIT_WAITING), Action.LINK_INVOICE, str(memo["Id"]))
    for _ in range(2):
        world.cycle()

    assert list(world.links("credit_memo").values()) == [memo["Id"]]
    assert credit_steps.remaining(world) == [Decimal(0)]
    assert title(ExceptionKind.CREDIT_WAITING) not in world.titles()


def test_a_client_whose_customer_is_gone_is_linked_to_another_one(world: World) -> None:
    CAUSES[ExceptionKind.CUSTOMER_UNAVAILABLE](world)
    other = str(world.quickbooks.customer(world.company.realm, "Quarry Lane Group")["Id"])

    decide(world, title(ExceptionKind.CUSTOMER_UNAVAILABLE), Action.LINK_CLIENT, other)
    invoice = world.exported()

    [shown] = world.in_quickbooks(invoice)
    assert shown["CustomerRef"]["value"] == other
    assert world.titles() == []


def test_a_client_without_customer_is_linked_and_its_payment_pushed(world: World) -> None:
    CAUSES[ExceptionKind.PUSH_CUSTOMER_NOT_MAPPED](world)

    decide(
        world, title(ExceptionKind.PUSH_CUSTOMER_NOT_MAPPED), Action.LINK_CLIENT, customer(world)
    )
    world.cycle()

    assert len(world.quickbooks.list(world.company.realm, "Payment")) == 1
    assert world.titles() == []


def test_a_client_whose_customer_was_refused_is_linked_to_one_that_is_there(world: World) -> None:
    world.configure(create_customers=True)
    client = world.do(tenants.create_client, tenants.Client("Fir Street", email="ap@example.com"))
    world.clients.append(client)
    invoice = world.invoice(client=len(world.clients) - 1)
    realm = world.company.realm
    world.quickbooks.fault("fault:6000", realm=realm, kind="create", entity="Customer", times=99)
    world.cycle()
    there = str(world.quickbooks.customer(realm, "Fir Street Clinic")["Id"])
    told = next(each for each in world.open() if each.kind == ExceptionKind.EXPORT_FAILING)

    decide(world, told.number, Action.LINK_CLIENT, there)
    for _ in range(2):
        world.cycle()

    [shown] = world.in_quickbooks(invoice)
    assert shown["CustomerRef"]["value"] == there
    assert world.titles() == []
    assert world.operations() == {}


def test_a_line_that_staff_left_aside_applies_itself_once_its_invoice_is_linked(
    world: World,
) -> None:
    exported, later = world.exported(10_000), world.history(6_000)
    by_hand = world.quickbooks_id(later)
    world.quickbooks.edit(world.company.realm, "Invoice", by_hand, DocNumber="BY-HAND")
    parts = [(world.quickbooks_id(exported), Decimal(20)), (by_hand, Decimal(30))]
    world.quickbooks.record_payment(world.company.realm, customer(world, 0), parts)
    world.receive()
    decide(world, title(ExceptionKind.UNKNOWN_INVOICE), Action.NOT_FROM_ALGAPSA)
    world.receive()
    assert (world.rows(exported), world.rows(later)) == ([2_000], [])

    world.link(("invoice", later.invoice_id, by_hand))
    world.receive()

    assert (world.rows(exported), world.rows(later)) == ([2_000], [3_000])
    assert world.titles() == []
    assert set(world.changes().values()) == {"applied"}
    assert world.receive().payments_applied == 0
