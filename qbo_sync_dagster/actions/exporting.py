"""Export: what is dated before go-live is sent to QuickBooks all the same, with its own date."""

from __future__ import annotations

import sqlalchemy as sa

from qbo_sync_dagster.actions.cases import Case, Choice, decide, settle
from qbo_sync_dagster.domain.catalogue import Action
from qbo_sync_dagster.ledger import decisions
from qbo_sync_dagster.sync.before_go_live import EARLY


def export_early(ledger: sa.Engine, choice: Choice) -> str:
    """Have a cycle send what an exception names, whatever its date; says what follows.

    Its number is looked up first, as always. Raises ActionRefusedError.
    """
    return decide(ledger, choice, Action.EXPORT, _export)


def _export(connection: sa.Connection, case: Case) -> str:
    decision = decisions.NewDecision(
        kind=EARLY,
        record=case.exception.record,
        decided_by=case.by,
        reason=case.reason,
        detail={"exception": case.exception.number},
    )
    decisions.decide(connection, case.realm, decision)
    settle(connection, case, how="exported although dated before go-live")
    return (
        "It is sent to QuickBooks with its own date by the cycle that was just asked for, unless "
        "QuickBooks has it already."
    )
