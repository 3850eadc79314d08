"""Not from AlgaPSA: QuickBooks invoices that are remembered as nobody's business here."""

from __future__ import annotations

import sqlalchemy as sa

from qbo_sync_dagster.actions.cases import Case, Choice, decide, one_of, settle
from qbo_sync_dagster.actions.errors import ActionRefusedError
from qbo_sync_dagster.domain.catalogue import Action
from qbo_sync_dagster.ledger import decisions, inbox
from qbo_sync_dagster.sync.engine import SyncEngine
from qbo_sync_dagster.sync.payment_intake import NOT_OURS


def not_from_algapsa(engine: SyncEngine, choice: Choice, target: str = "") -> str:
    """Say that QuickBooks invoices are not from AlgaPSA: the payment's other lines apply.

    Without `target` all unknown invoices of the payment are meant. Raises ActionRefusedError.
    """
    return decide(
        engine.ledger,
        choice,
        Action.NOT_FROM_ALGAPSA,
        lambda connection, case: _not_from_algapsa(connection, case, target),
    )


def _not_from_algapsa(connection: sa.Connection, case: Case, target: str) -> str:
    unknown = case.named("quickbooks", "Invoice")
    meant = [one_of(unknown, target, "invoice of QuickBooks")] if target.strip() else unknown
    if not meant or not set(meant) <= set(unknown):
        raise ActionRefusedError(
            "That is none of the unknown invoices of this payment: " + ", ".join(unknown) + "."
        )
    for invoice in meant:
        decisions.decide(
            connection,
            case.realm,
            decisions.NewDecision(
                kind="not_from_algapsa",
                record=f"{NOT_OURS}{invoice}",
                decided_by=case.by,
                reason=case.reason,
            ),
        )
    inbox.reopen(connection, case.realm, "Payment", [case.record_id])
    settle(connection, case, how="not from AlgaPSA", after=meant)
    return (
        "These QuickBooks invoices are remembered as not from AlgaPSA. What the payment gives to "
        "other invoices applies itself in the next cycle."
    )
