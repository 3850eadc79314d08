"""What an AlgaPSA administrator sets up: the tenant, its tax regions, services and clients.

Also the tenant's own QuickBooks sync, which the engine must find switched off.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from uuid import uuid4

from sqlalchemy import Connection

from qbo_sync_dagster.sandbox.algapsa.rows import derived_id, fetch_one, insert_rows, run

_TAX_SINCE = date(2020, 1, 1)


@dataclass(frozen=True, slots=True)
class Client:
    """A client as billing sees it. `terms` is net_30, net_15 or due_on_receipt."""

    name: str
    terms: str | None = "net_30"
    email: str | None = None
    currency: str = "USD"
    city: str = "Portland"
    region_code: str | None = None
    client_id: str = ""


@dataclass(frozen=True, slots=True)
class Service:
    """An entry of the service catalogue; `rate` in cents."""

    name: str
    rate: int
    is_license: bool = False
    service_id: str = ""


@dataclass(frozen=True, slots=True)
class TaxRegion:
    """A tax region with its one rate in percent; AlgaPSA keys tax by `code`."""

    code: str
    name: str
    rate: Decimal


def create_tenant(
    connection: Connection,
    name: str,
    *,
    tenant: str | None = None,
    auto_apply_credit: bool = False,
) -> str:
    """A managed-service provider with default billing settings; returns its tenant id.

    AlgaPSA applies open credit by itself at finalizing unless `auto_apply_credit` is off.
    """
    tenant = tenant or str(uuid4())
    insert_rows(
        connection,
        "tenants",
        [{"tenant": tenant, "client_name": name, "email": "billing@example.com"}],
    )
    insert_rows(connection, "tenant_settings", [{"tenant": tenant, "settings": {}}])
    settings = {"tenant": tenant, "credit_auto_apply_enabled": auto_apply_credit}
    insert_rows(connection, "default_billing_settings", [settings])
    insert_rows(connection, "service_types", [_service_type(tenant)])
    _add_accounting_administrator(connection, tenant)
    return tenant


def create_client(connection: Connection, tenant: str, client: Client) -> str:
    """One client with its default billing profile and billing location; returns its id."""
    return create_clients(connection, tenant, [client])[0]


def create_clients(connection: Connection, tenant: str, clients: Sequence[Client]) -> list[str]:
    """Many clients, each with its default billing profile and billing location."""
    ids = [client.client_id or str(uuid4()) for client in clients]
    pairs = list(zip(ids, clients, strict=True))
    insert_rows(connection, "clients", [_client_row(tenant, id_, each) for id_, each in pairs])
    profiles = [_profile_row(tenant, id_) for id_ in ids]
    insert_rows(connection, "client_billing_profiles", profiles)
    locations = [_location_row(tenant, id_, each) for id_, each in pairs]
    insert_rows(connection, "client_locations", locations)
    return ids


def default_profile(client_id: str) -> str:
    """The id of the default billing profile that `create_clients` gave this client."""
    return derived_id(client_id, "billing profile")


def rename_client(connection: Connection, tenant: str, client_id: str, name: str) -> None:
    """A client takes a new name; AlgaPSA maintains `updated_at` here."""
    statement = (
        "UPDATE clients SET client_name = :name, updated_at = now()"
        " WHERE tenant = :tenant AND client_id = :client"
    )
    run(connection, statement, tenant=tenant, client=client_id, name=name)


def create_service(connection: Connection, tenant: str, service: Service) -> str:
    """One service; returns its id."""
    return create_services(connection, tenant, [service])[0]


def create_services(connection: Connection, tenant: str, services: Sequence[Service]) -> list[str]:
    """Many services of the tenant's one service type."""
    ids = [service.service_id or str(uuid4()) for service in services]
    rows = [_service_row(tenant, id_, each) for id_, each in zip(ids, services, strict=True)]
    insert_rows(connection, "service_catalog", rows)
    return ids


def create_tax_region(connection: Connection, tenant: str, region: TaxRegion) -> str:
    """A tax region with its rate and that rate's single component; returns the region code."""
    rate_id = derived_id(tenant, f"tax rate {region.code}")
    insert_rows(connection, "tax_regions", [_region_row(tenant, region)])
    insert_rows(connection, "tax_rates", [_rate_row(tenant, rate_id, region)])
    return region.code


def set_auto_sync(connection: Connection, tenant: str, enabled: bool) -> None:
    """Switch AlgaPSA's own QuickBooks sync on or off in the tenant's settings."""
    statement = """
        UPDATE tenant_settings SET updated_at = now(), settings = jsonb_set(
            COALESCE(settings, '{}'), '{accountingSync}',
            jsonb_build_object('autoSyncEnabled', CAST(:enabled AS boolean)))
        WHERE tenant = :tenant
    """
    run(connection, statement, tenant=tenant, enabled=enabled)


def suspend_tenant(connection: Connection, tenant: str) -> None:
    """The tenant's subscription ended."""
    statement = (
        "UPDATE tenants SET suspended_at = now(), suspended_reason = 'tenant_cancelled'"
        " WHERE tenant = :tenant"
    )
    run(connection, statement, tenant=tenant)


def record_own_sync_cycle(
    connection: Connection,
    tenant: str,
    realm: str,
    *,
    started_at: datetime,
    status: str = "succeeded",
) -> None:
    """A cycle that AlgaPSA's own QuickBooks sync ran."""
    row = {
        "tenant": tenant,
        "cycle_id": str(uuid4()),
        "adapter_type": "quickbooks_online",
        "target_realm": realm,
        "status": status,
        "started_at": started_at,
    }
    insert_rows(connection, "accounting_sync_cycles", [row])


def queue_own_sync_operation(
    connection: Connection, tenant: str, realm: str, invoice_id: str
) -> None:
    """An invoice export that AlgaPSA's own QuickBooks sync still wants to do."""
    row = {
        "tenant": tenant,
        "op_id": str(uuid4()),
        "adapter_type": "quickbooks_online",
        "target_realm": realm,
        "operation": "export_invoice",
        "alga_entity_type": "invoice",
        "alga_entity_id": invoice_id,
    }
    insert_rows(connection, "accounting_sync_operations", [row])


def auto_applies_credit(connection: Connection, tenant: str) -> bool:
    """Whether finalizing draws on the client's open credit by itself."""
    statement = (
        "SELECT credit_auto_apply_enabled FROM default_billing_settings WHERE tenant = :tenant"
    )
    return bool(fetch_one(connection, statement, tenant=tenant)[0])


def _add_accounting_administrator(connection: Connection, tenant: str) -> None:
    role, user = derived_id(tenant, "finance role"), derived_id(tenant, "accounting user")
    insert_rows(connection, "roles", [{"tenant": tenant, "role_id": role, "role_name": "Finance"}])
    person = {
        "tenant": tenant,
        "user_id": user,
        "username": "accounting",
        "hashed_password": "-",
        "email": "accounting@example.com",
    }
    insert_rows(connection, "users", [person])
    insert_rows(connection, "user_roles", [{"tenant": tenant, "user_id": user, "role_id": role}])


def _service_type(tenant: str) -> dict[str, object]:
    return {"id": _service_type_id(tenant), "tenant": tenant, "name": "Managed services"}


def _service_type_id(tenant: str) -> str:
    return derived_id(tenant, "service type")


def _client_row(tenant: str, client_id: str, client: Client) -> dict[str, object]:
    return {
        "tenant": tenant,
        "client_id": client_id,
        "client_name": client.name,
        "payment_terms": client.terms,
        "billing_email": client.email,
        "default_currency_code": client.currency,
        "region_code": client.region_code,
    }


def _profile_row(tenant: str, client_id: str) -> dict[str, object]:
    return {
        "tenant": tenant,
        "billing_profile_id": default_profile(client_id),
        "client_id": client_id,
        "name": "Default",
        "is_default": True,
        "is_system_managed_default": True,
    }


def _location_row(tenant: str, client_id: str, client: Client) -> dict[str, object]:
    return {
        "tenant": tenant,
        "location_id": derived_id(client_id, "location"),
        "client_id": client_id,
        "location_name": "Head office",
        "address_line1": "100 Harbor Street",
        "city": client.city,
        "country_code": "US",
        "country_name": "United States",
        "region_code": client.region_code,
        "is_billing_address": True,
        "is_default": True,
        "email": client.email,
    }


def _service_row(tenant: str, service_id: str, service: Service) -> dict[str, object]:
    return {
        "tenant": tenant,
        "service_id": service_id,
        "service_name": service.name,
        "default_rate": service.rate,
        "unit_of_measure": "each",
        "billing_method": "per_unit" if service.is_license else "fixed",
        "custom_service_type_id": _service_type_id(tenant),
        "is_license": service.is_license,
    }


def _region_row(tenant: str, region: TaxRegion) -> dict[str, object]:
    return {"tenant": tenant, "region_code": region.code, "region_name": region.name}


def _rate_row(tenant: str, rate_id: str, region: TaxRegion) -> dict[str, object]:
    return {
        "tenant": tenant,
        "tax_rate_id": rate_id,
        "tax_percentage": region.rate,
        "description": region.name,
        "start_date": _TAX_SINCE,
        "tax_type": "Sales Tax",
        "region_code": region.code,
    }
