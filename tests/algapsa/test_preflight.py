"""Preflight: each obstacle is one sentence with a cure, and a healthy AlgaPSA has none."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
import sqlalchemy as sa

from qbo_sync_dagster.algapsa.errors import AlgaPsaUnreachableError
from qbo_sync_dagster.algapsa.gateway import AlgaPsa
from qbo_sync_dagster.algapsa.preflight import PreflightCode, PreflightProblem
from qbo_sync_dagster.sandbox.algapsa import tenants

from .conftest import TIME_ZONE, Msp


def now() -> datetime:
    return datetime.now(UTC)


def one(problems: tuple[PreflightProblem, ...]) -> PreflightProblem:
    [problem] = problems
    return problem


def test_healthy_algapsa_has_no_problem(msp: Msp) -> None:
    assert msp.gateway.preflight(now()) == ()


def test_own_sync_of_algapsa_stops_the_cycle(msp: Msp) -> None:
    msp.do(tenants.set_auto_sync, True)
    problem = one(msp.gateway.preflight(now()))
    assert (problem.code, problem.is_fatal) == (PreflightCode.OWN_SYNC_ENABLED, True)
    assert "twice" in problem.message
    msp.do(tenants.set_auto_sync, False)
    assert msp.gateway.preflight(now()) == ()


def test_own_cycle_of_the_last_day_stops_the_cycle_and_an_older_one_does_not(msp: Msp) -> None:
    before = now() - timedelta(hours=25)
    msp.do(tenants.record_own_sync_cycle, "9341453", started_at=before)
    assert msp.gateway.preflight(now()) == ()
    msp.do(tenants.record_own_sync_cycle, "9341453", started_at=now() - timedelta(hours=23))
    problem = one(msp.gateway.preflight(now()))
    assert (problem.code, problem.is_fatal) == (PreflightCode.OWN_SYNC_RAN, True)


def test_own_pending_operations_only_warn(msp: Msp) -> None:
    msp.do(tenants.queue_own_sync_operation, "9341453", msp.final())
    problem = one(msp.gateway.preflight(now()))
    assert (problem.code, problem.is_fatal) == (PreflightCode.OWN_OPERATIONS_PENDING, False)
    assert "1 operation" in problem.message


def test_suspended_tenant_stops_the_cycle(msp: Msp) -> None:
    msp.do(tenants.suspend_tenant)
    assert one(msp.gateway.preflight(now())).code is PreflightCode.SUSPENDED_TENANT


@pytest.mark.parametrize("tenant", ["2b0c7a4e-5f0f-4c8f-9f53-0a1f3f0a9c11", "not a tenant id"])
def test_unknown_tenant_is_named(msp: Msp, tenant: str) -> None:
    problem = one(AlgaPsa(msp.role, tenant, TIME_ZONE).preflight(now()))
    assert problem.code is PreflightCode.UNKNOWN_TENANT
    assert tenant in problem.message


def test_clocks_more_than_five_minutes_apart_stop_the_cycle(msp: Msp) -> None:
    assert msp.gateway.preflight(now() + timedelta(minutes=4)) == ()
    problem = one(msp.gateway.preflight(now() - timedelta(minutes=9)))
    assert (problem.code, problem.is_fatal) == (PreflightCode.CLOCK_SKEW, True)


def test_missing_column_is_named(msp: Msp) -> None:
    msp.execute("ALTER TABLE invoices RENAME po_number TO purchase_order")
    problem = one(msp.gateway.preflight(now()))
    assert problem.code is PreflightCode.MISSING_COLUMNS
    assert "invoices.po_number" in problem.message


@pytest.mark.parametrize(
    ("statement", "named"),
    [
        ("REVOKE INSERT ON invoice_payments FROM qbo_sync", "INSERT on invoice_payments"),
        ("REVOKE UPDATE (status) ON invoices FROM qbo_sync", "UPDATE on invoices (status)"),
        (
            "REVOKE DELETE ON tenant_external_entity_mappings FROM qbo_sync",
            "DELETE on tenant_external_entity_mappings",
        ),
    ],
)
def test_missing_grant_is_named(msp: Msp, statement: str, named: str) -> None:
    msp.execute(statement)
    problem = one(msp.gateway.preflight(now()))
    assert problem.code is PreflightCode.MISSING_GRANTS
    assert named in problem.message


def test_table_that_may_not_be_read_is_named(msp: Msp) -> None:
    msp.execute("REVOKE SELECT ON prepaid_balance_alerts FROM qbo_sync")
    problem = one(msp.gateway.preflight(now()))
    assert "prepaid_balance_alerts" in problem.message


def test_unreachable_database_says_what_to_check_and_no_password() -> None:
    engine = sa.create_engine("postgresql://qbo_sync:hidden-word@127.0.0.1:1/algapsa")
    gateway = AlgaPsa(engine, "2b0c7a4e-5f0f-4c8f-9f53-0a1f3f0a9c11", TIME_ZONE)
    with pytest.raises(AlgaPsaUnreachableError, match="ALGAPSA_DATABASE_URL") as caught:
        gateway.clients()
    assert "hidden-word" not in str(caught.value)
