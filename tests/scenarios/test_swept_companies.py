"""The nightly sweep over companies: what it finds of one keeps nobody from looking at the next."""

from __future__ import annotations

import pytest

from qbo_sync_dagster.ledger import audit
from qbo_sync_dagster.sync.auditing import verify_logs
from qbo_sync_dagster.sync.sweeping import sweep_companies
from tests.scenarios.conftest import NAMES, World, build_company


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
