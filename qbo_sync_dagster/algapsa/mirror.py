"""Our invoice links, mirrored where AlgaPSA looks before it lets an invoice be reopened or deleted.

On Enterprise a mapping makes AlgaPSA's own engine queue work, so there nothing is mirrored.
Rows that do not say that they are ours are neither changed nor deleted.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping

import sqlalchemy as sa

from qbo_sync_dagster.algapsa.sql import METADATA_KEY, Source, translated_faults, uuids

_INSERT = f"""
    INSERT INTO tenant_external_entity_mappings (tenant, integration_type, alga_entity_type,
        alga_entity_id, external_entity_id, external_realm_id, sync_status, last_synced_at,
        metadata)
    SELECT CAST(:tenant AS uuid), 'quickbooks_online', 'invoice', link.key, link.value, :realm,
        'synced', now(), jsonb_build_object('{METADATA_KEY}', jsonb_build_object('realm', :realm))
    FROM jsonb_each_text(CAST(:links AS jsonb)) link
    ON CONFLICT DO NOTHING
"""
_STANDING = f"""
    SELECT mapped.alga_entity_id FROM tenant_external_entity_mappings mapped
    JOIN jsonb_each_text(CAST(:links AS jsonb)) link
        ON mapped.alga_entity_id = link.key AND mapped.external_entity_id = link.value
    WHERE mapped.tenant = :tenant AND mapped.integration_type = 'quickbooks_online'
        AND mapped.alga_entity_type = 'invoice'
        AND mapped.metadata->'{METADATA_KEY}'->>'realm' = :realm
"""
# A document that was created anew has another object: the row that names the old one gives way.
_DELETE_OUTDATED = f"""
    DELETE FROM tenant_external_entity_mappings mapped
    USING jsonb_each_text(CAST(:links AS jsonb)) link
    WHERE mapped.tenant = :tenant AND mapped.integration_type = 'quickbooks_online'
        AND mapped.alga_entity_type = 'invoice' AND mapped.alga_entity_id = link.key
        AND mapped.external_entity_id <> link.value
        AND mapped.metadata->'{METADATA_KEY}'->>'realm' = :realm
"""
_DELETE = f"""
    DELETE FROM tenant_external_entity_mappings
    WHERE tenant = :tenant AND integration_type = 'quickbooks_online'
        AND alga_entity_type = 'invoice' AND alga_entity_id = ANY(CAST(:ids AS text[]))
        AND metadata->'{METADATA_KEY}'->>'realm' = :realm
    RETURNING alga_entity_id
"""


def mirror(source: Source, realm: str, links: Mapping[str, str]) -> set[str]:
    """Mirror links, invoice id to QuickBooks id; returns those that rows of ours mirror now.

    Replaying it changes nothing, and a mapping of AlgaPSA's own stays as it is.
    """
    values = source.bind({"realm": realm, "links": json.dumps(dict(links))})
    with translated_faults(), source.engine.begin() as connection:
        connection.execute(sa.text(_DELETE_OUTDATED), values)
        connection.execute(sa.text(_INSERT), values)
        return set(connection.execute(sa.text(_STANDING), values).scalars())


def unmirror(source: Source, realm: str, invoice_ids: Collection[str]) -> set[str]:
    """Remove our mappings of these invoices; returns those that had one."""
    values = source.bind({"realm": realm, "ids": uuids(invoice_ids)})
    with translated_faults(), source.engine.begin() as connection:
        return set(connection.execute(sa.text(_DELETE), values).scalars())
