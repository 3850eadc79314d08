"""What people do in AlgaPSA on a day. An act returns False where there is nothing to do it to."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import replace
from datetime import UTC, datetime
from decimal import Decimal

import sqlalchemy as sa

from benchmarks.year.day import RECENT, Day
from qbo_sync_dagster.sandbox.algapsa import credit as client_credit
from qbo_sync_dagster.sandbox.algapsa import edits, invoices, payments, tenants
from qbo_sync_dagster.sandbox.algapsa.charges import Charge

_FINAL = """
    SELECT invoice_id::text, total_amount - COALESCE(credit_applied, 0) - COALESCE((
        SELECT sum(p.amount) FROM invoice_payments p WHERE p.invoice_id = i.invoice_id), 0)
        AS balance
    FROM invoices i
    WHERE finalized_at IS NOT NULL AND status <> 'cancelled' AND invoice_type = 'standard'
    ORDER BY invoice_date DESC, invoice_number DESC LIMIT :recent
"""
_OWN_MONEY = """
    SELECT payment_id::text, amount FROM invoice_payments p
    WHERE metadata->'qbo_sync' IS NULL AND amount > 0 AND reference_number NOT IN (
        SELECT replace(reference_number, 'reversal:', '') FROM invoice_payments
        WHERE amount < 0 AND reference_number IS NOT NULL)
        AND NOT EXISTS (SELECT FROM invoice_payments back
            WHERE back.invoice_id = p.invoice_id AND back.status = 'refunded')
    ORDER BY created_at DESC, payment_id LIMIT :recent
"""
_DRAFTS = """
    SELECT invoice_id::text FROM invoices WHERE finalized_at IS NULL ORDER BY invoice_number
"""


def bill(day: Day) -> bool:
    """AlgaPSA finalizes an invoice."""
    lines = day.chance.randint(1, 3)
    services = day.chance.sample(day.provider.services, lines)
    _finalized(day, [_charge(day, service) for service in services])
    return True


def bill_new_service(day: Day) -> bool:
    """An invoice over a service that nobody has linked yet: a gap in the mappings."""
    name = f"Project {day.number()}"
    service = day.provider.do(tenants.create_service, tenants.Service(name, 20_000))
    day.gaps.append(("service", service))
    _finalized(day, [_charge(day, service)])
    return True


def bill_new_client(day: Day) -> bool:
    """A client that QuickBooks does not know yet."""
    client = tenants.Client(f"Client {day.number()}", email="ap@example.com")
    client_id = day.provider.do(tenants.create_client, client)
    day.provider.clients.append(client_id)
    day.gaps.append(("client", client_id))
    _finalized(day, [_charge(day, day.provider.services[0])], client_id)
    return True


def credit(day: Day) -> bool:
    """AlgaPSA finalizes a credit note for a client."""
    _finalized(day, [replace(_charge(day, day.provider.services[0]), unit_price=-2_500)])
    return True


def use_credit(day: Day) -> bool:
    """AlgaPSA applies what credit a client has to one of its invoices."""
    found = _final(day)
    if found is None or found[1] <= 0:
        return False
    return day.provider.do(client_credit.apply_credit, found[0]) is not None


def take_credit_back(day: Day) -> bool:
    """AlgaPSA takes back what credit gave to an invoice."""
    found = _final(day)
    return found is not None and day.provider.do(client_credit.reverse_credit, found[0]) > 0


def void_in_algapsa(day: Day) -> bool:
    """AlgaPSA voids an invoice on which nothing was paid."""
    found = _final(day)
    if found is None:
        return False
    day.provider.do(invoices.void_invoice, found[0])
    return True


def reprice(day: Day) -> bool:
    """A hand on AlgaPSA's database changes a finalized invoice."""
    found = _final(day)
    if found is None:
        return False
    [item, *_] = day.provider.do(edits.charge_ids, found[0])
    price = day.chance.randint(1_000, 30_000)
    day.provider.do(edits.reprice_charge, found[0], item, price)
    return True


def receive_in_algapsa(day: Day) -> bool:
    """A client pays in AlgaPSA, in full or in part, by cheque or by card."""
    found = _final(day)
    if found is None or found[1] <= 0:
        return False
    amount = day.chance.choice([found[1], max(1, found[1] // 3)])
    method = day.chance.choice(["check", "stripe"])
    payment = payments.Payment(
        found[0], amount, day.provider.today, method=method, reference=f"REC {day.number()}"
    )
    day.provider.do(payments.record_payment, payment)
    return True


def bounce(day: Day) -> bool:
    """A payment that AlgaPSA recorded is taken back."""
    found = day.provider.algapsa_rows(_OWN_MONEY, recent=RECENT)
    if not found:
        return False
    day.provider.do(payments.reverse_payment, day.chance.choice(found).payment_id)
    return True


def bounce_part(day: Day) -> bool:
    """A part of a payment that AlgaPSA recorded is taken back."""
    found = day.provider.algapsa_rows(_OWN_MONEY, recent=RECENT)
    if not found:
        return False
    paid = day.chance.choice(found)
    part = max(1, paid.amount // day.chance.choice([2, 3]))
    day.provider.do(payments.reverse_payment, paid.payment_id, part)
    return True


def refund(day: Day) -> bool:
    """A client gets back all of a payment that AlgaPSA recorded, or half of it."""
    found = day.provider.algapsa_rows(_OWN_MONEY, recent=RECENT)
    if not found:
        return False
    paid = day.chance.choice(found)
    amount = day.chance.choice([paid.amount, max(1, paid.amount // 2)])
    method = day.chance.choice(["refund", "stripe_refund"])
    day.provider.do(payments.refund_payment, paid.payment_id, amount, method=method)
    return True


def reopen(day: Day) -> bool:
    """An invoice goes back to draft, which AlgaPSA's Community Edition refuses of exported ones."""
    found = _final(day)
    if found is None:
        return False
    today = datetime.now(UTC).date()
    day.provider.do(invoices.reopen_invoice, found[0], today=today)
    return True


def finalize_again(day: Day) -> bool:
    """A reopened invoice is finalized once more, changed or not."""
    drafts = day.provider.algapsa_rows(_DRAFTS)
    if not drafts:
        return False
    invoice = day.chance.choice(drafts).invoice_id
    if day.chance.random() < 0.5:
        [item, *_] = day.provider.do(edits.charge_ids, invoice)
        day.provider.do(edits.reprice_charge, invoice, item, day.chance.randint(1_000, 30_000))
    day.provider.do(invoices.finalize_invoice, invoice, today=datetime.now(UTC).date())
    return True


def delete(day: Day) -> bool:
    """An invoice is deleted for good; AlgaPSA's database refuses it where money was recorded."""
    found = _final(day)
    if found is None:
        return False
    with suppress(sa.exc.IntegrityError):
        day.provider.do(invoices.delete_invoice, found[0])
        return True
    return False


def _finalized(day: Day, charges: list[Charge], client: str | None = None) -> str:
    provider = day.provider
    who = client or day.chance.choice(provider.clients)
    draft = invoices.InvoiceDraft(who, provider.today, tuple(charges))
    invoice = provider.do(invoices.draft_invoice, draft)
    provider.do(invoices.finalize_invoice, invoice, today=datetime.now(UTC).date())
    return invoice


def _charge(day: Day, service: str) -> Charge:
    quantity = Decimal(day.chance.randint(1, 12))
    return Charge("Work", day.chance.randint(500, 25_000), quantity, service_id=service)


def _final(day: Day) -> tuple[str, int] | None:
    rows = day.provider.algapsa_rows(_FINAL, recent=RECENT)
    found = day.chance.choice(rows) if rows else None
    return (found.invoice_id, int(found.balance)) if found else None
