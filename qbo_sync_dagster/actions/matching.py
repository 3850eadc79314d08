"""Match: a payment of each side is the same money. The two are linked, and nothing moves.

What belongs here: the link and what it closes. What does not: payments from before the sync, which
`history` matches.
"""

from __future__ import annotations

import sqlalchemy as sa

from qbo_sync_dagster.actions.cases import Case, Choice, decide, one_of, settle
from qbo_sync_dagster.actions.errors import ActionRefusedError
from qbo_sync_dagster.actions.matching_credit import match_credit
from qbo_sync_dagster.actions.payments import (
    held_by_quickbooks,
    is_row,
    receipt_of,
    shown_by_algapsa,
    withdraw_push,
)
from qbo_sync_dagster.domain.catalogue import Action, ExceptionKind
from qbo_sync_dagster.domain.money import format_minor
from qbo_sync_dagster.domain.own_money import Receipt
from qbo_sync_dagster.domain.payment_exceptions import payment_record
from qbo_sync_dagster.domain.payments_out_exceptions import PUSH_KINDS
from qbo_sync_dagster.ledger import exceptions, inbox, links, payment_links
from qbo_sync_dagster.ledger.errors import DoubleLinkError
from qbo_sync_dagster.ledger.payment_links import NewPaymentLink
from qbo_sync_dagster.sync.engine import SyncEngine


def match(engine: SyncEngine, choice: Choice, target: str = "") -> str:
    """Say that a payment of each side is the same money: the two are linked, nothing moves.

    `target` names the other one: AlgaPSA's payment, or the transaction that applied credit, for an
    exception of a QuickBooks payment, and the other way round. Raises ActionRefusedError where the
    amounts differ, and AlgaPsaError.
    """
    return decide(
        engine.ledger,
        choice,
        Action.MATCH,
        lambda connection, case: _match(engine, connection, case, target),
    )


def _match(engine: SyncEngine, connection: sa.Connection, case: Case, target: str) -> str:
    if named := _credit_meant(case, target):
        return match_credit(engine, connection, case, named)
    row_id, payment_id = _pair(case, target)
    receipt = receipt_of(engine, connection, case.realm, row_id)
    _refuse_unequal(engine, connection, case, receipt, payment_id)
    [*linked] = payment_links.of_rows(connection, case.realm, [row_id])
    if any(link.quickbooks_id != payment_id or link.is_pushed for link in linked):
        raise ActionRefusedError(
            f"AlgaPSA's payment {row_id} is linked to QuickBooks payment "
            f"{linked[0].quickbooks_id} already."
        )
    withdraw_push(connection, case.realm, row_id)
    snapshot = {"total_minor": receipt.net, "taken_before": receipt.taken_back}
    if linked:
        links.update(connection, linked[0].link_id, snapshot=snapshot, accepted_minor=0)
    else:
        new = NewPaymentLink(row_id, payment_id, receipt.invoice_id, "matched", snapshot)
        try:
            payment_links.add(connection, case.realm, [new])
        except DoubleLinkError as error:
            raise ActionRefusedError(str(error)) from error
    inbox.reopen(connection, case.realm, "Payment", [payment_id])
    settle(connection, case, how="matched", after={"row": row_id, "payment": payment_id})
    _close_others(connection, case, row_id, payment_id)
    return (
        f"AlgaPSA's payment and QuickBooks payment {payment_id} are the same money now. Nothing "
        "was written to either side."
    )


def _credit_meant(case: Case, target: str) -> str | None:
    """The application of credit that is meant and not a payment, by its transaction."""
    applied = case.named("algapsa", "credit_application")
    if not applied:
        return None
    named = one_of([*case.named("algapsa", "payment"), *applied], target, "payment of AlgaPSA")
    return named if named.partition(":")[0] in applied else None


def _pair(case: Case, target: str) -> tuple[str, str]:
    """(AlgaPSA's payment row, QuickBooks payment) that are meant."""
    if is_row(case.record_id):
        named = case.named("quickbooks", "Payment")
        return case.record_id, one_of(named, target, "payment of QuickBooks")
    named = case.named("algapsa", "payment")
    row_id = one_of(named, target, "payment of AlgaPSA")
    if not is_row(row_id):
        listed = f" Named there: {', '.join(named)}." if named else ""
        raise ActionRefusedError(
            f"This exception is about QuickBooks payment {case.record_id}: name the payment of "
            f"AlgaPSA that is the same money, by its id there. {row_id} is none.{listed}"
        )
    return row_id, case.record_id


def _refuse_unequal(
    engine: SyncEngine, connection: sa.Connection, case: Case, receipt: Receipt, payment_id: str
) -> None:
    asked = held_by_quickbooks(connection, case.realm, receipt.invoice_id, payment_id)
    stands = shown_by_algapsa(engine, connection, case.realm, receipt.invoice_id, payment_id)
    shows = stands + receipt.net
    if asked != shows:
        raise ActionRefusedError(
            f"QuickBooks payment {payment_id} holds {format_minor(asked)} on that invoice, and "
            f"AlgaPSA would show {format_minor(shows)} for it. Only equal amounts can be matched: "
            "correct one of the two first."
        )


def _close_others(connection: sa.Connection, case: Case, row_id: str, payment_id: str) -> None:
    records = [payment_record(row_id), payment_record(payment_id)]
    kinds = [*PUSH_KINDS, ExceptionKind.PAYMENT_DRIFT]
    exceptions.resolve(connection, case.realm, kinds, records, "Staff matched the two.", case.by)
