"""The demo AlgaPSA has the tables of a migrated AlgaPSA, and a role that may do little to them."""

from __future__ import annotations

import re
import uuid
from collections.abc import Callable

import pytest
import sqlalchemy as sa
from sqlalchemy.exc import IntegrityError, ProgrammingError

from qbo_sync_dagster.sandbox.algapsa import schema
from qbo_sync_dagster.sandbox.algapsa.schema import Edition
from tests.databases import as_engine_role

EDITIONS: tuple[Edition, ...] = ("community", "enterprise")
COLUMNS = """
    SELECT c.relname, a.attname, format_type(a.atttypid, a.atttypmod), NOT a.attnotnull,
        COALESCE(pg_get_expr(d.adbin, d.adrelid), '')
    FROM pg_class c
    JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0
    LEFT JOIN pg_attrdef d ON d.adrelid = c.oid AND d.adnum = a.attnum
    WHERE c.relkind = 'r' AND c.relnamespace = 'public'::regnamespace
"""
CONSTRAINTS = """
    SELECT conrelid::regclass::text, contype::text, pg_get_constraintdef(oid) FROM pg_constraint
    WHERE connamespace = 'public'::regnamespace AND contype <> 'n'
"""
KINDS = {"p": "primary key", "u": "unique", "c": "check", "f": "foreign key"}


@pytest.fixture(params=EDITIONS)
def edition(request: pytest.FixtureRequest) -> Edition:
    return request.param


@pytest.fixture
def dsn(edition: Edition, fresh_database: Callable[..., str]) -> str:
    return fresh_database(edition)


def run(dsn: str, *statements: str) -> list[tuple[object, ...]]:
    engine = sa.create_engine(dsn, poolclass=sa.NullPool)
    with engine.begin() as connection:
        for statement in statements:
            result = connection.exec_driver_sql(statement)
        return [tuple(row) for row in result] if result.returns_rows else []


def without_casts(definition: object) -> str:
    """PostgreSQL versions print the same check with its casts in different places."""
    return re.sub(r"::(character varying|text)(\[\])?|[()]", "", str(definition))


def test_every_column_has_the_type_null_and_default_of_the_catalogue(
    dsn: str, edition: Edition
) -> None:
    wanted = {
        (each.table, each.name, each.type, each.nullable, each.default)
        for each in schema.columns(edition)
    }
    assert set(run(dsn, COLUMNS)) == wanted


def test_every_constraint_of_the_catalogue_stands(dsn: str, edition: Edition) -> None:
    standing = sorted((t, KINDS[k], without_casts(d)) for t, k, d in run(dsn, CONSTRAINTS))
    wanted = sorted(
        (each.table, each.kind, without_casts(each.definition))
        for each in schema.constraints(edition)
        if each.kind != "unique index"
    )
    assert standing == wanted


def test_every_unique_index_of_the_catalogue_stands(dsn: str, edition: Edition) -> None:
    rows = run(dsn, "SELECT tablename, indexdef FROM pg_indexes WHERE schemaname = 'public'")
    standing = [(table, definition.split(" USING ")[1]) for table, definition in rows]
    for each in schema.constraints(edition):
        if each.kind == "unique index":
            assert (each.table, each.definition) in standing


def test_only_enterprise_has_payment_links_and_webhook_events(dsn: str, edition: Edition) -> None:
    [[probe]] = run(dsn, "SELECT to_regclass('public.payment_webhook_events') IS NOT NULL")
    assert probe is (edition == "enterprise")


def test_the_editions_key_payments_differently() -> None:
    keys = {
        edition: [
            each.definition
            for each in schema.constraints(edition)
            if (each.table, each.kind) == ("invoice_payments", "primary key")
        ]
        for edition in EDITIONS
    }
    assert keys == {
        "community": ["PRIMARY KEY (tenant, payment_id)"],
        "enterprise": ["PRIMARY KEY (payment_id)"],
    }


def test_only_foreign_keys_to_tables_outside_the_catalogue_are_left_out() -> None:
    tables = {each.table for each in schema.columns("enterprise")}
    kept = set(schema.constraints("enterprise"))
    every = [
        schema.Constraint(*fields)
        for fields in schema._catalogue("constraints.psv", "enterprise", 3)
    ]
    left_out = [each for each in every if each not in kept]
    assert left_out
    assert all(
        each.kind == "foreign key" and schema._referenced(each) not in tables for each in left_out
    )


def test_an_invoice_number_is_used_once_per_tenant(dsn: str) -> None:
    tenant, client = uuid.uuid4(), uuid.uuid4()
    insert = (
        "INSERT INTO invoices (tenant, invoice_number, invoice_date, due_date, total_amount,"
        f" status, client_id) VALUES ('{tenant}', 'INV-1', now(), now(), 1, 'draft', '{client}')"
    )
    setup = (
        f"INSERT INTO tenants (tenant, client_name, email) VALUES ('{tenant}', 'Mill', 'a@b')",
        "INSERT INTO clients (tenant, client_id, client_name)"
        f" VALUES ('{tenant}', '{client}', 'Quarry')",
    )
    run(dsn, *setup, insert)
    with pytest.raises(IntegrityError, match="invoice_number"):
        run(dsn, insert)


@pytest.fixture
def role_dsn(dsn: str) -> str:
    return as_engine_role(dsn)


@pytest.mark.parametrize(
    "statement",
    [
        "SELECT * FROM invoices, invoice_charges, invoice_payments, transactions, clients",
        "SELECT tenant, user_id, email, user_type, is_inactive FROM users",
        "UPDATE invoices SET status = 'paid', updated_at = now()",
        "INSERT INTO invoice_payments (tenant, invoice_id, amount)"
        " SELECT tenant, invoice_id, 1 FROM invoices",
        "INSERT INTO transactions (tenant, type) SELECT tenant, 'payment' FROM invoices",
        "DELETE FROM tenant_external_entity_mappings",
        "UPDATE tenant_external_entity_mappings SET sync_status = 'synced'",
        "SELECT * FROM invoices FOR UPDATE",
    ],
)
def test_the_role_may_do_what_the_engine_needs(role_dsn: str, statement: str) -> None:
    run(role_dsn, statement)


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE invoices SET total_amount = 0",
        "UPDATE invoices SET credit_applied = 0",
        "DELETE FROM invoice_payments",
        "UPDATE invoice_payments SET amount = 0",
        "DELETE FROM invoices",
        "UPDATE credit_tracking SET remaining_amount = 0",
        "UPDATE clients SET client_name = 'x'",
        "SELECT hashed_password FROM users",
        "SELECT * FROM users",
        "UPDATE invoices SET invoice_number = 'X'",
        "UPDATE invoices SET finalized_at = NULL",
        "INSERT INTO invoices (tenant) SELECT tenant FROM tenants",
        "DELETE FROM transactions",
        "UPDATE transactions SET amount = 0",
        "TRUNCATE invoice_payments",
        "DELETE FROM invoice_charges",
        "INSERT INTO credit_allocations SELECT * FROM credit_allocations",
        "UPDATE tenant_settings SET settings = '{}'",
        "UPDATE tenant_external_entity_mappings SET alga_entity_id = 'x'",
        "UPDATE accounting_sync_operations SET status = 'done'",
        "CREATE TABLE ours (id int)",
    ],
)
def test_the_role_may_do_nothing_else(role_dsn: str, statement: str) -> None:
    with pytest.raises(ProgrammingError, match="permission denied"):
        run(role_dsn, statement)
