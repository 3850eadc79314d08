"""Document headers with a fingerprint of their content: what every cycle compares in bulk.

Never by `updated_at`: finalizing writes a past midnight into it, and credits, second payments and
bulk operations do not touch it at all.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator
from dataclasses import asdict, dataclass
from datetime import date

from qbo_sync_dagster.algapsa.sql import METADATA_KEY, Snapshot, book_date
from qbo_sync_dagster.domain.algapsa_records import DocumentHeader

# md5 is a checksum here: it says "changed", nobody attacks it. Statuses, payments and credits are
# left out, so that it moves exactly when what we exported would look different. Everything is
# joined from the wanted invoices on, by index: a batch of thirty must not read a whole ledger.
_HEADERS = f"""
    WITH wanted AS MATERIALIZED (
        SELECT * FROM invoices
        WHERE tenant = :tenant AND invoice_id = ANY(CAST(:ids AS uuid[]))
    ), charge AS MATERIALIZED (
        SELECT c.invoice_id, string_agg(
            ROW(c.item_id, c.service_id, c.description, c.quantity, c.unit_price, c.net_amount,
                c.tax_amount, c.tax_region, c.is_taxable, c.is_discount, detail.content)::text,
            ',' ORDER BY c.item_id) AS content
        FROM wanted i
        JOIN invoice_charges c ON c.tenant = i.tenant AND c.invoice_id = i.invoice_id
        LEFT JOIN LATERAL (
            SELECT string_agg(
                ROW(d.service_id, d.quantity, d.service_period_start, f.allocated_amount)::text,
                ',' ORDER BY d.item_detail_id) AS content
            FROM invoice_charge_details d
            LEFT JOIN invoice_charge_fixed_details f
                ON f.tenant = d.tenant AND f.item_detail_id = d.item_detail_id
            WHERE d.tenant = c.tenant AND d.item_id = c.item_id
        ) detail ON true
        GROUP BY c.invoice_id
    ), paid AS MATERIALIZED (
        SELECT p.invoice_id, sum(p.amount)::bigint AS amount
        FROM wanted i
        JOIN invoice_payments p ON p.tenant = i.tenant AND p.invoice_id = i.invoice_id
        GROUP BY p.invoice_id
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
    FROM wanted i
    LEFT JOIN charge ON charge.invoice_id = i.invoice_id
    LEFT JOIN paid ON paid.invoice_id = i.invoice_id
    LEFT JOIN LATERAL (
        SELECT m.integration_type, m.external_entity_id, m.external_realm_id
        FROM tenant_external_entity_mappings m
        WHERE m.tenant = i.tenant AND m.alga_entity_type = 'invoice'
            AND m.integration_type IN ('quickbooks_online', 'quickbooks_csv')
            AND m.alga_entity_id = i.invoice_id::text
            AND m.metadata->'{METADATA_KEY}' IS NULL
        ORDER BY m.integration_type DESC LIMIT 1
    ) mapped ON true
    ORDER BY i.invoice_date, i.invoice_number
"""
_IN_SCOPE = f"""
    FROM invoices
    WHERE tenant = :tenant AND finalized_at IS NOT NULL
        AND ({book_date("invoice_date")} >= :dated_from OR finalized_at >= :finalized_from)
"""
_IDS_IN_SCOPE = f"SELECT invoice_id::text {_IN_SCOPE} ORDER BY invoice_date, invoice_number"
_IDS_MAPPED = f"""
    SELECT invoice_id::text {_IN_SCOPE} AND EXISTS (
        SELECT FROM tenant_external_entity_mappings m
        WHERE m.tenant = invoices.tenant AND m.alga_entity_type = 'invoice'
            AND m.integration_type IN ('quickbooks_online', 'quickbooks_csv')
            AND m.alga_entity_id = invoices.invoice_id::text
            AND m.metadata->'{METADATA_KEY}' IS NULL)
"""
_IDS_BY_NUMBER = f"""
    SELECT invoice_id::text {_IN_SCOPE} AND invoice_number = ANY(CAST(:numbers AS text[]))
"""


@dataclass(frozen=True, slots=True)
class ExportScope:
    """Which documents may be exported: finalized ones dated on or after `dated_from`, and those
    finalized on or after `finalized_from` (a UTC day) however they are dated."""

    dated_from: date
    finalized_from: date | None = None


def document_headers(snapshot: Snapshot, ids: Collection[str]) -> list[DocumentHeader]:
    """The documents of `ids` whatever their state, oldest first, without those that are gone."""
    rows = snapshot.fetch_by_ids(_HEADERS, ids)
    return [DocumentHeader(*row) for row in rows]


def ids_in_scope(snapshot: Snapshot, scope: ExportScope, page: int) -> Iterator[list[str]]:
    """The ids of the scope's documents, by date and number, `page` at a time."""
    for rows in snapshot.pages(_IDS_IN_SCOPE, page, **asdict(scope)):
        yield [row[0] for row in rows]


def mapped_ids(snapshot: Snapshot, scope: ExportScope, page: int) -> Iterator[list[str]]:
    """The ids of the scope's documents that AlgaPSA itself keeps a mapping for."""
    for rows in snapshot.pages(_IDS_MAPPED, page, **asdict(scope)):
        yield [row[0] for row in rows]


def ids_by_number(snapshot: Snapshot, scope: ExportScope, numbers: Collection[str]) -> list[str]:
    """The ids of the scope's documents that carry one of the numbers."""
    wanted = sorted(set(numbers))
    return [row[0] for row in snapshot.fetch(_IDS_BY_NUMBER, numbers=wanted, **asdict(scope))]
