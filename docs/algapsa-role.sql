-- The database role that the sync uses in AlgaPSA. Run it once with psql, as the owner of
-- AlgaPSA's database, in that database; running it again is safe. Then give the role a password:
--     ALTER ROLE qbo_sync PASSWORD '...';
--
-- It reads what billing needs, adds payments and mappings, and may change nothing of an invoice
-- but its status.
\set ON_ERROR_STOP on

DO $$ BEGIN
    IF NOT EXISTS (SELECT 1 FROM pg_roles WHERE rolname = 'qbo_sync') THEN
        CREATE ROLE qbo_sync LOGIN;
    END IF;
END $$;

GRANT USAGE ON SCHEMA public TO qbo_sync;

GRANT SELECT ON
    tenants, tenant_settings,
    clients, client_locations, client_billing_profiles, contacts,
    invoices, invoice_charges, invoice_charge_details, invoice_charge_fixed_details,
    invoice_payments, transactions, credit_tracking, credit_allocations,
    service_catalog, service_types,
    tax_rates, tax_regions, tax_components, client_tax_rates, client_tax_settings,
    tenant_external_entity_mappings,
    accounting_sync_cycles, accounting_sync_operations,
    accounting_export_batches, accounting_export_lines, accounting_export_errors,
    prepaid_balance_alerts, roles, user_roles, knex_migrations
TO qbo_sync;
GRANT SELECT (tenant, user_id, email, user_type, is_inactive) ON users TO qbo_sync;

GRANT UPDATE (status, updated_at) ON invoices TO qbo_sync;
GRANT INSERT ON invoice_payments, transactions TO qbo_sync;

-- Which invoices are in QuickBooks, so that AlgaPSA does not let them be reopened or deleted. The
-- sync writes and deletes only rows that it made itself.
GRANT INSERT, DELETE ON tenant_external_entity_mappings TO qbo_sync;
GRANT UPDATE (
    external_entity_id, external_realm_id, sync_status, last_synced_at, metadata, updated_at
) ON tenant_external_entity_mappings TO qbo_sync;

-- Online payment links, where the edition has them.
DO $$ BEGIN
    IF to_regclass('public.invoice_payment_links') IS NOT NULL THEN
        GRANT SELECT ON invoice_payment_links TO qbo_sync;
    END IF;
END $$;
