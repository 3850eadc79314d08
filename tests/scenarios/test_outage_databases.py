"""Databases that are down, locked or full: nothing is lost or doubled, and no record is blamed."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from typing import Any

import psycopg2
import pytest
import sqlalchemy as sa

from qbo_sync_dagster.ledger.errors import LedgerUnreachableError
from qbo_sync_dagster.sandbox.postgres import EmbeddedServer
from qbo_sync_dagster.sync import sending
from tests.scenarios.conftest import World

LEASE_RUN_OUT = timedelta(minutes=6)
FULL = """
CREATE FUNCTION full_disk() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN RAISE EXCEPTION 'could not extend file: No space left on device' USING ERRCODE = '53100';
END $$;
CREATE TRIGGER full_disk BEFORE INSERT ON {table} EXECUTE FUNCTION full_disk()
"""
NOT_FULL = "DROP FUNCTION full_disk CASCADE"

Outage = Callable[[sa.Engine], Any]


@pytest.fixture
def down(postgres_server: EmbeddedServer) -> Outage:
    """`with down(engine):` nobody reaches that database, and who was in it is thrown out."""

    @contextmanager
    def down(engine: sa.Engine) -> Iterator[None]:
        name = str(engine.url.database)
        maintenance = psycopg2.connect(postgres_server.dsn("postgres"))
        maintenance.autocommit = True
        with maintenance.cursor() as cursor:
            cursor.execute(f'ALTER DATABASE "{name}" ALLOW_CONNECTIONS false')
            out = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = %s"
            cursor.execute(out, (name,))
            try:
                yield
            finally:
                cursor.execute(f'ALTER DATABASE "{name}" ALLOW_CONNECTIONS true')
                maintenance.close()

    return down


@contextmanager
def _full(engine: sa.Engine, table: str) -> Iterator[None]:
    """No row more fits into the table."""
    with engine.begin() as connection:
        connection.execute(sa.text(FULL.format(table=table)))
    yield
    with engine.begin() as connection:
        connection.execute(sa.text(NOT_FULL))


def _in_step(world: World, *books: Any) -> None:
    found = world.quickbooks.list(world.company.realm, "Invoice")
    assert sorted(each["DocNumber"] for each in found) == sorted(each.number for each in books)
    assert world.links() == {each.invoice_id: world.quickbooks_id(each) for each in books}
    assert world.operations() == {}
    assert world.titles() == []


def _no_fault_counted(world: World) -> None:
    assert world.in_ledger("SELECT DISTINCT faults FROM operations") == [(0,)]


def test_algapsa_down_fails_each_cycle_blames_nothing_and_is_caught_up_with(
    world: World, down: Outage
) -> None:
    paid = world.exported(10_000)
    world.pay((paid, "100.00"))
    waiting = world.invoice(client=1)
    cursor = world.cursor
    world.forget()
    with down(world.owner):
        for _ in range(3):
            end = world.cycle()
            assert end.outcome == "failed"
            assert "AlgaPSA" in end.sentence
            assert len(world.open()) == 1

    assert world.quickbooks.call_counts(world.company.realm) == {}
    assert world.cursor == cursor
    world.owner.dispose()
    world.cycle()

    assert world.rows(paid) == [10_000]
    _in_step(world, paid, waiting)
    _no_fault_counted(world)


@pytest.mark.parametrize("when", ["before", "after"])
def test_a_ledger_that_goes_down_around_a_send_leaves_one_invoice_and_no_blame(
    world: World, down: Outage, monkeypatch: pytest.MonkeyPatch, when: str
) -> None:
    books = [world.invoice(1_000 * n) for n in range(1, 3)]
    ask, url = sending._ask, world.engine.ledger

    def goes_down(*args: Any) -> Any:
        answers = ask(*args) if when == "after" else None
        outage = down(url)
        outage.__enter__()
        outages.append(outage)
        return answers or ask(*args)

    outages: list[Any] = []
    with monkeypatch.context() as patch:
        patch.setattr(sending, "_ask", goes_down)
        with pytest.raises(LedgerUnreachableError, match="ledger's database"):
            world.cycle()
    [outage] = outages
    outage.__exit__(None, None, None)
    assert len(world.quickbooks.list(world.company.realm, "Invoice")) == (
        2 if when == "after" else 0
    )
    world.later(LEASE_RUN_OUT)

    end = world.cycle()

    assert end.outcome == "succeeded", end.sentence
    _in_step(world, *books)
    _no_fault_counted(world)


def test_a_ledger_that_is_down_says_so_in_a_sentence_before_anything_is_asked(
    world: World, down: Outage
) -> None:
    world.forget()
    with down(world.engine.ledger), pytest.raises(LedgerUnreachableError, match="Check that it"):
        world.cycle()

    assert world.quickbooks.call_counts(world.company.realm) == {}


@pytest.mark.parametrize("table", ["postings", "links"])
def test_a_full_disk_of_the_ledger_stops_the_cycle_and_costs_no_record_anything(
    world: World, table: str
) -> None:
    books = [world.invoice(1_000 * n) for n in range(1, 3)]

    with _full(world.engine.ledger, table):
        end = world.cycle()

    assert end.outcome == "failed"
    assert "No space left" in end.sentence
    assert world.titles() == []
    world.later(LEASE_RUN_OUT)
    end = world.cycle()
    assert end.outcome == "succeeded", end.sentence
    _in_step(world, *books)
    _no_fault_counted(world)


def test_a_full_disk_of_algapsa_keeps_payments_waiting_under_no_exception(world: World) -> None:
    books = [world.exported(10_000) for _ in range(2)]
    for each in books:
        world.pay((each, "100.00"))
    cursor = world.cursor

    with _full(world.owner, "invoice_payments"):
        end = world.cycle()

    assert end.outcome == "failed"
    assert "No space left" in end.sentence
    assert world.titles() == []
    assert world.cursor == cursor
    world.receive()
    assert [world.rows(each) for each in books] == [[10_000], [10_000]]
