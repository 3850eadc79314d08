"""Documents with their lines, as they would be exported now."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Mapping

from qbo_sync_dagster.algapsa.headers import document_headers
from qbo_sync_dagster.algapsa.sql import Snapshot
from qbo_sync_dagster.domain.algapsa_records import Charge, ChargeDetail, Document

_TOTALS = """
    SELECT invoice_id::text, subtotal, tax, po_number, exchange_rate_basis_points,
        COALESCE(tax_source, 'internal')
    FROM invoices WHERE tenant = :tenant AND invoice_id = ANY(CAST(:ids AS uuid[]))
"""
_CHARGES = """
    SELECT c.invoice_id::text, c.item_id::text, c.service_id::text, s.service_name,
        c.description, c.quantity, c.unit_price, c.net_amount, COALESCE(c.tax_amount, 0),
        c.tax_region, COALESCE(c.is_taxable, true), COALESCE(c.is_discount, false)
    FROM invoice_charges c
    LEFT JOIN service_catalog s ON s.tenant = c.tenant AND s.service_id = c.service_id
    WHERE c.tenant = :tenant AND c.invoice_id = ANY(CAST(:ids AS uuid[]))
    ORDER BY c.created_at NULLS FIRST, c.is_discount NULLS FIRST, c.item_id
"""
_DETAILS = """
    SELECT d.item_id::text, d.service_id::text, s.service_name, d.quantity, f.allocated_amount,
        d.service_period_start
    FROM invoice_charges c
    JOIN invoice_charge_details d ON d.tenant = c.tenant AND d.item_id = c.item_id
    LEFT JOIN invoice_charge_fixed_details f
        ON f.tenant = d.tenant AND f.item_detail_id = d.item_detail_id
    LEFT JOIN service_catalog s ON s.tenant = d.tenant AND s.service_id = d.service_id
    WHERE c.tenant = :tenant AND c.invoice_id = ANY(CAST(:ids AS uuid[]))
    ORDER BY d.created_at NULLS FIRST, d.item_detail_id
"""


def documents(snapshot: Snapshot, ids: Collection[str]) -> dict[str, Document]:
    """The documents of `ids` by invoice id; those that AlgaPSA no longer has are not in it.

    One snapshot serves header, fingerprint and lines: an edit between two reads would otherwise
    export lines that the fingerprint does not cover.
    """
    totals = {row[0]: row[1:] for row in snapshot.fetch_by_ids(_TOTALS, ids)}
    charges = _charges(snapshot, ids)
    return {
        header.invoice_id: Document(
            *(header, *totals[header.invoice_id], tuple(charges.get(header.invoice_id, ())))
        )
        for header in document_headers(snapshot, ids)
    }


def _charges(snapshot: Snapshot, ids: Collection[str]) -> Mapping[str, list[Charge]]:
    details: dict[str, list[ChargeDetail]] = defaultdict(list)
    for item_id, *fields in snapshot.fetch_by_ids(_DETAILS, ids):
        details[item_id].append(ChargeDetail(*fields))
    charges: dict[str, list[Charge]] = defaultdict(list)
    for invoice_id, item_id, *fields in snapshot.fetch_by_ids(_CHARGES, ids):
        charges[invoice_id].append(Charge(*(item_id, *fields, tuple(details[item_id]))))
    return charges
