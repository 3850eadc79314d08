"""Document headers with a fingerprint of their content: what every cycle compares in bulk.

Never by `updated_at`: finalizing writes a past midnight into it, and credits, second payments and
bulk operations do not touch it at all.
"""

from __future__ import annotations

from collections.abc import Collection
from datetime import date

from qbo_sync_dagster.algapsa.sql import METADATA_KEY, Snapshot, book_date, uuids
from qbo_sync_dagster.domain.algapsa_records import DocumentHeader

# md5 is a checksum here: it says "changed", nobody attacks it. Statuses, payments and credits are
# left out, so that it moves exactly when what we exported would look different.
_HEADERS = f"""
    WITH chosen AS MATERIALIZED (
        SELECT * FROM invoices
        WHERE tenant = :tenant AND (
            invoice_id = ANY(CAST(:ids AS uuid[]))
            OR (finalized_at IS NOT NULL AND (
                {book_date("invoice_date")} >= :dated_from OR finalized_at >= :finalized_from))
        )
    ), detail AS MATERIALIZED (
        SELECT d.item_id, string_agg(
            ROW(d.service_id, d.quantity, d.service_period_start, f.allocated_amount)::text,
            ',' ORDER BY d.item_detail_id) AS content
        FROM invoice_charge_details d
        LEFT JOIN invoice_charge_fixed_details f
            ON f.tenant = d.tenant AND f.item_detail_id = d.item_detail_id
        WHERE d.tenant = :tenant
        GROUP BY d.item_id
    ), charge AS MATERIALIZED (
        SELECT c.invoice_id, string_agg(
            ROW(c.item_id, c.service_id, c.description, c.quantity, c.unit_price, c.net_amount,
                c.tax_amount, c.tax_region, c.is_taxable, c.is_discount, d.content)::text,
            ',' ORDER BY c.item_id) AS content
        FROM invoice_charges c
        LEFT JOIN detail d ON d.item_id = c.item_id
        WHERE c.tenant = :tenant AND c.invoice_id IN (SELECT invoice_id FROM chosen)
        GROUP BY c.invoice_id
    ), paid AS MATERIALIZED (
        SELECT invoice_id, sum(amount)::bigint AS amount FROM invoice_payments
        WHERE tenant = :tenant AND invoice_id IN (SELECT invoice_id FROM chosen)
        GROUP BY invoice_id
    ), mapped AS MATERIALIZED (
        SELECT DISTINCT ON (alga_entity_id) alga_entity_id, integration_type, external_entity_id,
            external_realm_id
        FROM tenant_external_entity_mappings
        WHERE tenant = :tenant AND alga_entity_type = 'invoice'
            AND integration_type IN ('quickbooks_online', 'quickbooks_csv')
            AND metadata->'{METADATA_KEY}' IS NULL
        ORDER BY alga_entity_id, integration_type DESC
    )
    SELECT i.invoice_id::text, i.invoice_number, i.client_id::text, i.status, i.invoice_type,
        i.is_prepayment, {book_date("i.invoice_date")}, {book_date("i.due_date")},
        i.finalized_at, COALESCE(i.created_at, i.finalized_at, i.invoice_date),
        i.currency_code, i.total_amount, COALESCE(i.credit_applied, 0),
        COALESCE(paid.amount, 0),
        md5(ROW(i.invoice_number, i.client_id, i.invoice_type, i.is_prepayment,
            {book_date("i.invoice_date")}, {book_date("i.due_date")}, i.currency_code,
            i.exchange_rate_basis_points, i.total_amount, i.subtotal, i.tax, i.tax_source,
            i.po_number, charge.content)::text),
        mapped.integration_type, mapped.external_entity_id, mapped.external_realm_id
    FROM chosen i
    LEFT JOIN charge ON charge.invoice_id = i.invoice_id
    LEFT JOIN paid ON paid.invoice_id = i.invoice_id
    LEFT JOIN mapped ON mapped.alga_entity_id = i.invoice_id::text
    ORDER BY i.invoice_date, i.invoice_number
"""


def document_headers(
    snapshot: Snapshot,
    *,
    dated_from: date | None,
    ids: Collection[str],
    finalized_from: date | None = None,
) -> list[DocumentHeader]:
    """Finalized documents dated on or after `dated_from`, and those of `ids` whatever their state.

    Those finalized on or after `finalized_from` (UTC day) are read too, however they are dated.
    Without either only `ids` are read. Documents that AlgaPSA no longer has are not in it.
    """
    rows = snapshot.fetch(
        _HEADERS, ids=uuids(ids), dated_from=dated_from, finalized_from=finalized_from
    )
    return [DocumentHeader(*row) for row in rows]
