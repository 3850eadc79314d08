"""Re-date: what is to be created in closed books is booked on the first open day instead."""

from __future__ import annotations

from datetime import date, timedelta

import sqlalchemy as sa

from qbo_sync_dagster.actions.cases import Case, Choice, decide, settle
from qbo_sync_dagster.actions.errors import ActionRefusedError
from qbo_sync_dagster.domain.catalogue import Action
from qbo_sync_dagster.domain.concerned_operations import concerned_operations
from qbo_sync_dagster.domain.operation_kinds import LINKED_AS
from qbo_sync_dagster.ledger import connections, decisions, operations
from qbo_sync_dagster.ledger.operations import Operation


def re_date(ledger: sa.Engine, choice: Choice) -> str:
    """Have QuickBooks date the record on the day after its closing date; says which day.

    AlgaPSA keeps its own date; the gap is kept as a named difference. Serves creates only.
    Raises ActionRefusedError.
    """
    return decide(ledger, choice, Action.RE_DATE, _re_date)


def _re_date(connection: sa.Connection, case: Case) -> str:
    operation = _held_create(connection, case)
    day = _first_open_day(connection, case)
    detail = {**operation.detail, "date": day.isoformat()}
    operations.redetail(connection, operation.operation_id, detail)
    decisions.decide(
        connection,
        case.realm,
        decisions.NewDecision(
            kind="re_dated",
            record=case.exception.record,
            decided_by=case.by,
            reason=case.reason,
            detail={"to": day.isoformat(), "exception": case.exception.number},
        ),
    )
    settle(connection, case, how=f"dated {day}", after=day.isoformat())
    return (
        f"{operation.label} goes to QuickBooks dated {day}, the first open day. AlgaPSA keeps its "
        "date; the gap is on record."
    )


def _held_create(connection: sa.Connection, case: Case) -> Operation:
    records = concerned_operations(case.exception.kind, case.exception.record)
    waiting = [
        operation
        for operation in operations.of_records(connection, case.realm, records, lock=True)
        if operation.kind in LINKED_AS and operation.state in ("held", "queued")
    ]
    if not waiting:
        raise ActionRefusedError(
            "Only what is to be created in QuickBooks can be re-dated. An update or a void waits "
            "until the period is reopened there, or is given up by accept."
        )
    return waiting[0]


def _first_open_day(connection: sa.Connection, case: Case) -> date:
    closing = (connections.get(connection, case.realm).preferences or {}).get("closing_date")
    if not closing:
        raise ActionRefusedError(
            "QuickBooks showed no closing date when it was last read. Retry instead: the period "
            "may be open again."
        )
    return date.fromisoformat(closing) + timedelta(days=1)
