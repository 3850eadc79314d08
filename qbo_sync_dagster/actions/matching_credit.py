"""Match a QuickBooks payment with credit that AlgaPSA applied: both settle the same part.

What belongs here: the link, kept per credit that the application drew on. What does not: payments
of credit memos that are linked, which the rules for credits pair by themselves.
"""

from __future__ import annotations

from collections.abc import Sequence

import sqlalchemy as sa

from qbo_sync_dagster.actions.cases import Case, settle
from qbo_sync_dagster.actions.errors import ActionRefusedError
from qbo_sync_dagster.actions.payments import held_by_quickbooks, shown_by_algapsa
from qbo_sync_dagster.domain.algapsa_payments import CreditApplication
from qbo_sync_dagster.domain.credit_exceptions import WAITING_KINDS
from qbo_sync_dagster.domain.credits import CreditParts, credit_record
from qbo_sync_dagster.domain.money import format_minor
from qbo_sync_dagster.domain.operation_kinds import APPLY_CREDIT
from qbo_sync_dagster.ledger import connections, credit_links, exceptions, inbox, operations
from qbo_sync_dagster.ledger.credit_links import NewCreditLink
from qbo_sync_dagster.sync.engine import SyncEngine


def match_credit(engine: SyncEngine, connection: sa.Connection, case: Case, named: str) -> str:
    """Link the case's QuickBooks payment with an application, named by its transaction.

    Nothing of the application is sent to QuickBooks any more. Raises ActionRefusedError where the
    amounts differ, and AlgaPsaError.
    """
    found = _applied(engine, connection, case, named)
    payment_id = case.record_id
    _refuse_unequal(engine, connection, case, found)
    _withdraw(connection, case.realm, found)
    credit_links.add(
        connection,
        case.realm,
        [NewCreditLink(each.key, payment_id, "matched", *_parts(each)) for each in found],
    )
    inbox.reopen(connection, case.realm, "Payment", [payment_id])
    keys = [each.key for each in found]
    settle(connection, case, how="matched", after={"credit": keys, "payment": payment_id})
    records = [credit_record(key) for key in keys]
    reason = "Staff matched the two."
    exceptions.resolve(connection, case.realm, WAITING_KINDS, records, reason, case.by)
    return (
        f"The credit that AlgaPSA applied and QuickBooks payment {payment_id} are the same money "
        "now. Nothing was written to either side."
    )


def _parts(application: CreditApplication) -> tuple[CreditParts, CreditParts]:
    """What each side has of it: in QuickBooks the invoice was settled without the credit note."""
    in_quickbooks = CreditParts("", application.invoice_id, application.minor)
    return CreditParts.of(application), in_quickbooks


def _applied(
    engine: SyncEngine, connection: sa.Connection, case: Case, named: str
) -> list[CreditApplication]:
    algapsa = engine.open_algapsa(connections.get(connection, case.realm))
    transaction = named.partition(":")[0]
    found = [
        each
        for each in algapsa.credit_applications(case.named("algapsa", "invoice"))
        if each.transaction_id == transaction and not each.is_reversed
    ]
    if not found:
        raise ActionRefusedError("AlgaPSA took that application of credit back.")
    if credit_links.of_keys(connection, case.realm, [each.key for each in found]):
        raise ActionRefusedError(
            "That application of credit is linked to a payment of QuickBooks already."
        )
    return found


def _refuse_unequal(
    engine: SyncEngine, connection: sa.Connection, case: Case, found: Sequence[CreditApplication]
) -> None:
    """One application settles one invoice, whichever credits it drew on."""
    invoice_id, payment_id = found[0].invoice_id, case.record_id
    asked = held_by_quickbooks(connection, case.realm, invoice_id, payment_id)
    applied = sum(each.minor for each in found)
    # A payment that was raised is the same money by its increase.
    shows = applied + shown_by_algapsa(engine, connection, case.realm, invoice_id, payment_id)
    if asked != shows:
        raise ActionRefusedError(
            f"QuickBooks payment {payment_id} holds {format_minor(asked)} on that invoice, and "
            f"AlgaPSA would show {format_minor(shows)} for it, {format_minor(applied)} of that "
            "credit. Only equal amounts can be matched: correct one of the two first."
        )


def _withdraw(connection: sa.Connection, realm: str, found: Sequence[CreditApplication]) -> None:
    """Take their pushes out of the queue. Raises ActionRefusedError while one is being sent."""
    for each in found:
        filed = operations.of_records(connection, realm, {APPLY_CREDIT: each.key}, lock=True)
        if any(operation.state == "posting" for operation in filed):
            raise ActionRefusedError(
                "The credit is being applied in QuickBooks at this moment. Look again after the "
                "next cycle."
            )
        ids = [operation.operation_id for operation in filed]
        operations.change(connection, ids, "cancelled", reason="Staff matched it.")
