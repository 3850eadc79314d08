"""A connection that QuickBooks no longer accepts, and an AlgaPSA that must not be touched."""

from __future__ import annotations

from datetime import timedelta

import pytest

from qbo_sync_dagster.sandbox.algapsa import tenants
from qbo_sync_dagster.sync.outcome import CycleEnd, Stage

FAILED = "Accounting connection failed authentication"
NOT_READY = "AlgaPSA is not ready for the sync"


def _counts(world) -> dict[str, int]:
    return dict(world.quickbooks.call_counts(world.company.realm))


def _revoked(world) -> CycleEnd:
    """The cycle that finds the authorization revoked."""
    world.quickbooks.revoke_tokens(world.company.realm)
    return world.cycle()


def _reconnect(world) -> None:
    world.company.refresh_token = world.quickbooks.refresh_token(world.company.realm)
    world.connect(world.company)


def _state(world) -> str:
    [[state]] = world.in_ledger("SELECT state FROM connections")
    return str(state)


def test_a_revoked_authorization_aborts_keeps_the_cursor_and_is_told_once(world) -> None:
    paid = world.exported(10_000)
    world.pay((paid, "100.00"))
    unsent = world.invoice()
    cursor = world.cursor

    end = _revoked(world)

    assert end.outcome == "aborted"
    assert "connect" in end.sentence.lower()
    assert world.cursor == cursor
    assert world.titles() == [FAILED]
    assert world.rows(paid) == []
    assert world.in_quickbooks(unsent) == []
    assert _state(world) == "reconnect"


def test_no_call_is_made_until_the_company_is_connected_again(world) -> None:
    world.exported()
    _revoked(world)
    number = world.exception(FAILED).number
    world.forget()

    ends = [world.cycle() for _ in range(3)]

    assert {end.outcome for end in ends} == {"aborted"}
    assert "must be reconnected" in ends[0].sentence
    assert _counts(world) == {}
    assert [each.number for each in world.open()] == [number]


def test_an_aborted_cycle_still_shows_exceptions_and_health(world) -> None:
    world.quickbooks.revoke_tokens(world.company.realm)

    results, end = world.stages()

    assert end.outcome == "aborted"
    assert set(results) == {Stage.SYNC_EXCEPTIONS, Stage.SYNC_HEALTH}
    assert [each.title for each in results[Stage.SYNC_EXCEPTIONS].open] == [FAILED]


def test_connected_again_it_catches_up_on_both_sides(world) -> None:
    paid = world.exported(10_000)
    world.pay((paid, "100.00"))
    unsent = world.invoice()
    _revoked(world)
    world.later(timedelta(days=3))
    world.cycle()

    _reconnect(world)
    end = world.cycle()

    assert end.outcome == "succeeded", end.sentence
    assert world.rows(paid) == [10_000]
    assert len(world.in_quickbooks(unsent)) == 1
    assert world.titles() == []
    assert world.cursor > world.engine.now() - timedelta(minutes=1)


def test_a_refused_new_token_is_told_again_and_stays_one_exception(world) -> None:
    _revoked(world)
    world.connect(world.company, refresh_token="made-up")

    end = world.cycle()

    assert end.outcome == "aborted"
    assert world.titles() == [FAILED]


@pytest.mark.parametrize("kind", ["create", "batch"])
def test_revoked_between_the_poll_and_the_send_the_invoices_wait_without_fault(world, kind) -> None:
    books = [world.invoice(1_000 * n) for n in range(1, 2 if kind == "create" else 4)]
    events = world.events()
    for event in events:
        if getattr(event, "stage", None) is Stage.OUTBOUND_OPERATIONS:
            break
    world.quickbooks.revoke_tokens(world.company.realm)

    *_, end = events

    assert end.outcome == "aborted"
    assert world.titles() == [FAILED]
    assert set(world.operations().values()) == {"queued"}
    assert world.in_ledger("SELECT DISTINCT faults FROM operations") == [(0,)]
    _reconnect(world)
    assert world.cycle().outcome == "succeeded"
    assert sorted(world.links()) == sorted(each.invoice_id for each in books)
    assert world.titles() == []


def test_an_answer_lost_before_the_authorization_was_revoked_is_settled_afterwards(world) -> None:
    invoice = world.invoice()
    world.quickbooks.fault("drop_after_commit", realm=world.company.realm, kind="create")
    world.cycle()
    _revoked(world)
    assert world.operations() == {f"Invoice {invoice.number}": "posting"}
    world.later(timedelta(days=2))

    _reconnect(world)
    world.cycle()

    assert world.links() == {invoice.invoice_id: world.quickbooks_id(invoice)}
    assert world.titles() == []


def test_an_expired_access_token_is_renewed_within_the_cycle(world) -> None:
    world.exported()
    world.quickbooks.expire_access_tokens(world.company.realm)
    invoice = world.invoice()

    end = world.cycle()

    assert end.outcome == "succeeded", end.sentence
    assert len(world.in_quickbooks(invoice)) == 1


def test_tokens_rotate_through_many_cycles_and_a_restart(world) -> None:
    for _ in range(4):
        world.later(timedelta(hours=2))
        assert world.cycle().outcome == "succeeded"
    assert world.titles() == []


@pytest.mark.parametrize("effect", ["503", "500", "timeout_before", "502_html", "html_200"])
def test_a_sign_in_service_that_is_down_fails_the_cycle_and_asks_nobody_to_reconnect(
    world, effect
) -> None:
    world.exported()
    world.quickbooks.expire_access_tokens(world.company.realm)
    world.later(timedelta(hours=2))
    cursor = world.cursor
    world.quickbooks.fault(effect, kind="token", times=20, realm=world.company.realm)

    end = world.cycle()

    assert end.outcome == "failed"
    assert world.titles() == []
    assert world.cursor == cursor
    assert _state(world) == "connected"
    world.quickbooks.clear_faults()
    assert world.cycle().outcome == "succeeded"


def test_a_company_with_auto_sync_off_still_runs_when_asked(world) -> None:
    world.configure(auto_sync=False)
    invoice = world.invoice()

    end = world.cycle()

    assert end.outcome == "succeeded"
    assert len(world.in_quickbooks(invoice)) == 1


def _own_cycle(world) -> None:
    world.do(tenants.record_own_sync_cycle, world.company.realm, started_at=world.engine.now())


@pytest.mark.parametrize(
    ("stop", "cure"),
    [
        (lambda world: world.do(tenants.set_auto_sync, True), "turn off Auto-sync"),
        (_own_cycle, "sync"),
        (lambda world: world.do(tenants.suspend_tenant), "reactivate it there"),
    ],
    ids=["own sync on", "own sync ran", "suspended"],
)
def test_an_algapsa_that_is_not_ready_stops_the_company_before_any_call(world, stop, cure) -> None:
    paid = world.exported(10_000)
    world.pay((paid, "100.00"))
    world.invoice()
    cursor = world.cursor
    stop(world)
    world.forget()

    end = world.cycle()

    assert end.outcome == "failed"
    assert cure in end.sentence
    assert world.titles() == [NOT_READY]
    assert world.exception(NOT_READY).what_happened == end.sentence
    assert _counts(world) == {}
    assert world.rows(paid) == []
    assert world.cursor == cursor


def test_once_algapsas_own_sync_is_off_again_the_cycle_catches_up(world) -> None:
    world.do(tenants.set_auto_sync, True)
    invoice = world.invoice()
    world.cycle()

    world.do(tenants.set_auto_sync, False)
    end = world.cycle()

    assert end.outcome == "succeeded", end.sentence
    assert len(world.in_quickbooks(invoice)) == 1
    assert world.titles() == []


def test_pending_operations_of_algapsas_own_sync_stop_nothing(world) -> None:
    invoice = world.exported()
    world.do(tenants.queue_own_sync_operation, world.company.realm, invoice.invoice_id)

    assert world.cycle().outcome == "succeeded"
