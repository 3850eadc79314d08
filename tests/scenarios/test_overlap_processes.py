"""Several processes on one company: one sleeps past its lease and wakes, others act meanwhile."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest
import sqlalchemy as sa

from qbo_sync_dagster.actions.cases import Choice
from qbo_sync_dagster.actions.resolving import Resolution, resolve
from qbo_sync_dagster.domain.catalogue import Action
from qbo_sync_dagster.sync.cycle import last_end, run_cycle
from tests.scenarios.conftest import World
from tests.scenarios.processes import Process, Processes, Work

LEASE_RUN_OUT = timedelta(minutes=6)
SEND = "qbo_sync_dagster.sync.sending._ask"
EXCHANGE = "qbo_sync_dagster.quickbooks.transport.Transport._exchange"
CHANGED = "Exported invoice was changed in QuickBooks"


def _cycle(world: World, trigger: str = "schedule") -> Work:
    realm = world.company.realm

    def work(engine: Any) -> tuple[str, str]:
        end = last_end(run_cycle(engine, realm, trigger=trigger))
        return str(end.outcome), end.sentence

    return work


@pytest.fixture
def processes(world: World) -> Iterator[Processes]:
    """Other processes on the world, gone when the test ends."""
    started = Processes(world)
    yield started
    started.end()


def _asleep(processes: Processes, before: str, **options: Any) -> Process:
    """A cycle in another process, asleep before this function."""
    found = processes.start(_cycle(processes.world), asleep_before=before, **options).wait()
    assert found.asleep, found.result()
    return found


def _taken_over(late: Process) -> None:
    """Awake, it finds that it lost the company, and says so."""
    outcome, sentence = late.result()
    assert outcome == "failed"
    assert "Another run has taken over" in sentence


def _in_step(world: World, *books: Any) -> None:
    found = world.quickbooks.list(world.company.realm, "Invoice")
    assert sorted(each["DocNumber"] for each in found) == sorted(each.number for each in books)
    assert world.links() == {each.invoice_id: world.quickbooks_id(each) for each in books}
    assert world.operations() == {}
    assert world.titles() == []


def test_one_that_slept_before_its_send_sends_nothing_once_its_lease_was_taken(
    world: World, processes: Processes
) -> None:
    books = [world.invoice(1_000 * n) for n in range(1, 3)]
    late = _asleep(processes, SEND)
    world.later(LEASE_RUN_OUT)
    assert world.cycle().outcome == "succeeded"
    _in_step(world, *books)
    world.forget()

    _taken_over(late)

    assert world.quickbooks.call_counts(world.company.realm) == {}
    _in_step(world, *books)


def test_a_send_that_slept_on_its_way_is_answered_like_the_one_that_went_instead(
    world: World, processes: Processes
) -> None:
    world.quickbooks.set(world.company.realm, custom_txn_numbers=False)
    invoice = world.invoice()
    late = _asleep(processes, EXCHANGE, when=lambda _, call, *__, **___: call.kind == "create")
    world.later(LEASE_RUN_OUT)
    assert world.cycle().outcome == "succeeded"
    world.forget()

    _taken_over(late)

    assert world.quickbooks.call_counts(world.company.realm) == {"create": 1}
    _in_step(world, invoice)


def test_one_that_slept_before_algapsas_payment_writes_nothing_once_its_lease_was_taken(
    world: World, processes: Processes
) -> None:
    invoice = world.exported(10_000)
    payment = world.pay((invoice, "100.00"))
    late = _asleep(processes, "qbo_sync_dagster.algapsa.payments_write.PaymentWriter.transaction")
    world.later(LEASE_RUN_OUT)
    world.quickbooks.delete(world.company.realm, "Payment", payment)
    world.cycle()
    assert world.rows(invoice) == []

    _taken_over(late)

    assert world.rows(invoice) == []
    assert world.state(invoice).status == "sent"


def test_one_that_slept_before_the_cursor_moved_moves_it_no_more(
    world: World, processes: Processes
) -> None:
    world.exported()
    late = _asleep(processes, "qbo_sync_dagster.sync.cycle.close_stood_twice")
    world.later(LEASE_RUN_OUT)
    world.cycle()
    world.configure(cursor=world.cursor - timedelta(days=1))
    cursor = world.cursor

    _taken_over(late)

    assert world.cursor == cursor


def test_while_one_cycle_is_under_way_the_others_do_nothing_and_staff_still_decide(
    world: World, processes: Processes
) -> None:
    drifted, realm = world.exported(), world.company.realm
    world.quickbooks.edit(realm, "Invoice", world.quickbooks_id(drifted), DocNumber="X-1")
    world.cycle()
    waiting = world.invoice(client=2)
    number = world.exception(CHANGED).number
    first = _asleep(processes, SEND)

    others = [processes.start(_cycle(world, each)) for each in ("sync now", "cli", "schedule")]
    act = processes.start(lambda engine: _accept(engine, number))
    ends = {each.result()[0] for each in others}
    act.result()
    outcome, _ = first.result()

    assert ends == {"skipped"}
    assert outcome == "succeeded"
    assert len(world.in_quickbooks(waiting)) == 1
    assert world.titles() == []


def _accept(engine: Any, number: int) -> str:
    return resolve(engine, Resolution(Action.ACCEPT, Choice(number, "staff", "as agreed")))


def test_cycles_that_start_at_one_moment_send_each_invoice_once(
    world: World, processes: Processes
) -> None:
    books = [world.invoice(1_000 * n) for n in range(1, 4)]
    starts = "qbo_sync_dagster.ledger.leases.take"
    started = [
        processes.start(_cycle(world, trigger), asleep_before=starts).wait()
        for trigger in ("schedule", "sync now", "cli")
    ]

    for each in started:
        each.wake()
    ends = [each.result()[0] for each in started]

    assert "succeeded" in ends
    assert set(ends) <= {"succeeded", "skipped"}
    _in_step(world, *books)


def test_two_processes_that_need_a_new_token_ask_intuit_once(
    world: World, processes: Processes
) -> None:
    world.cycle()
    realm = world.company.realm
    world.quickbooks.expire_access_tokens(realm)
    world.in_ledger("UPDATE connection_tokens SET access_expires_at = ledger_now()")
    world.forget()

    def token(engine: Any) -> str:
        return str(engine.tokens.access_token(realm))

    asking = "qbo_sync_dagster.quickbooks.oauth.post_as_app"
    first = processes.start(token, asleep_before=asking).wait()
    assert first.asleep
    second = processes.start(token)
    _until_it_waits_or_has_asked(world)
    assert world.quickbooks.call_counts(realm)["token"] == 0

    got = {first.result(), second.result()}

    assert len(got) == 1
    assert world.quickbooks.call_counts(realm)["token"] == 1
    assert world.cycle().outcome == "succeeded"


def _until_it_waits_or_has_asked(world: World) -> None:
    """Return once a session of this world's ledger waits for a lock, or a token was asked for."""
    waits = sa.text(
        "SELECT count(*) FROM pg_stat_activity"
        " WHERE datname = current_database() AND wait_event_type = 'Lock'"
    )
    while not world.quickbooks.call_counts(world.company.realm)["token"]:
        with world.engine.ledger.connect() as connection:
            if connection.execute(waits).scalar_one():
                return
