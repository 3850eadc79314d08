"""Both are real: payments that look like the same money are told apart, and each goes its way.

What belongs here: the decision, kept on both records. What does not: how far each is applied, which
the next cycle sees.
"""

from __future__ import annotations

import sqlalchemy as sa

from qbo_sync_dagster.actions.cases import Case, Choice, decide, settle
from qbo_sync_dagster.actions.payments import is_row, receipt_of
from qbo_sync_dagster.domain.catalogue import Action
from qbo_sync_dagster.domain.operation_kinds import PUSH_PAYMENT
from qbo_sync_dagster.domain.own_money import own_money
from qbo_sync_dagster.domain.payment_exceptions import payment_record
from qbo_sync_dagster.ledger import connections, decisions, operations, payment_links
from qbo_sync_dagster.sync.adoption import ORPHAN
from qbo_sync_dagster.sync.engine import SyncEngine

_ANY_PAYMENT = "payment:any"


def both_real(engine: SyncEngine, choice: Choice, target: str = "") -> str:
    """Say that the payments are different money: each goes as far as its invoice allows.

    Raises ActionRefusedError and AlgaPsaError.
    """
    return decide(
        engine.ledger,
        choice,
        Action.BOTH_REAL,
        lambda connection, case: _both_real(engine, connection, case, target),
    )


def _both_real(engine: SyncEngine, connection: sa.Connection, case: Case, target: str) -> str:
    if is_row(case.record_id):
        pairs = _of_row(engine, connection, case, target)
    else:
        pairs = _of_payment(engine, connection, case)
    for row, payment, invoice_id in pairs:
        for record, counterpart in ((row, payment), (payment, row)):
            if record not in ("", _ANY_PAYMENT):
                decisions.decide(
                    connection,
                    case.realm,
                    decisions.NewDecision(
                        kind="both_real",
                        record=record,
                        counterpart=counterpart,
                        decided_by=case.by,
                        reason=case.reason,
                        detail={"invoice_id": invoice_id},
                    ),
                )
        held = {PUSH_PAYMENT: row.removeprefix("payment:")}
        filed = operations.of_records(connection, case.realm, held, lock=True)
        # A push in doubt is not told apart by this: staff first say whether it arrived.
        waiting = [
            each.operation_id
            for each in filed
            if each.state == "held" and each.reason_code != ORPHAN
        ]
        operations.revive(connection, waiting)
    settle(connection, case, how="both are real")
    return (
        "Both payments count. Each is applied on the other side as far as its invoice allows; what "
        "does not fit stays unapplied and is on record."
    )


def _of_row(
    engine: SyncEngine, connection: sa.Connection, case: Case, target: str
) -> list[tuple[str, str, str]]:
    invoice_id = receipt_of(engine, connection, case.realm, case.record_id).invoice_id
    meant = [target.strip()] if target.strip() else case.named("quickbooks", "Payment")
    payments = [payment_record(each) for each in meant] or [_ANY_PAYMENT]
    return [(payment_record(case.record_id), payment, invoice_id) for payment in payments]


def _of_payment(
    engine: SyncEngine, connection: sa.Connection, case: Case
) -> list[tuple[str, str, str]]:
    """The payment with each of AlgaPSA's own payments on its invoices that has no counterpart."""
    payment = payment_record(case.record_id)
    invoices = case.named("algapsa", "invoice")
    algapsa = engine.open_algapsa(connections.get(connection, case.realm))
    receipts = [
        receipt
        for invoice_id in invoices
        for receipt in own_money(algapsa.payments([invoice_id])).receipts
        if receipt.net > 0
    ]
    rows = [receipt.row_id for receipt in receipts]
    linked = {link.algapsa_id for link in payment_links.of_rows(connection, case.realm, rows)}
    pairs = [
        (payment_record(receipt.row_id), payment, receipt.invoice_id)
        for receipt in receipts
        if receipt.row_id not in linked
    ]
    bare = set(invoices) - {invoice for _, _, invoice in pairs}
    return [*pairs, *(("", payment, invoice_id) for invoice_id in sorted(bare))]
