"""What stops the change of a pushed payment, and who is told."""

from __future__ import annotations

from datetime import date

import sqlalchemy as sa

from qbo_sync_dagster.domain.exception_record import ExceptionRecord
from qbo_sync_dagster.domain.payment_view import PaymentView, payment_differences
from qbo_sync_dagster.domain.payments_out_exceptions import (
    changed_in_quickbooks,
    push_in_closed_period,
    reversal_to_record,
)
from qbo_sync_dagster.ledger import exceptions, links, operations
from qbo_sync_dagster.sync.context import CycleContext
from qbo_sync_dagster.sync.names_shown import names_on_payments
from qbo_sync_dagster.sync.payment_books import agreed_minor
from qbo_sync_dagster.sync.payment_change import PaymentChange
from qbo_sync_dagster.sync.payments_out import CLOSED


def stop(
    connection: sa.Connection,
    ctx: CycleContext,
    change: PaymentChange,
    code: str,
    why: str,
    closing_date: date | None,
) -> None:
    """A reversal waits under its exception; what staff chose to send again is theirs to decide."""
    if change.is_re_export:
        ids = [change.operation.operation_id]
        operations.change(connection, ids, "cancelled", reason=why, reason_code=code)
        _tell_outcome(connection, ctx, change, why)
        return
    if code == CLOSED:
        record = push_in_closed_period(change.receipt, change.document, closing_date)
    else:
        lacking = agreed_minor(change.link, change.receipt) - change.receipt.net
        payment = change.link.quickbooks_id
        record = reversal_to_record(change.receipt, change.document, payment, lacking, why)
    _hold(connection, ctx.realm, change, record, code)


def _tell_outcome(
    connection: sa.Connection, ctx: CycleContext, change: PaymentChange, why: str
) -> None:
    link = change.link
    shown = PaymentView.from_json(link.shown or {})
    found = payment_differences(change.agreed, shown, change.allowance)
    if not found:
        return  # a refund explains meanwhile what was changed
    names = names_on_payments(ctx, connection, [link])
    links.update(connection, link.link_id, drift={**(link.drift or {}), "outcome": why})
    record = changed_in_quickbooks(
        link.algapsa_id,
        change.receipt.invoice_id,
        link.quickbooks_id,
        change.agreed,
        shown,
        found,
        number=change.document.number,
        named=payment_differences(change.agreed, shown, change.allowance, names),
        outcome=why,
    )
    exceptions.raise_all(connection, ctx.realm, [record])


def _hold(
    connection: sa.Connection, realm: str, change: PaymentChange, record: ExceptionRecord, code: str
) -> None:
    operations.change(
        connection,
        [change.operation.operation_id],
        "held",
        reason=record.what_happened,
        reason_code=code,
        fingerprint=change.key,
    )
    exceptions.raise_all(connection, realm, [record])
