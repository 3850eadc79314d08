"""Retry: the cause is fixed, so what failed or waits is tried again at once."""

from __future__ import annotations

import sqlalchemy as sa

from qbo_sync_dagster.actions.cases import Case, Choice, decide, note
from qbo_sync_dagster.domain.catalogue import Action
from qbo_sync_dagster.domain.concerned_operations import concerned_operations
from qbo_sync_dagster.ledger import operations
from qbo_sync_dagster.ledger.operations import Operation
from qbo_sync_dagster.sync.adoption import DUPLICATE_NUMBER, ORPHAN


def retry(ledger: sa.Engine, choice: Choice) -> str:
    """Have what the exception is about tried again by a cycle; says what follows.

    The exception stays open until that succeeds. Raises ActionRefusedError.
    """
    return decide(ledger, choice, Action.RETRY, _retry)


def _retry(connection: sa.Connection, case: Case) -> str:
    records = concerned_operations(case.exception.kind, case.exception.record)
    failed = [
        operation
        for operation in operations.of_records(connection, case.realm, records, lock=True)
        if operation.state in ("errored", "held") and operation.reason_code != ORPHAN
    ]
    _revive(connection, failed)
    note(connection, case, after=[operation.label for operation in failed])
    what = "It is sent again" if failed else "It is looked at again"
    return (
        f"{what} by the cycle that was just asked for. Exception {case.exception.number} closes "
        "by itself if that succeeds."
    )


def _revive(connection: sa.Connection, failed: list[Operation]) -> None:
    operations.revive(connection, [operation.operation_id for operation in failed])
    # Its exception stays open until that succeeds, or until the number was looked up again.
    for operation in failed:
        looked_up = operation.reason_code == DUPLICATE_NUMBER
        operations.change(
            connection,
            [operation.operation_id],
            "queued",
            reason="Its number is looked up again." if looked_up else "Staff try it again.",
            reason_code=DUPLICATE_NUMBER if looked_up else operations.RETRIED,
        )
