"""An invoice's life in AlgaPSA: drafted, finalized, reopened, voided, cancelled, deleted.

Dates are stored as midnight UTC; the UI's finalize and reopen write such a date into
`updated_at` too, which is why nobody can use it as a watermark. Rogue changes are in `edits`.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta
from typing import Any
from uuid import uuid4

from sqlalchemy import Connection, Row

from qbo_sync_dagster.sandbox.algapsa.charges import Charge, charge_row, detail_rows
from qbo_sync_dagster.sandbox.algapsa.credit import (
    apply_credit,
    issue_credit,
    reverse_credit,
    withdraw_credit_note,
)
from qbo_sync_dagster.sandbox.algapsa.errors import AlgaRefusedError, NotModelledError
from qbo_sync_dagster.sandbox.algapsa.numbering import take_numbers
from qbo_sync_dagster.sandbox.algapsa.rows import (
    derived_id,
    fetch,
    fetch_one,
    insert_rows,
    midnight,
    run,
)
from qbo_sync_dagster.sandbox.algapsa.tenants import auto_applies_credit, default_profile

_TERM_DAYS = {"due_on_receipt": 0, "net_15": 15, "net_30": 30}
_DEFAULT_TERMS = "net_30"
_SELECT = """
    SELECT invoice_id::text, client_id::text, status, total_amount, currency_code, invoice_type,
        is_prepayment, billing_profile_id::text AS profile, finalized_at, invoice_number
    FROM invoices WHERE tenant = :tenant AND invoice_id = ANY(CAST(:invoices AS uuid[]))
    ORDER BY invoice_number FOR UPDATE
"""
_FINALIZE = """
    UPDATE invoices SET status = 'sent', finalized_at = :today, updated_at = :today
    WHERE tenant = :tenant AND invoice_id = ANY(CAST(:invoices AS uuid[])) AND status = 'draft'
"""
_PAID = """
    SELECT COALESCE(sum(amount), 0) FROM invoice_payments
    WHERE tenant = :tenant AND invoice_id = :invoice
"""
_MAPPED = """
    SELECT count(*) FROM tenant_external_entity_mappings
    WHERE tenant = :tenant AND alga_entity_type = 'invoice' AND alga_entity_id = :invoice
        AND integration_type = 'quickbooks_online'
"""


@dataclass(frozen=True, slots=True)
class InvoiceDraft:
    """An invoice to draft. Without `number` it takes the next one, without `due_date` its client's
    terms decide; `currency` must be the client's for AlgaPSA's own screens, not for its tables.
    """

    client_id: str
    invoice_date: date
    charges: tuple[Charge, ...]
    number: str = ""
    due_date: date | None = None
    currency: str = "USD"
    is_prepayment: bool = False
    po_number: str | None = None
    invoice_id: str = ""
    created_at: datetime | None = None


def draft_invoice(connection: Connection, tenant: str, draft: InvoiceDraft) -> str:
    """One draft invoice with its charges; returns its id."""
    return draft_invoices(connection, tenant, [draft])[0]


def draft_invoices(
    connection: Connection, tenant: str, drafts: Sequence[InvoiceDraft]
) -> list[str]:
    """Many draft invoices with their charges; returns their ids in order."""
    filled = _filled(connection, tenant, drafts)
    insert_rows(connection, "invoices", [_invoice_row(tenant, draft) for draft in filled])
    _insert_charges(connection, tenant, [line for draft in filled for line in _lines(draft)])
    return [draft.invoice_id for draft in filled]


def add_charges(
    connection: Connection, tenant: str, invoice_id: str, charges: Iterable[Charge]
) -> None:
    """Insert charge rows with their fixed-plan details; the invoice's totals stay as they are."""
    _insert_charges(connection, tenant, [(str(uuid4()), invoice_id, each) for each in charges])


def finalize_invoice(connection: Connection, tenant: str, invoice_id: str, *, today: date) -> None:
    """Finalize one draft as the UI does on the date `today`."""
    finalize_invoices(connection, tenant, [invoice_id], today=today)


def finalize_invoices(
    connection: Connection, tenant: str, invoice_ids: Sequence[str], *, today: date
) -> None:
    """Finalize drafts: negative totals become numbered credit notes, prepayments issue credit,
    others draw on open credit where the tenant's policy says so.
    """
    ids = list(invoice_ids)
    done = run(connection, _FINALIZE, tenant=tenant, invoices=ids, today=midnight(today))
    if done != len(ids):
        raise AlgaRefusedError("Only a draft can be finalized.")
    drawing = auto_applies_credit(connection, tenant)
    for invoice in fetch(connection, _SELECT, tenant=tenant, invoices=ids):
        if invoice.is_prepayment:
            _become_prepayment(connection, tenant, invoice)
        elif invoice.total_amount < 0:
            _become_credit_note(connection, tenant, invoice)
        elif drawing:
            apply_credit(connection, tenant, invoice.invoice_id)


def reopen_invoice(
    connection: Connection, tenant: str, invoice_id: str, *, today: date, by_sql: bool = False
) -> None:
    """Put a finalized invoice back to draft and take its credit back.

    The UI refuses it while the invoice is mapped to QuickBooks; `by_sql` is somebody who goes
    around the UI.
    """
    invoice = _one(connection, tenant, invoice_id)
    if invoice.invoice_type != "standard":
        raise NotModelledError(f"Reopening a {invoice.invoice_type} was never observed.")
    if invoice.finalized_at is None:
        raise AlgaRefusedError("Only a finalized invoice can be reopened.")
    _refuse_mapped(connection, tenant, invoice_id, by_sql)
    reverse_credit(connection, tenant, invoice_id)
    statement = (
        "UPDATE invoices SET status = 'draft', finalized_at = NULL, updated_at = :today"
        " WHERE tenant = :tenant AND invoice_id = :invoice"
    )
    run(connection, statement, tenant=tenant, invoice=invoice_id, today=midnight(today))


def void_invoice(
    connection: Connection, tenant: str, invoice_id: str, *, reason: str = "Entered in error"
) -> None:
    """Void a finalized, unpaid invoice or an unused credit note with all rows AlgaPSA writes."""
    invoice = _one(connection, tenant, invoice_id)
    paid = fetch_one(connection, _PAID, tenant=tenant, invoice=invoice_id)[0]
    if invoice.finalized_at is None or invoice.status == "cancelled" or paid > 0:
        raise AlgaRefusedError("Only a finalized invoice without payments can be voided.")
    if invoice.invoice_type == "prepayment":
        raise NotModelledError("Voiding a prepayment was never observed.")
    if invoice.invoice_type == "credit_note":
        withdraw_credit_note(connection, tenant, invoice_id)
    else:
        reverse_credit(connection, tenant, invoice_id)
    statement = (
        "UPDATE invoices SET status = 'cancelled', updated_at = now()"
        " WHERE tenant = :tenant AND invoice_id = :invoice"
    )
    run(connection, statement, tenant=tenant, invoice=invoice_id)
    insert_rows(connection, "transactions", [_cancellation(tenant, invoice, reason)])


def bulk_cancel(connection: Connection, tenant: str, invoice_ids: Sequence[str]) -> None:
    """The REST bulk operation `cancel`: it writes the status and nothing else at all."""
    statement = (
        "UPDATE invoices SET status = 'cancelled'"
        " WHERE tenant = :tenant AND invoice_id = ANY(CAST(:invoices AS uuid[]))"
    )
    run(connection, statement, tenant=tenant, invoices=list(invoice_ids))


def delete_invoice(
    connection: Connection, tenant: str, invoice_id: str, *, by_sql: bool = False
) -> None:
    """Delete an invoice for good. Payment rows go with it, but payment transactions forbid it.

    The UI refuses it while the invoice is mapped to QuickBooks; `by_sql` goes around the UI.
    """
    _refuse_mapped(connection, tenant, invoice_id, by_sql)
    reverse_credit(connection, tenant, invoice_id)
    for statement in _DELETIONS:
        run(connection, statement, tenant=tenant, invoice=invoice_id)


_DELETIONS = (
    "DELETE FROM credit_allocations WHERE tenant = :tenant AND invoice_id = :invoice",
    "DELETE FROM transactions WHERE tenant = :tenant AND invoice_id = :invoice"
    " AND type IN ('credit_application', 'credit_adjustment', 'invoice_cancelled')",
    "DELETE FROM invoice_charges WHERE tenant = :tenant AND invoice_id = :invoice",
    "DELETE FROM invoices WHERE tenant = :tenant AND invoice_id = :invoice",
)


def _filled(
    connection: Connection, tenant: str, drafts: Sequence[InvoiceDraft]
) -> list[InvoiceDraft]:
    unnumbered = sum(1 for draft in drafts if not draft.number)
    numbers = iter(take_numbers(connection, tenant, "INVOICE", unnumbered) if unnumbered else [])
    terms = _terms(connection, tenant, {draft.client_id for draft in drafts})
    now = fetch_one(connection, "SELECT now()")[0]
    return [
        replace(
            draft,
            number=draft.number or next(numbers),
            due_date=draft.due_date or draft.invoice_date + terms[draft.client_id],
            invoice_id=draft.invoice_id or str(uuid4()),
            created_at=draft.created_at or now,
        )
        for draft in drafts
    ]


def _terms(connection: Connection, tenant: str, client_ids: set[str]) -> dict[str, timedelta]:
    statement = (
        "SELECT client_id::text, payment_terms FROM clients"
        " WHERE tenant = :tenant AND client_id = ANY(CAST(:clients AS uuid[]))"
    )
    rows = fetch(connection, statement, tenant=tenant, clients=list(client_ids))
    return {
        row.client_id: timedelta(days=_TERM_DAYS[row.payment_terms or _DEFAULT_TERMS])
        for row in rows
    }


def _invoice_row(tenant: str, draft: InvoiceDraft) -> dict[str, object]:
    subtotal = sum(charge.net for charge in draft.charges)
    tax = sum(charge.tax for charge in draft.charges)
    return {
        "tenant": tenant,
        "invoice_id": draft.invoice_id,
        "invoice_number": draft.number,
        "invoice_date": midnight(draft.invoice_date),
        "due_date": draft.due_date and midnight(draft.due_date),
        "subtotal": subtotal,
        "tax": tax,
        "total_amount": subtotal + tax,
        "status": "draft",
        "client_id": draft.client_id,
        "currency_code": draft.currency,
        "is_manual": all(charge.is_manual for charge in draft.charges),
        "is_prepayment": draft.is_prepayment,
        "po_number": draft.po_number,
        "billing_profile_id": default_profile(draft.client_id),
        "created_at": draft.created_at,
        "updated_at": draft.created_at,
    }


def _lines(draft: InvoiceDraft) -> list[tuple[str, str, Charge]]:
    return [
        (derived_id(draft.invoice_id, f"charge {place}"), draft.invoice_id, charge)
        for place, charge in enumerate(draft.charges)
    ]


def _insert_charges(
    connection: Connection, tenant: str, lines: Sequence[tuple[str, str, Charge]]
) -> None:
    rows = [charge_row(tenant, invoice_id, item, charge) for item, invoice_id, charge in lines]
    insert_rows(connection, "invoice_charges", rows)
    details = [pair for item, _, charge in lines for pair in detail_rows(tenant, item, charge)]
    insert_rows(connection, "invoice_charge_details", [detail for detail, _ in details])
    insert_rows(connection, "invoice_charge_fixed_details", [fixed for _, fixed in details])


def _become_credit_note(connection: Connection, tenant: str, invoice: Row[Any]) -> None:
    number = take_numbers(connection, tenant, "CREDIT_NOTE", 1)[0]
    statement = (
        "UPDATE invoices SET invoice_type = 'credit_note', invoice_number = :number"
        " WHERE tenant = :tenant AND invoice_id = :invoice"
    )
    run(connection, statement, tenant=tenant, invoice=invoice.invoice_id, number=number)
    kind = "credit_issuance_from_negative_invoice"
    _issue(connection, tenant, invoice, -invoice.total_amount, kind)


def _become_prepayment(connection: Connection, tenant: str, invoice: Row[Any]) -> None:
    statement = (
        "UPDATE invoices SET invoice_type = 'prepayment'"
        " WHERE tenant = :tenant AND invoice_id = :invoice"
    )
    run(connection, statement, tenant=tenant, invoice=invoice.invoice_id)
    _issue(connection, tenant, invoice, invoice.total_amount, "credit_issuance")


def _issue(connection: Connection, tenant: str, invoice: Row[Any], amount: int, kind: str) -> None:
    issue_credit(
        connection,
        tenant,
        invoice.client_id,
        amount,
        invoice_id=invoice.invoice_id,
        currency=invoice.currency_code,
        kind=kind,
        profile=invoice.profile,
    )


def _one(connection: Connection, tenant: str, invoice_id: str) -> Row[Any]:
    return fetch_one(connection, _SELECT, tenant=tenant, invoices=[invoice_id])


def _refuse_mapped(connection: Connection, tenant: str, invoice_id: str, by_sql: bool) -> None:
    mapped = fetch_one(connection, _MAPPED, tenant=tenant, invoice=invoice_id)[0]
    if mapped and not by_sql:
        raise AlgaRefusedError("This invoice is in QuickBooks; void it instead.")


def _cancellation(tenant: str, invoice: Row[Any], reason: str) -> dict[str, object]:
    return {
        "transaction_id": derived_id(invoice.invoice_id, "cancellation"),
        "tenant": tenant,
        "invoice_id": invoice.invoice_id,
        "client_id": invoice.client_id,
        "type": "invoice_cancelled",
        "amount": -invoice.total_amount,
        "currency_code": invoice.currency_code,
        "status": "completed",
        "metadata": {"reason": reason, "voided_by": "accounting"},
    }
