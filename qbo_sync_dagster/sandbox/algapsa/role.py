"""The least-privilege database role that an outside engine is given on AlgaPSA's database.

It reads what billing needs, appends payments and mappings, and may change nothing of a document
but its status. Without those limits a fault in the engine could rewrite somebody's invoices.
"""

from __future__ import annotations

import sqlalchemy as sa
from sqlalchemy import Connection

READ_TABLES = (
    "tenants",
    "tenant_settings",
    "clients",
    "client_locations",
    "client_billing_profiles",
    "contacts",
    "invoices",
    "invoice_charges",
    "invoice_charge_details",
    "invoice_charge_fixed_details",
    "invoice_payments",
    "transactions",
    "credit_tracking",
    "credit_allocations",
    "service_catalog",
    "service_types",
    "tax_rates",
    "tax_regions",
    "tax_components",
    "client_tax_rates",
    "client_tax_settings",
    "tenant_external_entity_mappings",
    "accounting_sync_cycles",
    "accounting_sync_operations",
    "accounting_export_batches",
    "accounting_export_lines",
    "accounting_export_errors",
    "prepaid_balance_alerts",
    "roles",
    "user_roles",
    "knex_migrations",
    "invoice_payment_links",
)

_OTHER_GRANTS = (
    ("SELECT (tenant, user_id, email, user_type, is_inactive)", "users"),
    ("UPDATE (status, updated_at)", "invoices"),
    ("INSERT", "invoice_payments"),
    ("INSERT", "transactions"),
    ("INSERT, DELETE", "tenant_external_entity_mappings"),
    (
        "UPDATE (external_entity_id, external_realm_id, sync_status, last_synced_at, metadata,"
        " updated_at)",
        "tenant_external_entity_mappings",
    ),
)

# Roles belong to the whole server, and test workers share one: a creation may meet another.
_CREATE_ROLE = """
DO $$ BEGIN
    CREATE ROLE {role} LOGIN PASSWORD {password};
EXCEPTION WHEN duplicate_object OR unique_violation THEN NULL;
END $$
"""


def create_role(dsn: str, role: str, password: str) -> str:
    """Create the role if needed, grant it what the edition has, and return the DSN to use it.

    An existing role keeps its password.
    """
    engine = sa.create_engine(dsn)
    with engine.begin() as connection:
        name = connection.dialect.identifier_preparer.quote_identifier(role)
        literal = "'" + password.replace("'", "''") + "'"
        connection.exec_driver_sql(_CREATE_ROLE.format(role=name, password=literal))
        _grant(connection, name)
    engine.dispose()
    url = sa.make_url(dsn).set(username=role, password=password)
    return url.render_as_string(hide_password=False)


def _grant(connection: Connection, role: str) -> None:
    present = set(sa.inspect(connection).get_table_names(schema="public"))
    connection.exec_driver_sql(f"GRANT USAGE ON SCHEMA public TO {role}")
    reading = [("SELECT", table) for table in READ_TABLES]
    for privilege, table in (*reading, *_OTHER_GRANTS):
        if table in present:
            connection.exec_driver_sql(f"GRANT {privilege} ON {table} TO {role}")
