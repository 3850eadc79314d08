"""What moved on documents: payment rows, credit applications, and who owns which row."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection
from datetime import date, datetime

from qbo_sync_dagster.algapsa.sql import METADATA_KEY, Snapshot, book_date
from qbo_sync_dagster.domain.algapsa_payments import (
    CreditApplication,
    NoteCredit,
    PaymentKey,
    PaymentRecord,
)

_KEY = f"p.metadata->'{METADATA_KEY}'"
_PAYMENTS = f"""
    SELECT p.payment_id::text, p.invoice_id::text, p.amount, p.payment_method,
        {book_date("COALESCE(p.payment_date, p.created_at)")}, COALESCE(p.status, 'completed'),
        p.reference_number, {_KEY}->>'realm', {_KEY}->>'payment', {_KEY}->>'version', p.created_at,
        {_KEY}->>'reverses'
    FROM invoice_payments p
    WHERE p.tenant = :tenant AND p.invoice_id = ANY(CAST(:ids AS uuid[]))
    ORDER BY p.created_at, p.payment_id
"""
# Allocation rows stay when an application is reversed, so the transactions are what counts.
# AlgaPSA has no index for reversals: they are gathered once, not looked up row by row.
_CREDITS = f"""
    WITH taken_back AS (
        SELECT DISTINCT metadata->>'reversal_of' AS transaction_id FROM transactions
        WHERE tenant = :tenant AND type = 'credit_adjustment'
    )
    SELECT a.transaction_id::text, drawn.credit_id, a.invoice_id::text, drawn.amount,
        {book_date("a.created_at")}, issuance.invoice_id::text, source.invoice_type,
        taken_back.transaction_id IS NOT NULL, COALESCE(source.invoice_number, ''),
        COALESCE(target.invoice_number, ''), a.currency_code
    FROM transactions a
    CROSS JOIN LATERAL (
        SELECT credit->>'creditId' AS credit_id, min(credit->>'transactionId') AS issuance_id,
            sum(CAST(credit->>'amount' AS numeric))::bigint AS amount
        FROM jsonb_array_elements(CASE jsonb_typeof(a.metadata->'applied_credits')
            WHEN 'array' THEN a.metadata->'applied_credits' ELSE '[]' END) credit
        GROUP BY credit->>'creditId'
    ) drawn
    LEFT JOIN taken_back ON taken_back.transaction_id = a.transaction_id::text
    LEFT JOIN transactions issuance ON issuance.tenant = a.tenant
        AND issuance.transaction_id::text = drawn.issuance_id
    LEFT JOIN invoices source
        ON source.tenant = a.tenant AND source.invoice_id = issuance.invoice_id
    LEFT JOIN invoices target ON target.tenant = a.tenant AND target.invoice_id = a.invoice_id
    WHERE a.tenant = :tenant AND a.type = 'credit_application' AND a.invoice_id IS NOT NULL
    ORDER BY a.created_at, a.transaction_id, drawn.credit_id
"""
_NOTES = """
    SELECT note.invoice_id::text, note.invoice_number, sum(c.amount)::bigint,
        sum(CASE WHEN COALESCE(c.is_expired, false) THEN 0 ELSE c.remaining_amount END)::bigint,
        note.currency_code
    FROM credit_tracking c
    JOIN transactions issuance
        ON issuance.tenant = c.tenant AND issuance.transaction_id = c.transaction_id
    JOIN invoices note ON note.tenant = c.tenant AND note.invoice_id = issuance.invoice_id
    WHERE c.tenant = :tenant AND note.invoice_type = 'credit_note' AND note.status <> 'cancelled'
    GROUP BY note.invoice_id, note.invoice_number, note.currency_code
"""
_OWN = f"""
    SELECT DISTINCT p.invoice_id::text FROM invoice_payments p
    WHERE p.tenant = :tenant AND {_KEY} IS NULL
        AND p.payment_method IS DISTINCT FROM 'quickbooks'
        AND ({book_date("COALESCE(p.payment_date, p.created_at)")} >= :dated_from
            OR p.created_at >= :created_from)
    ORDER BY 1
"""
_INVOICES_OF = """
    SELECT payment_id::text, invoice_id::text FROM invoice_payments
    WHERE tenant = :tenant AND payment_id = ANY(CAST(:ids AS uuid[]))
"""
_ANY = "SELECT EXISTS (SELECT 1 FROM invoice_payments WHERE tenant = :tenant)"
_STANDING = f"""
    SELECT {_KEY}->>'payment', p.invoice_id::text, sum(p.amount)::bigint FROM invoice_payments p
    WHERE p.tenant = :tenant AND p.payment_method = 'quickbooks'
        AND {_KEY}->>'realm' = :realm AND {_KEY}->>'payment' = ANY(CAST(:payments AS text[]))
    GROUP BY 1, 2
"""


def payments(snapshot: Snapshot, invoice_ids: Collection[str]) -> list[PaymentRecord]:
    """Every payment row of the invoices, oldest first, ours and AlgaPSA's own."""
    return [
        PaymentRecord(*(*fields, _key(realm, payment, version), created_at, reverses))
        for *fields, realm, payment, version, created_at, reverses in snapshot.fetch_by_ids(
            _PAYMENTS, invoice_ids
        )
    ]


def credit_applications(snapshot: Snapshot) -> list[CreditApplication]:
    """What each credit gave to each invoice, oldest first, reversed ones included and marked."""
    return [CreditApplication(*row) for row in snapshot.fetch(_CREDITS)]


def note_credits(snapshot: Snapshot) -> list[NoteCredit]:
    """What is left of the credit of each credit note that was not voided."""
    return [NoteCredit(*row) for row in snapshot.fetch(_NOTES)]


def standing_nets(
    snapshot: Snapshot, realm: str, payment_ids: Collection[str]
) -> dict[str, dict[str, int]]:
    """Per QuickBooks payment its net on each invoice that has rows of ours for it, zero included.

    Asked of AlgaPSA and not of the ledger, so that a ledger restored from a backup misses no row.
    """
    found: dict[str, dict[str, int]] = defaultdict(dict)
    wanted = sorted(set(payment_ids))
    for payment_id, invoice_id, minor in snapshot.fetch(_STANDING, realm=realm, payments=wanted):
        found[payment_id][invoice_id] = minor
    return dict(found)


def invoices_with_own_payments(
    snapshot: Snapshot, dated_from: date, created_from: datetime
) -> list[str]:
    """Invoices that AlgaPSA itself recorded a payment on, dated or created from then on."""
    rows = snapshot.fetch(_OWN, dated_from=dated_from, created_from=created_from)
    return [row[0] for row in rows]


def has_payments(snapshot: Snapshot) -> bool:
    """Whether AlgaPSA shows any payment row at all."""
    return bool(snapshot.fetch(_ANY)[0][0])


def invoices_of(snapshot: Snapshot, payment_ids: Collection[str]) -> dict[str, str]:
    """The invoice of each payment row, without rows that are gone."""
    return {row[0]: row[1] for row in snapshot.fetch_by_ids(_INVOICES_OF, payment_ids)}


def _key(realm: str | None, payment_id: str | None, version: str | None) -> PaymentKey | None:
    if realm is None or payment_id is None or version is None:
        return None
    return PaymentKey(realm, payment_id, int(version))
