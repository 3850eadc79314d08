"""Dismiss: staff judged the record as it is now, and it is neither raised nor sent again so."""

from __future__ import annotations

import sqlalchemy as sa

from qbo_sync_dagster.actions.cases import Case, Choice, decide, settle
from qbo_sync_dagster.actions.payment_drift import withdraw_re_export
from qbo_sync_dagster.actions.withdrawing import close_told
from qbo_sync_dagster.domain.catalogue import Action, ExceptionKind
from qbo_sync_dagster.domain.concerned_operations import concerned_operations
from qbo_sync_dagster.domain.operation_kinds import UPDATE_DOCUMENT, VOID_DOCUMENT
from qbo_sync_dagster.ledger import operations

# What staff chose there before is withdrawn with it; held or refused it has its own exception.
_OF_VERSIONS = frozenset(
    {
        ExceptionKind.DRIFT_CHANGED,
        ExceptionKind.DRIFT_GONE,
        ExceptionKind.CHANGED_IN_ALGAPSA,
        ExceptionKind.REOPENED_IN_ALGAPSA,
        ExceptionKind.DELETED_IN_ALGAPSA,
        ExceptionKind.VOIDED_IN_ALGAPSA,
    }
)


def dismiss(ledger: sa.Engine, choice: Choice) -> str:
    """Dismiss an exception for the version it judges; says what follows.

    Its operation is withdrawn and no longer counts as pending. The same is raised again once the
    record changes. Raises ActionRefusedError.
    """
    return decide(ledger, choice, Action.DISMISS, _dismiss)


def _dismiss(connection: sa.Connection, case: Case) -> str:
    withdrawn = _withdraw(connection, case)
    settle(connection, case, how="dismissed", state="dismissed", after=case.exception.version)
    told = " Nothing of it is sent any more." if withdrawn else ""
    return (
        f'Exception {case.exception.number} ("{case.exception.title}") is dismissed for the record '
        f"as it is now.{told} It comes back if the record changes."
    )


def _withdraw(connection: sa.Connection, case: Case) -> bool:
    """Withdraw what waits; what is being sent at this moment is settled by the cycle first."""
    if case.kind is ExceptionKind.PAYMENT_DRIFT:
        # Its record is the QuickBooks payment; what waits is filed under AlgaPSA's.
        return withdraw_re_export(connection, case)
    records = concerned_operations(case.exception.kind, case.exception.record)
    states = {"queued", "held", "errored"}
    if case.kind in _OF_VERSIONS:
        records = {UPDATE_DOCUMENT: case.record_id, VOID_DOCUMENT: case.record_id}
        states = {"queued"}
    waiting = [
        operation
        for operation in operations.of_records(connection, case.realm, records, lock=True)
        if operation.state in states
    ]
    ids = [operation.operation_id for operation in waiting]
    operations.change(connection, ids, "cancelled", reason=f"dismissed: {case.reason}")
    close_told(connection, case, waiting)
    return bool(waiting)
