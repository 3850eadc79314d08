"""What stands in the demo AlgaPSA, for assertions: each function opens its own transaction.

The engine has its own reading of AlgaPSA; this one is kept apart so that it can check it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

from sqlalchemy import Engine

from qbo_sync_dagster.sandbox.algapsa.rows import fetch, fetch_one

_STATE = """
    SELECT i.invoice_id::text, i.invoice_number, i.invoice_type, i.status, i.client_id::text,
        (i.invoice_date AT TIME ZONE 'UTC')::date AS invoice_date, i.total_amount,
        i.currency_code, COALESCE(i.credit_applied, 0) AS credit_applied, i.finalized_at,
        i.updated_at, COALESCE((SELECT sum(p.amount) FROM invoice_payments p
            WHERE p.tenant = i.tenant AND p.invoice_id = i.invoice_id), 0)::bigint AS paid
    FROM invoices i
"""


@dataclass(frozen=True, slots=True)
class InvoiceState:
    """An invoice's header with what was paid and credited, in cents."""

    invoice_id: str
    number: str
    type: str
    status: str
    client_id: str
    invoice_date: date
    total: int
    currency: str
    credit_applied: int
    finalized_at: datetime | None
    updated_at: datetime | None
    paid: int

    @property
    def balance(self) -> int:
        """Cents still owed: total minus credit minus all payment rows of whatever status."""
        return self.total - self.credit_applied - self.paid


@dataclass(frozen=True, slots=True)
class PaymentRow:
    """One `invoice_payments` row; `amount` in cents, negative for a movement back."""

    payment_id: str
    invoice_id: str
    amount: int
    method: str | None
    payment_date: datetime
    reference: str | None
    status: str
    metadata: Mapping[str, Any]
    created_at: datetime


@dataclass(frozen=True, slots=True)
class TransactionRow:
    """One `transactions` row; `amount` in cents with AlgaPSA's sign."""

    transaction_id: str
    invoice_id: str | None
    type: str
    amount: int
    currency: str
    reference: str | None
    related_transaction_id: str | None
    metadata: Mapping[str, Any] | None


@dataclass(frozen=True, slots=True)
class CreditState:
    """One credit with what is left of it, in cents, and the document that issued it."""

    credit_id: str
    source_invoice_id: str | None
    amount: int
    remaining: int


def invoice_state(engine: Engine, invoice_id: str) -> InvoiceState:
    """One invoice; raises sqlalchemy's NoResultFound if it is gone."""
    with engine.connect() as connection:
        return InvoiceState(
            *fetch_one(connection, f"{_STATE} WHERE i.invoice_id = :invoice", invoice=invoice_id)
        )


def invoice_states(engine: Engine, tenant: str) -> list[InvoiceState]:
    """Every invoice of a tenant in order of number."""
    statement = f"{_STATE} WHERE i.tenant = :tenant ORDER BY i.invoice_number"
    with engine.connect() as connection:
        return [InvoiceState(*row) for row in fetch(connection, statement, tenant=tenant)]


def payment_rows(engine: Engine, invoice_id: str) -> list[PaymentRow]:
    """The invoice's payment rows in the order in which they were written."""
    statement = """
        SELECT payment_id::text, invoice_id::text, amount, payment_method, payment_date,
            reference_number, status, COALESCE(metadata, '{}'), created_at
        FROM invoice_payments WHERE invoice_id = :invoice ORDER BY created_at, payment_id
    """
    with engine.connect() as connection:
        return [PaymentRow(*row) for row in fetch(connection, statement, invoice=invoice_id)]


def transaction_rows(engine: Engine, invoice_id: str) -> list[TransactionRow]:
    """The invoice's transactions in the order in which they were written."""
    statement = """
        SELECT transaction_id::text, invoice_id::text, type, amount, currency_code,
            reference_number, related_transaction_id::text, metadata
        FROM transactions WHERE invoice_id = :invoice ORDER BY created_at, transaction_id
    """
    with engine.connect() as connection:
        return [TransactionRow(*row) for row in fetch(connection, statement, invoice=invoice_id)]


def credit_states(engine: Engine, client_id: str) -> list[CreditState]:
    """A client's credits, oldest first."""
    statement = """
        SELECT c.credit_id::text, t.invoice_id::text, c.amount::bigint,
            c.remaining_amount::bigint
        FROM credit_tracking c
        JOIN transactions t ON t.tenant = c.tenant AND t.transaction_id = c.transaction_id
        WHERE c.client_id = :client ORDER BY c.created_at, c.credit_id
    """
    with engine.connect() as connection:
        return [CreditState(*row) for row in fetch(connection, statement, client=client_id)]


def mapping_rows(engine: Engine, tenant: str) -> list[Mapping[str, Any]]:
    """Every external mapping of a tenant, oldest first, with all its columns."""
    statement = (
        "SELECT * FROM tenant_external_entity_mappings WHERE tenant = :tenant"
        " ORDER BY created_at, alga_entity_id"
    )
    with engine.connect() as connection:
        return [dict(row._mapping) for row in fetch(connection, statement, tenant=tenant)]
