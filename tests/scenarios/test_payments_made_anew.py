"""Deleted payments that staff have made again, and what comes in between."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

import pytest

from qbo_sync_dagster.domain.catalogue import Action
from qbo_sync_dagster.sandbox.algapsa import payments
from tests.scenarios.credit_steps import settled
from tests.scenarios.deciding import closed, decide

if TYPE_CHECKING:
    from tests.scenarios.conftest import Books, World

DRIFT = "Applied payment was changed outside the sync"
FAILING = "Payment push keeps failing in accounting"
ORPHAN = "Sent to QuickBooks, but its arrival can't be confirmed"
LONG_ENOUGH = timedelta(minutes=3)


@pytest.fixture
def deleted(world: World) -> tuple[Books, str, str]:
    """(invoice, row, payment): 40.00 that was pushed and that QuickBooks' people deleted."""
    invoice = world.exported(10_000)
    row = world.record_in_algapsa(invoice, 4_000)
    world.cycle()
    payment = world.links("payment")[row]
    world.quickbooks.delete(world.company.realm, "Payment", payment)
    world.cycle()
    return invoice, row, payment


def test_taken_back_in_algapsa_before_it_was_made_again_it_is_settled(
    world: World, deleted: tuple[Books, str, str]
) -> None:
    _, row, _ = deleted
    decide(world, DRIFT, Action.RE_EXPORT)
    world.do(payments.reverse_payment, row)

    world.cycle()

    assert world.quickbooks.list(world.company.realm, "Payment") == []
    assert world.titles() == []
    assert closed(world, DRIFT) == ("resolved", "sync")
    settled(world)


@pytest.mark.parametrize("action", [Action.ACCEPT, Action.DISMISS])
def test_its_deletion_can_still_be_decided_once_making_it_again_was_given_up(
    world: World, deleted: tuple[Books, str, str], action: Action
) -> None:
    _, row, _ = deleted
    world.configure(deposit_account="999")
    decide(world, DRIFT, Action.RE_EXPORT)
    world.cycle()
    decide(world, FAILING, Action.DISMISS)
    world.configure(deposit_account=None)

    decide(world, DRIFT, action)
    world.cycle()

    assert world.quickbooks.list(world.company.realm, "Payment") == []
    assert world.titles() == []
    [(state, accepted)] = world.in_ledger(
        "SELECT state, accepted_minor FROM links WHERE kind = 'payment' AND algapsa_id = :row",
        row=row,
    )
    wanted = {Action.ACCEPT: ("accepted", 4_000), Action.DISMISS: ("live", 0)}
    assert (state, accepted) == wanted[action]
    settled(world)


def test_it_is_made_again_although_its_first_arrival_was_dismissed_as_unclear(world: World) -> None:
    realm = world.company.realm
    world.record_in_algapsa(world.exported(10_000), 4_000)
    world.quickbooks.fault("timeout_after_commit", realm=realm, kind="create", entity="Payment")
    world.cycle()
    [first] = world.quickbooks.list(realm, "Payment")
    world.quickbooks.edit(realm, "Payment", first["Id"], PrivateNote="by hand")
    world.later(LONG_ENOUGH)
    world.cycle()
    decide(world, ORPHAN, Action.DISMISS)
    world.quickbooks.edit(realm, "Payment", first["Id"], PrivateNote=first["PrivateNote"])
    world.cycle()
    assert list(world.links("payment").values()) == [first["Id"]]
    world.quickbooks.delete(realm, "Payment", first["Id"])
    world.cycle()

    decide(world, DRIFT, Action.RE_EXPORT)
    world.cycle()

    [again] = world.quickbooks.list(realm, "Payment")
    assert again["Id"] != first["Id"]
    assert list(world.links("payment").values()) == [again["Id"]]
    assert world.titles() == []
    settled(world)
