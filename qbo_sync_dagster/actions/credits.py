"""Decisions about credit notes: used differently on both sides, or no longer carried by a payment.

Nothing moves by itself on either side. What stands apart is kept as a decision with its amount.
"""

from __future__ import annotations

import sqlalchemy as sa

from qbo_sync_dagster.actions.cases import Case, Choice, decide, settle
from qbo_sync_dagster.actions.errors import ActionRefusedError
from qbo_sync_dagster.domain.algapsa_payments import CreditApplication
from qbo_sync_dagster.domain.catalogue import Action
from qbo_sync_dagster.domain.credits import credit_label, credit_record
from qbo_sync_dagster.domain.operation_kinds import APPLY_CREDIT
from qbo_sync_dagster.domain.payment_exceptions import payment_record
from qbo_sync_dagster.ledger import (
    connections,
    credit_links,
    decisions,
    exceptions,
    links,
    operations,
)
from qbo_sync_dagster.sync.engine import SyncEngine


def carries_credit(ledger: sa.Engine, number: int) -> bool:
    """Whether an exception is about a payment that stands for credit that AlgaPSA applied."""
    with ledger.connect() as connection:
        found = exceptions.get(connection, number)
        if found is None:
            return False
        payment_id = found.record.partition(":")[2]
        return bool(credit_links.of_payments(connection, found.realm, [payment_id]))


def accept_uses(engine: SyncEngine, choice: Choice) -> str:
    """Accept that the two systems used a credit note in different ways; says what follows.

    AlgaPSA's applications are never sent, and QuickBooks' never received.
    Raises ActionRefusedError and AlgaPsaError.
    """

    def act(connection: sa.Connection, case: Case) -> str:
        return _accept_uses(engine, connection, case)

    return decide(engine.ledger, choice, Action.ACCEPT, act)


def accept_loss(engine: SyncEngine, choice: Choice) -> str:
    """Accept that QuickBooks took credit off again that AlgaPSA applied.

    Raises ActionRefusedError.
    """
    return decide(engine.ledger, choice, Action.ACCEPT, _accept_loss)


def apply_again(engine: SyncEngine, choice: Choice) -> str:
    """Have a cycle apply credit in QuickBooks anew that its payment no longer carries.

    Raises ActionRefusedError and AlgaPsaError.
    """

    def act(connection: sa.Connection, case: Case) -> str:
        return _apply_again(engine, connection, case)

    return decide(engine.ledger, choice, Action.RE_EXPORT, act)


def _accept_uses(engine: SyncEngine, connection: sa.Connection, case: Case) -> str:
    keys = set(case.named("algapsa", "credit_application"))
    applications = [each for each in _live(engine, connection, case) if each.key in keys]
    for application in applications:
        _withdraw(connection, case, application)
        _remember(
            connection,
            case,
            case.exception.record,
            credit_record(application.key),
            application.minor,
        )
    for payment_id in case.named("quickbooks", "Payment"):
        amount = case.exception.amounts.get(f"QuickBooks by payment {payment_id}", 0)
        _remember(connection, case, case.exception.record, payment_record(payment_id), amount)
    settle(connection, case, how="accepted", after=[each.key for each in applications])
    told = ", ".join(credit_label(each) for each in applications) or "Nothing of AlgaPSA"
    return (
        f"{told} stays as it is, and so does what QuickBooks applied. Nothing is sent or received; "
        "the amounts are kept as accepted differences."
    )


def _live(engine: SyncEngine, connection: sa.Connection, case: Case) -> list[CreditApplication]:
    algapsa = engine.open_algapsa(connections.get(connection, case.realm))
    return [each for each in algapsa.credit_applications() if not each.is_reversed]


def _withdraw(connection: sa.Connection, case: Case, application: CreditApplication) -> None:
    filed = operations.of_records(
        connection, case.realm, {APPLY_CREDIT: application.key}, lock=True
    )
    if any(operation.state == "posting" for operation in filed):
        raise ActionRefusedError(
            "The application is being sent to QuickBooks at this moment. Nothing was accepted; "
            "look again after the next cycle."
        )
    ids = [operation.operation_id for operation in filed]
    operations.change(connection, ids, "cancelled", reason=f"accepted: {case.reason}")


def _accept_loss(connection: sa.Connection, case: Case) -> str:
    carried = credit_links.of_payments(connection, case.realm, [case.record_id])
    for link in carried:
        links.update(connection, link.link_id, state="accepted")
        minor = link.in_quickbooks.minor if link.in_quickbooks else 0
        _remember(connection, case, credit_record(link.key), case.exception.record, -minor)
    settle(connection, case, how="accepted", after=[link.key for link in carried])
    return (
        "AlgaPSA keeps its credit application and nothing more of it is sent. The amount is kept "
        "as an accepted difference."
    )


def _apply_again(engine: SyncEngine, connection: sa.Connection, case: Case) -> str:
    live = {each.key for each in _live(engine, connection, case)}
    carried = credit_links.of_payments(connection, case.realm, [case.record_id])
    if not all(link.key in live for link in carried):
        raise ActionRefusedError(
            "AlgaPSA has taken the credit application back, so there is nothing to send. Take the "
            "credit off the invoice in QuickBooks, or accept this."
        )
    credit_links.close(connection, [link.link_id for link in carried])
    settle(connection, case, how="sent again", after=[link.key for link in carried])
    return "The credit is applied in QuickBooks again by the cycle that was just asked for."


def _remember(
    connection: sa.Connection, case: Case, record: str, counterpart: str, amount_minor: int
) -> None:
    decisions.decide(
        connection,
        case.realm,
        decisions.NewDecision(
            kind="accepted",
            record=record,
            counterpart=counterpart,
            decided_by=case.by,
            amount_minor=amount_minor,
            reason=case.reason,
            detail={"exception": case.exception.number, "kind": case.exception.kind},
        ),
    )
