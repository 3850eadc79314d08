"""The ledger's clock: one for all, and movable by tests through the DSN alone."""

from __future__ import annotations

from datetime import UTC, timedelta
from decimal import Decimal

import pytest
import sqlalchemy as sa

from qbo_sync_dagster.ledger import cycles, inbox
from qbo_sync_dagster.ledger.engine import LedgerClock, create_ledger_engine, ledger_now

from .conftest import Ledger


def test_ledger_times_follow_the_offset_of_the_session(ledger: Ledger) -> None:
    ahead = ledger.on_clock(timedelta(days=40))
    with ahead.begin() as connection:
        started = cycles.start(
            connection,
            ledger.realm,
            epoch=1,
            trigger="test",
            run_id=None,
            cursor=ledger_now(connection),
        ).started_at
        database_now = connection.execute(sa.text("SELECT now()")).scalar_one()
    ahead.dispose()

    assert started - database_now == timedelta(days=40)


def test_the_engines_clock_agrees_with_stored_times(ledger: Ledger) -> None:
    ahead = ledger.on_clock(timedelta(days=40))
    clock = LedgerClock(ahead)
    before, here, after = clock.server_now(), clock.now(), clock.server_now()
    ahead.dispose()

    assert before <= here - timedelta(days=40) <= after


def test_instants_come_back_in_utc(ledger: Ledger) -> None:
    assert LedgerClock(ledger.engine).now().tzinfo == UTC


def test_an_amount_in_a_payload_comes_back_exact(ledger: Ledger) -> None:
    payload = {"TotalAmt": Decimal("12345678901.10"), "Line": [{"Amount": Decimal("0.1")}]}
    with ledger.begin() as connection:
        inbox.receive(
            connection,
            ledger.realm,
            [inbox.Delivered("Payment", "7", 0, False, None, payload)],
        )
        [stored] = inbox.unsettled(connection, ledger.realm, "Payment")

    assert stored.payload == payload
    assert isinstance(stored.payload["TotalAmt"], Decimal)


def test_the_short_form_of_a_postgresql_address_works(ledger: Ledger) -> None:
    engine = create_ledger_engine(ledger.url.replace("postgresql://", "postgres://"))

    assert LedgerClock(engine).now()
    engine.dispose()


def test_a_failed_statement_tells_nothing_of_what_it_carried(ledger: Ledger) -> None:
    nobody = inbox.Delivered("Payment", "7", 0, False, None, {"Name": "Quarry Lane Dental"})

    with pytest.raises(sa.exc.IntegrityError) as caught, ledger.begin() as connection:
        inbox.receive(connection, "no such company", [nobody])
    assert "Quarry Lane" not in str(caught.value)


def test_a_connection_that_the_server_closed_while_it_rested_is_replaced(
    ledger: Ledger, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("qbo_sync_dagster.ledger.engine._REST_SECONDS", 0.0)
    ahead = ledger.on_clock(timedelta(0))
    with ahead.connect() as connection:
        session = connection.execute(sa.text("SELECT pg_backend_pid()")).scalar_one()
    with ledger.begin() as connection:
        connection.execute(sa.text("SELECT pg_terminate_backend(:pid, 5000)"), {"pid": session})

    with ahead.connect() as connection:
        renewed = connection.execute(sa.text("SELECT pg_backend_pid()")).scalar_one()
    ahead.dispose()

    assert renewed != session
