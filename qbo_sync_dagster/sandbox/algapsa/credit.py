"""Client credit in AlgaPSA: issued, applied to invoices, taken back.

Every movement is one append-only `transactions` row; `credit_tracking` holds what is left of each
credit and `invoices.credit_applied` what an invoice received. A status never changes here.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from uuid import uuid4

from sqlalchemy import Connection, Row

from qbo_sync_dagster.sandbox.algapsa.errors import AlgaRefusedError
from qbo_sync_dagster.sandbox.algapsa.rows import (
    derived_id,
    fetch,
    fetch_one,
    insert_rows,
    run,
)

_TARGET = """
    SELECT client_id::text, currency_code, billing_profile_id::text AS profile, status,
        total_amount - COALESCE(credit_applied, 0) - COALESCE((SELECT sum(amount)
            FROM invoice_payments p WHERE p.tenant = i.tenant AND p.invoice_id = i.invoice_id
        ), 0) AS balance
    FROM invoices i WHERE tenant = :tenant AND invoice_id = :invoice FOR UPDATE
"""
_ELIGIBLE = """
    SELECT credit_id::text, transaction_id::text, remaining_amount::bigint AS remaining
    FROM credit_tracking
    WHERE tenant = :tenant AND client_id = :client AND currency_code = :currency
        AND NOT COALESCE(is_expired, false) AND remaining_amount > 0
        AND (billing_profile_id IS NULL OR billing_profile_id = :profile)
        AND (CAST(:credit AS uuid) IS NULL OR credit_id = CAST(:credit AS uuid))
    ORDER BY expiration_date NULLS LAST, created_at, credit_id
    FOR UPDATE
"""
_LIVE_APPLICATIONS = """
    SELECT transaction_id::text, amount, client_id::text, currency_code, metadata
    FROM transactions a
    WHERE tenant = :tenant AND invoice_id = :invoice AND type = 'credit_application'
        AND NOT EXISTS (SELECT FROM transactions r WHERE r.tenant = a.tenant
            AND r.type = 'credit_adjustment'
            AND r.metadata->>'reversal_of' = a.transaction_id::text)
    ORDER BY created_at, transaction_id
"""


@dataclass(frozen=True, slots=True)
class Draw:
    """The part of an application, in cents, that one credit paid."""

    credit_id: str
    issuance_id: str
    amount: int


@dataclass(frozen=True, slots=True)
class CreditApplication:
    """One application: its transaction, and what each credit gave to it."""

    transaction_id: str
    draws: tuple[Draw, ...]

    @property
    def amount(self) -> int:
        """Cents that the invoice received."""
        return sum(draw.amount for draw in self.draws)


def issue_credit(
    connection: Connection,
    tenant: str,
    client_id: str,
    amount: int,
    *,
    invoice_id: str | None = None,
    currency: str = "USD",
    kind: str = "credit_issuance",
    profile: str | None = None,
) -> str:
    """Give a client `amount` cents of credit; without an invoice it is a direct grant.

    Returns the credit's id.
    """
    row = _transaction(tenant, kind, amount, client_id, currency)
    if invoice_id:
        row["transaction_id"] = derived_id(invoice_id, "credit issuance")
    insert_rows(connection, "transactions", [{**row, "invoice_id": invoice_id}])
    credit = {
        "credit_id": derived_id(str(row["transaction_id"]), "credit"),
        "tenant": tenant,
        "transaction_id": row["transaction_id"],
        "amount": amount,
        "remaining_amount": amount,
        "client_id": client_id,
        "currency_code": currency,
        "billing_profile_id": profile,
    }
    insert_rows(connection, "credit_tracking", [credit])
    return str(credit["credit_id"])


def apply_credit(
    connection: Connection,
    tenant: str,
    invoice_id: str,
    amount: int | None = None,
    *,
    credit_id: str | None = None,
) -> CreditApplication | None:
    """Apply up to `amount` cents (default: all) of the client's open credit to an invoice.

    Clamped silently to the balance and to what is eligible, as AlgaPSA does; None if that is
    nothing. AlgaPSA chooses the credits itself; `credit_id` narrows the choice for a test.
    """
    invoice = fetch_one(connection, _TARGET, tenant=tenant, invoice=invoice_id)
    if invoice.status in {"draft", "cancelled"}:
        raise AlgaRefusedError(f"Credit cannot be applied to a {invoice.status} invoice.")
    wanted = invoice.balance if amount is None else min(amount, invoice.balance)
    draws = _draw(_eligible(connection, tenant, invoice, credit_id), wanted)
    return _write_application(connection, tenant, invoice_id, invoice, draws) if draws else None


def reverse_credit(connection: Connection, tenant: str, invoice_id: str) -> int:
    """Take back every live application of an invoice; returns the cents restored.

    The allocation rows remain, as in AlgaPSA, so they never tell what is applied.
    """
    live = fetch(connection, _LIVE_APPLICATIONS, tenant=tenant, invoice=invoice_id)
    for application in live:
        _restore(connection, tenant, application.metadata["applied_credits"])
        _adjust(connection, tenant, invoice_id, application)
    statement = (
        "UPDATE invoices SET credit_applied = 0 WHERE tenant = :tenant AND invoice_id = :invoice"
    )
    run(connection, statement, tenant=tenant, invoice=invoice_id)
    return -sum(int(application.amount) for application in live)


def withdraw_credit_note(connection: Connection, tenant: str, invoice_id: str) -> None:
    """Cancel the credit that a voided credit note had issued; refused once some was used."""
    statement = """
        SELECT c.credit_id::text, c.transaction_id::text, c.amount::bigint, t.client_id::text,
            c.remaining_amount::bigint AS remaining, c.currency_code
        FROM credit_tracking c
        JOIN transactions t ON t.tenant = c.tenant AND t.transaction_id = c.transaction_id
        WHERE c.tenant = :tenant AND t.invoice_id = :invoice FOR UPDATE OF c
    """
    credit = fetch_one(connection, statement, tenant=tenant, invoice=invoice_id)
    if credit.remaining != credit.amount:
        raise AlgaRefusedError("A credit note that was used cannot be voided.")
    _move_remaining(connection, tenant, credit.credit_id, -credit.amount)
    adjustment = _transaction(
        tenant, "credit_adjustment", -credit.amount, credit.client_id, credit.currency_code
    )
    reason = {
        "reversal_of": credit.transaction_id,
        "credit_id": credit.credit_id,
        "reason": "credit_note_voided",
    }
    row = {**adjustment, "invoice_id": invoice_id, "metadata": reason}
    insert_rows(connection, "transactions", [row])


def _eligible(
    connection: Connection, tenant: str, invoice: Row[Any], credit_id: str | None
) -> Sequence[Row[Any]]:
    return fetch(
        connection,
        _ELIGIBLE,
        tenant=tenant,
        client=invoice.client_id,
        currency=invoice.currency_code,
        profile=invoice.profile,
        credit=credit_id,
    )


def _draw(eligible: Sequence[Row[Any]], wanted: int) -> tuple[Draw, ...]:
    draws: list[Draw] = []
    for credit in eligible:
        taken = min(wanted, int(credit.remaining))
        if taken > 0:
            draws.append(Draw(credit.credit_id, credit.transaction_id, taken))
            wanted -= taken
    return tuple(draws)


def _write_application(
    connection: Connection,
    tenant: str,
    invoice_id: str,
    invoice: Row[Any],
    draws: tuple[Draw, ...],
) -> CreditApplication:
    total = sum(draw.amount for draw in draws)
    row = _transaction(
        tenant, "credit_application", -total, invoice.client_id, invoice.currency_code
    )
    application = CreditApplication(str(row["transaction_id"]), draws)
    for draw in draws:
        _move_remaining(connection, tenant, draw.credit_id, -draw.amount)
    details = {
        "invoice_id": invoice_id,
        "related_transaction_id": draws[-1].issuance_id,
        "metadata": {"applied_credits": [_applied(draw) for draw in draws]},
    }
    insert_rows(connection, "transactions", [{**row, **details}])
    _allocate(connection, tenant, invoice_id, application)
    return application


def _allocate(
    connection: Connection, tenant: str, invoice_id: str, application: CreditApplication
) -> None:
    allocation = {
        "tenant": tenant,
        "allocation_id": str(uuid4()),
        "transaction_id": application.transaction_id,
        "invoice_id": invoice_id,
        "amount": application.amount,
    }
    insert_rows(connection, "credit_allocations", [allocation])
    statement = (
        "UPDATE invoices SET credit_applied = COALESCE(credit_applied, 0) + :amount"
        " WHERE tenant = :tenant AND invoice_id = :invoice"
    )
    run(connection, statement, tenant=tenant, invoice=invoice_id, amount=application.amount)


def _applied(draw: Draw) -> dict[str, object]:
    return {
        "creditId": draw.credit_id,
        "amount": draw.amount,
        "transactionId": draw.issuance_id,
    }


def _restore(connection: Connection, tenant: str, applied: Sequence[Mapping[str, Any]]) -> None:
    for draw in applied:
        _move_remaining(connection, tenant, draw["creditId"], int(draw["amount"]))


def _adjust(connection: Connection, tenant: str, invoice_id: str, application: Row[Any]) -> None:
    adjustment = _transaction(
        tenant,
        "credit_adjustment",
        -application.amount,
        application.client_id,
        application.currency_code,
    )
    details = {
        "invoice_id": invoice_id,
        "related_transaction_id": application.transaction_id,
        "metadata": {"reversal_of": application.transaction_id},
    }
    insert_rows(connection, "transactions", [{**adjustment, **details}])


def _move_remaining(connection: Connection, tenant: str, credit_id: str, amount: int) -> None:
    statement = (
        "UPDATE credit_tracking SET remaining_amount = remaining_amount + :amount,"
        " updated_at = now() WHERE tenant = :tenant AND credit_id = :credit"
    )
    run(connection, statement, tenant=tenant, credit=credit_id, amount=amount)


def _transaction(
    tenant: str, kind: str, amount: int, client_id: str, currency: str
) -> dict[str, object]:
    return {
        "transaction_id": str(uuid4()),
        "tenant": tenant,
        "type": kind,
        "amount": amount,
        "client_id": client_id,
        "currency_code": currency,
        "status": "completed",
    }
