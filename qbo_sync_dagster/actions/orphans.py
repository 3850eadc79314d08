"""Orphans: something was sent to QuickBooks, and only a person can tell whether it arrived."""

from __future__ import annotations

import sqlalchemy as sa

from qbo_sync_dagster.actions.adopting import link_adopted, refuse_entered, refuse_stranger
from qbo_sync_dagster.actions.cases import Case, Choice, decide, one_of, settle
from qbo_sync_dagster.actions.errors import ActionRefusedError
from qbo_sync_dagster.actions.values import read_quickbooks_id
from qbo_sync_dagster.domain.catalogue import Action
from qbo_sync_dagster.domain.concerned_operations import concerned_operations
from qbo_sync_dagster.domain.operation_kinds import LINKED_AS
from qbo_sync_dagster.ledger import operations
from qbo_sync_dagster.ledger.errors import DoubleLinkError
from qbo_sync_dagster.ledger.operations import Operation
from qbo_sync_dagster.sync.adoption import ORPHAN
from qbo_sync_dagster.sync.engine import SyncEngine


def adopt(engine: SyncEngine, choice: Choice, quickbooks_id: str = "") -> str:
    """Link the object that staff found; without an id the only candidate of the exception.

    The next cycle reads the object and compares it. Raises ActionRefusedError and AlgaPsaError.
    """

    def act(connection: sa.Connection, case: Case) -> str:
        return _adopt(engine, connection, case, quickbooks_id)

    return decide(engine.ledger, choice, Action.ADOPT, act)


def send_again(ledger: sa.Engine, choice: Choice) -> str:
    """Have it sent once more, since staff found nothing of it. Raises ActionRefusedError."""
    return decide(ledger, choice, Action.SEND_AGAIN, _send_again)


def _adopt(engine: SyncEngine, connection: sa.Connection, case: Case, quickbooks_id: str) -> str:
    operation = _orphan(connection, case)
    candidates = [
        record["id"] for record in case.exception.records if record["side"] == "quickbooks"
    ]
    named = one_of(candidates, quickbooks_id, "QuickBooks object")
    object_id = read_quickbooks_id(named, "QuickBooks id")
    refuse_stranger(connection, case.realm, operation, object_id)
    refuse_entered(engine, connection, case.realm, operation, object_id)
    operations.change(connection, [operation.operation_id], "done", reason="adopted by staff")
    try:
        link_adopted(connection, case.realm, operation, object_id)
    except DoubleLinkError as error:
        raise ActionRefusedError(
            f"{operation.label}, or the QuickBooks object {object_id}, is linked already. Nothing "
            "was changed."
        ) from error
    settle(connection, case, how=f"adopted QuickBooks object {object_id}", after=object_id)
    return (
        f"{operation.label} is linked to QuickBooks object {object_id}. The next cycle reads it "
        "and compares the two."
    )


def _send_again(connection: sa.Connection, case: Case) -> str:
    operation = _orphan(connection, case)
    # Another attempt has another request id: under the old one QuickBooks might repeat an answer.
    operations.change(
        connection,
        [operation.operation_id],
        "queued",
        reason="sent again by staff",
        more_attempts=1,
    )
    settle(connection, case, how="sent again", after=operation.label)
    return f"{operation.label} is sent again by the cycle that was just asked for."


def _orphan(connection: sa.Connection, case: Case) -> Operation:
    records = concerned_operations(case.exception.kind, case.exception.record)
    held = [
        operation
        for operation in operations.of_records(connection, case.realm, records, lock=True)
        if operation.reason_code == ORPHAN and operation.kind in LINKED_AS
    ]
    if not held:
        raise ActionRefusedError(
            "What was sent is settled by now. The next cycle closes the exception."
        )
    return held[0]
