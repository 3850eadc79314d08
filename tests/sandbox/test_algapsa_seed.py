"""The seeded provider repeats, adds up and is as old as it says."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Iterator
from datetime import date

import pytest
import sqlalchemy as sa
from sqlalchemy import Engine

from qbo_sync_dagster.sandbox.algapsa import reading, schema, seed
from qbo_sync_dagster.sandbox.algapsa.rows import fetch

TODAY = date(2026, 11, 22)
DAYS = (TODAY, date(2026, 11, 1), date(2026, 12, 31), date(2027, 1, 3), date(2028, 2, 29))


@pytest.fixture
def engine(fresh_database: Callable[..., str]) -> Iterator[Engine]:
    engine = sa.create_engine(fresh_database())
    schema.create_schema(engine, "community")
    yield engine
    engine.dispose()


def write(engine: Engine, plan: seed.ProviderPlan) -> None:
    with engine.begin() as connection:
        seed.write_provider(connection, plan)


def test_the_plan_repeats_for_one_seed_and_differs_for_another() -> None:
    assert seed.plan_provider(TODAY) == seed.plan_provider(TODAY)
    assert seed.plan_provider(TODAY) != seed.plan_provider(TODAY, seed=21)


@pytest.mark.parametrize("today", DAYS)
def test_history_lies_before_go_live_and_the_current_month_does_not(today: date) -> None:
    plan = seed.plan_provider(today)
    assert len(plan.clients) == 40
    assert all(each.draft.invoice_date < plan.go_live for each in plan.history)
    assert all(plan.go_live <= each.draft.invoice_date <= today for each in plan.current)
    assert sum(each.finalized for each in plan.current) == 30


@pytest.mark.parametrize("today", DAYS)
def test_payments_lie_before_go_live_and_never_exceed_their_invoice(today: date) -> None:
    plan = seed.plan_provider(today)
    paid: dict[str, int] = defaultdict(int)
    for payment in plan.payments:
        assert payment.paid_on < plan.go_live  # type: ignore[operator]
        paid[payment.invoice_id] += payment.amount
    totals = {each.id: each.total for each in plan.history if not each.voided}
    assert all(0 < amount <= totals[invoice] for invoice, amount in paid.items())
    assert sum(1 for invoice, total in totals.items() if total > paid[invoice]) > 20


def test_the_months_hold_every_kind_of_line() -> None:
    charges = [c for each in seed.plan_provider(TODAY).history for c in each.draft.charges]
    assert any(charge.parts and charge.tax for charge in charges)
    assert any(charge.is_discount for charge in charges)
    assert any(charge.is_manual and charge.service_id is None for charge in charges)
    assert {charge.tax_region for charge in charges} == {None, "US-WA", "US-ID"}


def test_the_same_rows_are_written_twice(
    engine: Engine, fresh_database: Callable[..., str]
) -> None:
    plan = seed.plan_provider(TODAY)
    write(engine, plan)
    other = sa.create_engine(fresh_database())
    schema.create_schema(other, "enterprise")
    write(other, plan)
    for table, key in (
        ("invoices", "invoice_id, invoice_number, total_amount, status"),
        ("invoice_charges", "item_id, net_amount, tax_amount"),
        ("invoice_charge_details", "item_detail_id"),
        ("invoice_payments", "payment_id, amount, payment_date, created_at"),
        ("transactions", "transaction_id, amount"),
        ("credit_tracking", "credit_id"),
        ("clients", "client_id, client_name"),
    ):
        statement = f"SELECT {key} FROM {table} ORDER BY {key}"
        with engine.connect() as one, other.connect() as two:
            rows = fetch(one, statement)
            assert rows
            assert rows == fetch(two, statement), table
    other.dispose()


def test_what_stands_is_what_was_planned(engine: Engine) -> None:
    plan = seed.plan_provider(TODAY)
    write(engine, plan)
    states = {s.invoice_id: s for s in reading.invoice_states(engine, plan.tenant)}
    planned = {each.id: each for each in (*plan.history, *plan.current)}
    assert {key: state.total for key, state in states.items()} == {
        key: each.total for key, each in planned.items()
    }
    counted = Counter((state.type, state.status) for state in states.values())
    assert counted["credit_note", "sent"] == 6
    assert counted["standard", "draft"] == 5
    assert counted["standard", "cancelled"] == 1
    assert counted["standard", "partially_applied"] > 0
    assert counted["standard", "paid"] > 300


def test_every_invoice_equals_the_sum_of_its_charges(engine: Engine) -> None:
    write(engine, seed.plan_provider(TODAY))
    statement = """
        SELECT i.invoice_number FROM invoices i JOIN invoice_charges c USING (tenant, invoice_id)
        GROUP BY i.tenant, i.invoice_id
        HAVING i.total_amount <> sum(c.net_amount) + sum(c.tax_amount)
            OR i.subtotal <> sum(c.net_amount) OR i.tax <> sum(c.tax_amount)
            OR i.total_amount <> sum(c.total_price)
    """
    with engine.connect() as connection:
        assert fetch(connection, statement) == []
