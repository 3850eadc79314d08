"""The life of a connection: refused while staff connect it again, disconnected, about to lapse."""

from __future__ import annotations

import pytest

from qbo_sync_dagster.quickbooks.errors import ConnectionDeadError
from qbo_sync_dagster.sandbox.algapsa import tenants
from qbo_sync_dagster.sync.cycle import realm_health

FAILED = "Accounting connection failed authentication"


def _state(world) -> str:
    [[state]] = world.in_ledger("SELECT state FROM connections")
    return str(state)


def _when_refused(world, monkeypatch, act) -> None:
    """Do something between QuickBooks' refusal and what the cycle makes of it."""
    ask = world.engine.tokens.access_token

    def access_token(*args: object, **options: object):
        try:
            return ask(*args, **options)
        except ConnectionDeadError:
            act()
            raise

    monkeypatch.setattr(world.engine.tokens, "access_token", access_token)


def test_connected_again_while_a_cycle_aborts_the_company_stays_connected(
    world, monkeypatch
) -> None:
    invoice = world.invoice()
    world.quickbooks.revoke_tokens(world.company.realm)
    fresh = world.quickbooks.refresh_token(world.company.realm)
    _when_refused(world, monkeypatch, lambda: world.connect(world.company, refresh_token=fresh))

    end = world.cycle()

    assert end.outcome == "aborted"
    assert "was connected again" in end.sentence
    assert _state(world) == "connected"
    assert world.titles() == []
    monkeypatch.undo()
    assert world.cycle().outcome == "succeeded"
    assert len(world.in_quickbooks(invoice)) == 1


def test_disconnected_while_a_cycle_aborts_the_company_stays_disconnected(
    world, monkeypatch
) -> None:
    world.quickbooks.revoke_tokens(world.company.realm)
    _when_refused(world, monkeypatch, lambda: world.configure(state="disconnected"))

    world.cycle()

    assert _state(world) == "disconnected"
    assert world.titles() == []


def test_wrong_credentials_of_the_app_need_no_new_consent(world) -> None:
    world.settings(client_secret="another")

    end = world.cycle()

    assert end.outcome == "aborted"
    assert "QBO_CLIENT_SECRET" in end.sentence
    assert world.titles() == [FAILED]
    world.settings(client_secret="sandbox-secret")
    assert world.cycle().outcome == "succeeded"
    assert world.titles() == []


@pytest.mark.parametrize(
    ("state", "cure"),
    [("reconnect", "must be reconnected"), ("disconnected", "is disconnected")],
)
def test_a_company_that_is_not_connected_says_how_to_connect_it(world, state, cure) -> None:
    world.configure(state=state)
    world.forget()

    end = world.cycle()

    assert end.outcome == "aborted"
    assert cure in end.sentence
    assert "connections reconnect" in end.sentence
    assert world.quickbooks.calls(world.company.realm) == []


def test_operations_queued_in_algapsas_own_sync_are_warned_of_in_sync_health(world) -> None:
    invoice = world.exported()
    assert realm_health(world.engine, world.company.realm).warnings == ()
    world.do(tenants.queue_own_sync_operation, world.company.realm, invoice.invoice_id)

    assert world.cycle().outcome == "succeeded"

    [warning] = realm_health(world.engine, world.company.realm).warnings
    assert "disconnect QuickBooks in AlgaPSA" in warning
