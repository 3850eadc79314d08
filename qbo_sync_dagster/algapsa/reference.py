"""What documents refer to: the tenant's clients, services and tax regions, as whole lists."""

from __future__ import annotations

from qbo_sync_dagster.algapsa.sql import Source
from qbo_sync_dagster.domain.algapsa_records import Client, Service, TaxRegion

# The client's default billing profile overrides what the client says of itself.
_CLIENTS = """
    SELECT c.client_id::text, c.client_name,
        COALESCE(NULLIF(p.billing_email, ''), NULLIF(c.billing_email, ''), NULLIF(l.email, '')),
        COALESCE(NULLIF(p.payment_terms, ''), NULLIF(c.payment_terms, ''), 'net_30'),
        c.default_currency_code, COALESCE(p.is_tax_exempt, c.is_tax_exempt),
        COALESCE(c.is_inactive, false)
    FROM clients c
    LEFT JOIN client_billing_profiles p
        ON p.tenant = c.tenant AND p.client_id = c.client_id AND p.is_default
    LEFT JOIN LATERAL (
        SELECT email FROM client_locations
        WHERE tenant = c.tenant AND client_id = c.client_id AND COALESCE(is_active, true)
        ORDER BY is_billing_address DESC NULLS LAST, is_default DESC NULLS LAST, location_id
        LIMIT 1
    ) l ON true
    WHERE c.tenant = :tenant
    ORDER BY c.client_name, c.client_id
"""
_SERVICES = """
    SELECT service_id::text, service_name, is_active FROM service_catalog
    WHERE tenant = :tenant ORDER BY service_name, service_id
"""
_TAX_REGIONS = """
    SELECT region_code, region_name FROM tax_regions
    WHERE tenant = :tenant ORDER BY region_code
"""


def clients(source: Source) -> list[Client]:
    """Every client of the tenant, by name."""
    return [Client(*row) for row in source.fetch(_CLIENTS)]


def services(source: Source) -> list[Service]:
    """Every service of the tenant's catalogue, by name."""
    return [Service(*row) for row in source.fetch(_SERVICES)]


def tax_regions(source: Source) -> list[TaxRegion]:
    """Every tax region of the tenant, by code."""
    return [TaxRegion(*row) for row in source.fetch(_TAX_REGIONS)]
