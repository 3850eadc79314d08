"""Decisions about documents that each kind offers, carried through to both books."""

from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING

import pytest

from qbo_sync_dagster.domain.catalogue import CATALOGUE, Action, ExceptionKind
from qbo_sync_dagster.sandbox.algapsa import edits, payments
from tests.scenarios.causes import CAUSES
from tests.scenarios.deciding import decide

if TYPE_CHECKING:
    from tests.scenarios.conftest import World


def title(kind: ExceptionKind) -> str:
    return CATALOGUE[kind].title


def the_invoice(world: World) -> dict[str, object]:
    """QuickBooks' only invoice."""
    [found] = world.quickbooks.list(world.company.realm, "Invoice")
    return found


def is_voided(world: World) -> bool:
    found = the_invoice(world)
    return "Voided" in str(found.get("PrivateNote")) and not Decimal(str(found["TotalAmt"]))


def rests(world: World) -> None:
    """Nothing is open, nothing waits, and another cycle changes nothing."""
    before = world.stands()
    world.cycle()
    assert world.stands() == before
    assert (world.titles(), world.operations()) == ([], {})


@pytest.mark.parametrize(
    "kind",
    [
        ExceptionKind.CHANGED_IN_ALGAPSA,
        ExceptionKind.REOPENED_IN_ALGAPSA,
        ExceptionKind.DELETED_IN_ALGAPSA,
        ExceptionKind.VOIDED_IN_ALGAPSA,
    ],
    ids=str,
)
def test_what_algapsa_no_longer_stands_for_is_voided_there(
    world: World, kind: ExceptionKind
) -> None:
    CAUSES[kind](world)

    decide(world, title(kind), Action.VOID)
    world.cycle()

    assert is_voided(world)
    if kind is not ExceptionKind.CHANGED_IN_ALGAPSA:
        rests(world)


@pytest.mark.parametrize(
    "kind",
    [
        ExceptionKind.DELETED_IN_ALGAPSA,
        ExceptionKind.VOIDED_IN_ALGAPSA,
        ExceptionKind.VOID_FAILING,
    ],
    ids=str,
)
def test_quickbooks_keeps_what_staff_accept(world: World, kind: ExceptionKind) -> None:
    CAUSES[kind](world)

    decide(world, title(kind), Action.ACCEPT)
    world.cycle()

    assert not is_voided(world)
    assert world.in_ledger("SELECT state, accepted_minor FROM links WHERE kind = 'invoice'") == [
        ("accepted", 10_000)
    ]
    rests(world)


def test_an_accepted_total_lets_the_payments_in(world: World) -> None:
    CAUSES[ExceptionKind.TOTAL_DIFFERENCE](world)
    found = the_invoice(world)
    world.quickbooks.record_payment(
        world.company.realm,
        found["CustomerRef"]["value"],  # type: ignore[index]
        [(str(found["Id"]), Decimal("108.25"))],
    )
    world.cycle()
    assert world.titles() == [title(ExceptionKind.TOTAL_DIFFERENCE)]

    decide(world, title(ExceptionKind.TOTAL_DIFFERENCE), Action.ACCEPT)
    world.cycle()

    with world.owner.connect() as connection:
        rows = connection.exec_driver_sql("SELECT amount FROM invoice_payments").scalars().all()
    assert rows == [10_800]
    rests(world)


@pytest.mark.parametrize(
    "kind", [ExceptionKind.PREPAID_REPLENISHMENT, ExceptionKind.ALREADY_SETTLED], ids=str
)
def test_the_payment_that_algapsa_recorded_itself_is_matched(
    world: World, kind: ExceptionKind
) -> None:
    invoice = world.exported()
    if kind is ExceptionKind.PREPAID_REPLENISHMENT:
        world.do(edits.await_replenishment, world.clients[0], invoice.invoice_id)
        payment = world.pay((invoice, "100.00"))
        world.cycle()
        own = world.do(
            payments.record_payment, payments.Payment(invoice.invoice_id, 10_000, world.today)
        )
    else:
        own = world.record_in_algapsa(invoice, 10_000)
        payment = world.pay((invoice, "100.00"))
        world.cycle()

    decide(world, title(kind), Action.MATCH, own)
    world.cycle()

    assert world.links("payment") == {own: payment}
    assert world.rows(invoice) == [10_000]
    rests(world)
