"""Re-exports and voids that staff withdraw: what had been told about them is closed with them.

What belongs here: which exceptions lose their operation. What does not: withdrawing it.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping

import sqlalchemy as sa

from qbo_sync_dagster.actions.cases import Case
from qbo_sync_dagster.domain.catalogue import ExceptionKind
from qbo_sync_dagster.domain.operation_kinds import UPDATE_DOCUMENT, VOID_DOCUMENT
from qbo_sync_dagster.ledger import exceptions, operations
from qbo_sync_dagster.ledger.operations import Operation
from qbo_sync_dagster.sync import update_queue, void_queue

_TOLD: Mapping[str, Collection[ExceptionKind]] = {
    UPDATE_DOCUMENT: update_queue.TOLD,
    VOID_DOCUMENT: void_queue.TOLD,
}


def close_told(connection: sa.Connection, case: Case, withdrawn: Collection[Operation]) -> None:
    """Close what these operations of the case's document, cancelled just now, had waited under.

    What an operation that is still open may wait under stays, and so does the case itself.
    """
    both = dict.fromkeys(_TOLD, case.record_id)
    waiting = operations.of_records(connection, case.realm, both)
    exceptions.resolve(
        connection,
        case.realm,
        _kinds(withdrawn) - _kinds(waiting) - {case.kind},
        [case.exception.record],
        f"withdrawn with exception {case.exception.number}",
        case.by,
    )


def _kinds(filed: Collection[Operation]) -> set[ExceptionKind]:
    return {kind for operation in filed for kind in _TOLD.get(operation.kind, ())}
