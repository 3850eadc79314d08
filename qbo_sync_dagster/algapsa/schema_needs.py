"""What the gateway's statements need of AlgaPSA's schema and of our role in it.

AlgaPSA's migrations are many and hosted ones may differ, so columns are checked and no version.
"""

from __future__ import annotations

from collections.abc import Mapping

NEEDED_COLUMNS: Mapping[str, str] = {
    "tenants": "tenant suspended_at",
    "tenant_settings": "tenant settings",
    "clients": (
        "tenant client_id client_name billing_email payment_terms default_currency_code"
        " is_tax_exempt is_inactive"
    ),
    "client_billing_profiles": (
        "tenant client_id is_default billing_email payment_terms is_tax_exempt"
    ),
    "client_locations": (
        "tenant client_id location_id email is_billing_address is_default is_active"
    ),
    "invoices": (
        "tenant invoice_id invoice_number invoice_date due_date total_amount subtotal tax status"
        " client_id currency_code credit_applied finalized_at created_at updated_at invoice_type"
        " is_prepayment po_number exchange_rate_basis_points tax_source"
    ),
    "invoice_charges": (
        "tenant item_id invoice_id service_id description quantity unit_price net_amount"
        " tax_amount tax_region is_taxable is_discount created_at"
    ),
    "invoice_charge_details": (
        "tenant item_detail_id item_id service_id quantity service_period_start created_at"
    ),
    "invoice_charge_fixed_details": "tenant item_detail_id allocated_amount",
    "invoice_payments": (
        "tenant payment_id invoice_id amount payment_method payment_date reference_number notes"
        " status metadata created_at"
    ),
    "transactions": (
        "tenant transaction_id invoice_id client_id type amount status currency_code description"
        " reference_number related_transaction_id metadata created_at"
    ),
    "credit_tracking": "tenant transaction_id amount remaining_amount is_expired",
    "service_catalog": "tenant service_id service_name is_active",
    "tax_regions": "tenant region_code region_name",
    "tenant_external_entity_mappings": (
        "tenant integration_type alga_entity_type alga_entity_id external_entity_id"
        " external_realm_id sync_status last_synced_at metadata"
    ),
    "accounting_sync_cycles": "tenant adapter_type started_at",
    "accounting_sync_operations": "tenant adapter_type status",
    "prepaid_balance_alerts": "tenant replenishment_invoice_id",
}

# Enterprise alone has payment links; a table that is not there needs no grant.
READ_TABLES = (*NEEDED_COLUMNS, "invoice_payment_links")

# Table, privilege, and the column it is needed on if not the whole table.
NEEDED_GRANTS = (
    ("invoice_payments", "INSERT", None),
    ("transactions", "INSERT", None),
    ("invoices", "UPDATE", "status"),
    ("invoices", "UPDATE", "updated_at"),
    ("tenant_external_entity_mappings", "INSERT", None),
    ("tenant_external_entity_mappings", "DELETE", None),
)
