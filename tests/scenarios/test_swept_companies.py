"""The nightly sweep: what it finds of one company keeps nobody from looking at the next, and what
stands as it was applied is not taken for lost."""

from __future__ import annotations

import pytest

from qbo_sync_dagster.domain.catalogue import Action
from qbo_sync_dagster.ledger import audit
from qbo_sync_dagster.sync.auditing import verify_logs
from qbo_sync_dagster.sync.sweeping import sweep_companies
from tests.scenarios.conftest import NAMES, World, build_company
from tests.scenarios.deciding import decide

SAME = "Same payment on both sides?"
DRIFT = "Applied payment was changed outside the sync"


@pytest.fixture
def realms(world: World) -> list[str]:
    """Two companies, in the order in which they are swept."""
    second = build_company(world.quickbooks, world.clients, NAMES)
    world.connect(second, company_name="Cedar Ridge Labs")
    return sorted([world.company.realm, second.realm])


def test_no_session_waits_on_the_ledger_while_a_company_is_looked_at(
    world: World, realms: list[str]
) -> None:
    # PostgreSQL ends one that sleeps within a transaction, and with it the sweep of all others.
    held = {
        each.realm: world.engine.ledger.pool.checkedout()
        for each in verify_logs(world.engine.ledger)
    }

    assert held == dict.fromkeys(realms, 0)


def test_a_company_that_meets_an_unexpected_fault_is_told_and_stops_no_other(
    world: World, realms: list[str]
) -> None:
    first, second = realms
    with world.engine.ledger.begin() as connection:
        senseless = audit.Effect("algapsa", "apply payment", "payment:7", after={})
        audit.append(connection, first, [senseless])

    swept = {each.audited.realm: each for each in sweep_companies(world.engine)}

    assert set(swept) == set(realms)
    assert "unexpected fault (KeyError)" in str(swept[first].problem)
    assert swept[second].problem is None


def planned_anew(world: World) -> int:
    """How many payments a sweep of the one company has planned anew."""
    [swept] = sweep_companies(world.engine)
    assert swept.problem is None
    return swept.planned_again


def logged(world: World) -> int:
    """How often a payment was written down as applied or reversed."""
    effects = "SELECT count(*) FROM audit_log WHERE effect IN ('apply payment', 'reverse payment')"
    [(count,)] = world.in_ledger(effects)
    return int(count)


def in_algapsa(world: World, statement: str) -> None:
    """A statement on AlgaPSA's database behind everybody's back."""
    with world.owner.begin() as connection:
        connection.exec_driver_sql(statement)


def lose_ours(world: World) -> None:
    """AlgaPSA shows none of the rows that were written for QuickBooks' payments any more."""
    in_algapsa(world, "DELETE FROM invoice_payments WHERE payment_method = 'quickbooks'")
    in_algapsa(world, "DELETE FROM transactions WHERE type LIKE 'payment%%'")


def is_sound(world: World) -> None:
    """Two nights find nothing to do, and the cycles between them log nothing."""
    before = logged(world)
    for _ in range(2):
        assert planned_anew(world) == 0
        assert world.cycle().outcome == "succeeded"
    assert (logged(world), world.titles()) == (before, [])


def test_a_payment_matched_on_one_invoice_and_applied_on_another_is_not_lost(world: World) -> None:
    first, second = world.exported(10_000), world.exported(20_000)
    world.record_in_algapsa(first, 4_000)
    world.pay((first, "40.00"), (second, "25.00"))
    world.cycle()
    decide(world, SAME, Action.MATCH)
    world.cycle()
    assert (world.rows(first), world.rows(second)) == ([4_000], [2_500])

    is_sound(world)

    lose_ours(world)
    assert planned_anew(world) == 1
    world.cycle()
    assert (world.rows(first), world.rows(second)) == ([4_000], [2_500])
    is_sound(world)


@pytest.mark.parametrize("amount", ["30.00", None])
def test_a_matched_payment_that_algapsa_followed_is_not_lost(
    world: World, amount: str | None
) -> None:
    invoice = world.exported(10_000)
    world.record_in_algapsa(invoice, 4_000)
    payment = world.pay((invoice, "40.00"))
    world.cycle()
    decide(world, SAME, Action.MATCH)
    world.cycle()
    if amount:
        world.repay(payment, (invoice, amount))
    else:
        world.quickbooks.delete(world.company.realm, "Payment", payment)
    world.cycle()
    decide(world, DRIFT, Action.APPLY)
    world.cycle()
    assert world.rows(invoice) == ([4_000, -4_000, 3_000] if amount else [4_000, -4_000])

    is_sound(world)


def test_a_lost_payment_that_was_entered_again_and_matched_is_not_lost_any_more(
    world: World,
) -> None:
    invoice = world.exported(10_000)
    world.pay((invoice, "40.00"))
    world.cycle()
    lose_ours(world)
    world.record_in_algapsa(invoice, 4_000)
    assert planned_anew(world) == 1
    world.cycle()
    decide(world, SAME, Action.MATCH)
    world.cycle()
    assert world.rows(invoice) == [4_000]

    is_sound(world)


def test_a_payment_that_is_back_before_the_next_cycle_is_not_logged_a_second_time(
    world: World,
) -> None:
    invoice = world.exported(10_000)
    world.pay((invoice, "40.00"))
    world.cycle()
    in_algapsa(world, "UPDATE invoice_payments SET metadata = jsonb_build_object('kept', metadata)")
    assert planned_anew(world) == 1
    in_algapsa(world, "UPDATE invoice_payments SET metadata = metadata->'kept'")

    world.cycle()

    assert world.rows(invoice) == [4_000]
    assert logged(world) == 1
    assert planned_anew(world) == 0
