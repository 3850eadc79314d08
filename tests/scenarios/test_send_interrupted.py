"""What stops a cycle in the middle of sending: nothing goes out after it, and nothing is blamed."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
import sqlalchemy as sa

from qbo_sync_dagster.ledger import leases
from qbo_sync_dagster.sandbox.algapsa import tenants
from qbo_sync_dagster.sync import sending
from qbo_sync_dagster.sync.outcome import Stage

FAILED = "Accounting connection failed authentication"
LONG_ENOUGH = timedelta(minutes=3)


def _fault(world, effect: str, **options: Any) -> None:
    world.quickbooks.fault(effect, realm=world.company.realm, **options)


def _until_queued(world, **options: Any):
    """The rest of a cycle that has queued what is to be sent, and sent nothing yet."""
    events = world.events(**options)
    for event in events:
        if getattr(event, "stage", None) is Stage.OUTBOUND_OPERATIONS:
            return events
    raise AssertionError("nothing was queued")


def _right_before_the_send(monkeypatch: pytest.MonkeyPatch, act: Any) -> None:
    ask = sending._ask

    def acted_first(*args: Any) -> Any:
        act()
        return ask(*args)

    monkeypatch.setattr(sending, "_ask", acted_first)


def _writes(world) -> int:
    calls = world.quickbooks.calls(world.company.realm)
    return sum(call.kind in {"create", "batch"} for call in calls)


def _faults(world) -> list[tuple[Any, ...]]:
    return world.in_ledger("SELECT DISTINCT faults FROM operations")


def test_no_write_is_tried_once_the_poll_found_the_authorization_revoked(world) -> None:
    world.exported()
    world.invoice()
    world.quickbooks.revoke_tokens(world.company.realm)
    world.forget()

    end = world.cycle()

    assert end.outcome == "aborted"
    assert _writes(world) == 0


def test_revoked_at_the_moment_of_sending_the_cycle_aborts_and_the_invoice_waits(
    world, monkeypatch
) -> None:
    invoice = world.invoice()

    with monkeypatch.context() as patch:
        _right_before_the_send(patch, lambda: world.quickbooks.revoke_tokens(world.company.realm))
        end = world.cycle()

    assert end.outcome == "aborted"
    assert world.titles() == [FAILED]
    assert world.operations() == {f"Invoice {invoice.number}": "queued"}
    assert _faults(world) == [(0,)]


def test_a_sign_in_service_that_fails_at_the_moment_of_sending_leaves_no_doubt(
    world, monkeypatch
) -> None:
    invoice = world.invoice()

    def no_token() -> None:
        world.quickbooks.expire_access_tokens(world.company.realm)
        _fault(world, "503", kind="token", times=20)

    with monkeypatch.context() as patch:
        _right_before_the_send(patch, no_token)
        world.cycle()

    assert world.operations() == {f"Invoice {invoice.number}": "queued"}
    assert _faults(world) == [(0,)]
    world.quickbooks.clear_faults()
    world.cycle()
    assert len(world.in_quickbooks(invoice)) == 1


def test_a_throttled_item_of_a_batch_waits_without_a_fault(world) -> None:
    books = [world.invoice(1_000 * n) for n in range(1, 4)]
    _fault(world, "fault:3001", kind="create", match=books[1].number)

    world.cycle()

    assert world.operations() == {f"Invoice {books[1].number}": "queued"}
    assert _faults(world) == [(0,)]
    world.cycle()
    assert [len(world.in_quickbooks(each)) for each in books] == [1, 1, 1]


def test_an_item_missing_in_a_batchs_answer_is_in_doubt_and_not_queued_again(world) -> None:
    books = [world.invoice(1_000 * n) for n in range(1, 4)]
    _fault(world, "omit_item", kind="create", match=books[1].number)

    world.cycle()

    assert world.operations() == {f"Invoice {books[1].number}": "posting"}


def test_after_a_send_without_an_answer_no_other_is_sent_in_that_cycle(world) -> None:
    world.settings(batches=False)
    books = [world.invoice(1_000 * n) for n in range(1, 4)]
    _fault(world, "drop_before", kind="create", times=9)
    world.forget()

    world.cycle()

    assert _writes(world) == 1
    states = sorted(world.operations().values())
    assert states == ["posting", "queued", "queued"]
    world.quickbooks.clear_faults()
    world.later(LONG_ENOUGH)
    world.cycle()
    assert [len(world.in_quickbooks(each)) for each in books] == [1, 1, 1]


def test_a_repeat_without_an_answer_does_not_hold_back_the_next_repeat(world) -> None:
    world.settings(batches=False)
    books = []
    for client in (0, 1):
        books.append(world.invoice(client=client))
        _fault(world, "drop_before", kind="create")
        world.cycle()
    world.later(LONG_ENOUGH)
    _fault(world, "drop_before", kind="create")

    world.cycle()

    assert sum(len(world.in_quickbooks(each)) for each in books) == 1


def test_a_failed_poll_creates_no_customer(world) -> None:
    world.exported()
    world.configure(create_customers=True)
    world.clients.append(world.do(tenants.create_client, tenants.Client("Fir Street Clinic")))
    waiting = world.invoice(client=len(world.clients) - 1)
    known = world.invoice(client=1)
    _fault(world, "503", kind="cdc", times=9)

    end = world.cycle()

    assert end.outcome == "failed"
    assert len(world.in_quickbooks(known)) == 1
    names = [item["DisplayName"] for item in world.quickbooks.list(world.company.realm, "Customer")]
    assert "Fir Street Clinic" not in names
    world.quickbooks.clear_faults()
    world.cycle()
    assert len(world.in_quickbooks(waiting)) == 1


def test_a_run_that_was_taken_over_tells_algapsa_of_no_link(world) -> None:
    company = world.company
    invoice = world.invoice(8_000)
    customer = company.customers[world.clients[0]]
    theirs = world.quickbooks.invoice(company.realm, customer, [(company.item, "80.00")])
    world.link(("invoice", invoice.invoice_id, str(theirs["Id"])))
    late = _until_queued(world, run_id="late run")
    taken = leases.take(world.engine.ledger, company.realm, "next", parent_holder="late run")
    assert taken

    *_, end = late

    assert end.outcome == "failed"
    with world.owner.connect() as connection:
        count = sa.text("SELECT count(*) FROM tenant_external_entity_mappings")
        assert connection.execute(count).scalar_one() == 0
