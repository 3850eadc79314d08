"""Record refund: staff recorded in QuickBooks, in their own way, what AlgaPSA gave back."""

from __future__ import annotations

import sqlalchemy as sa

from qbo_sync_dagster.actions.cases import Case, Choice, decide, settle
from qbo_sync_dagster.actions.errors import ActionRefusedError
from qbo_sync_dagster.actions.payments import receipt_of
from qbo_sync_dagster.domain.catalogue import Action, ExceptionKind
from qbo_sync_dagster.domain.operation_kinds import CHANGE_PAYMENT
from qbo_sync_dagster.domain.own_money import Receipt
from qbo_sync_dagster.domain.payment_exceptions import payment_record
from qbo_sync_dagster.ledger import decisions, operations, payment_links
from qbo_sync_dagster.sync.engine import SyncEngine
from qbo_sync_dagster.sync.payment_books import agreed_minor


def record_refund(engine: SyncEngine, choice: Choice, target: str) -> str:
    """Say which QuickBooks object records a refund or reversal; `target` is its id or number.

    Raises ActionRefusedError and AlgaPsaError.
    """
    return decide(
        engine.ledger,
        choice,
        Action.RECORD_REFUND,
        lambda connection, case: _record_refund(engine, connection, case, target),
    )


def _record_refund(engine: SyncEngine, connection: sa.Connection, case: Case, target: str) -> str:
    recorded = target.strip()
    if not recorded:
        raise ActionRefusedError("Say which QuickBooks object records it, by its id or number.")
    rows = {case.record_id: case.exception.amounts.get("refund", 0)}
    if case.kind is ExceptionKind.REVERSAL_TO_RECORD:
        receipt = receipt_of(engine, connection, case.realm, case.record_id)
        # Those that QuickBooks took back before stay: its payment is smaller by them.
        rows = receipt.newest_reversals(_lacking(connection, case, receipt))
        filed = operations.of_records(
            connection, case.realm, {CHANGE_PAYMENT: case.record_id}, lock=True
        )
        if any(operation.state == "posting" for operation in filed):
            raise ActionRefusedError("The payment is being changed in QuickBooks at this moment.")
        ids = [operation.operation_id for operation in filed]
        operations.change(connection, ids, "cancelled", reason="Staff recorded it otherwise.")
    for row_id, minor in rows.items():
        decisions.decide(
            connection,
            case.realm,
            decisions.NewDecision(
                kind="refund_recorded",
                record=payment_record(row_id),
                amount_minor=minor,
                decided_by=case.by,
                reason=case.reason,
                detail={"quickbooks": recorded[:100]},
            ),
        )
    settle(connection, case, how=f"recorded as {recorded[:100]}")
    return f"It is on record that {recorded[:100]} in QuickBooks stands for it."


def _lacking(connection: sa.Connection, case: Case, receipt: Receipt) -> int:
    linked = payment_links.of_rows(connection, case.realm, [receipt.row_id])
    return sum(agreed_minor(link, receipt) - receipt.net for link in linked)
