"""Accepting that closed books stay as they are: what was to be taken back there stays there.

What belongs here: voids, reversals and removed credit that wait for a period to be reopened. What
does not: creates, which can be re-dated instead.
"""

from __future__ import annotations

from collections.abc import Callable

import sqlalchemy as sa

from qbo_sync_dagster.actions.accepting import accept
from qbo_sync_dagster.actions.cases import Case, Choice, decide, open_case, settle
from qbo_sync_dagster.actions.errors import ActionRefusedError
from qbo_sync_dagster.domain.algapsa_payments import PaymentRecord
from qbo_sync_dagster.domain.catalogue import Action
from qbo_sync_dagster.domain.money import format_minor
from qbo_sync_dagster.domain.operation_kinds import (
    CHANGE_PAYMENT,
    PUSH_PAYMENT,
    RECORD_KINDS,
    REMOVE_CREDIT,
)
from qbo_sync_dagster.domain.own_money import own_money
from qbo_sync_dagster.ledger import (
    connections,
    credit_links,
    decisions,
    links,
    operations,
    payment_links,
)
from qbo_sync_dagster.ledger.payment_links import PaymentLink
from qbo_sync_dagster.sync.engine import SyncEngine

_ONLY_WHAT_IS_TAKEN_BACK = (
    "Only what is to be voided or taken back can be given up here. Re-date what is to be created; "
    "where an update waits, accept QuickBooks' version in the record's own exception."
)


def accept_closed(engine: SyncEngine, choice: Choice) -> str:
    """Give up what waits for closed books; QuickBooks keeps what it has, by name.

    Raises ActionRefusedError and AlgaPsaError.
    """
    with engine.ledger.connect() as connection:
        case = open_case(connection, choice, Action.ACCEPT)
    act = _of_record(engine, case)
    if act is None:
        return accept(engine, choice)
    return decide(engine.ledger, choice, Action.ACCEPT, act)


def _of_record(engine: SyncEngine, case: Case) -> Callable[[sa.Connection, Case], str] | None:
    kind = case.exception.record.partition(":")[0]
    if kind == RECORD_KINDS[REMOVE_CREDIT]:
        return _keep_credit
    if kind == RECORD_KINDS[PUSH_PAYMENT]:
        return lambda connection, own: _keep_payment(engine, connection, own)
    return None


def _keep_payment(engine: SyncEngine, connection: sa.Connection, case: Case) -> str:
    """The reversal is not carried to QuickBooks: the payment stands there as it was pushed."""
    _withdraw(connection, case, CHANGE_PAYMENT)
    linked = [
        link
        for link in payment_links.of_rows(connection, case.realm, [case.record_id])
        if link.is_pushed
    ]
    if not linked:
        raise ActionRefusedError(_ONLY_WHAT_IS_TAKEN_BACK)
    [link] = linked
    kept = _stands(link) - _held_by_algapsa(engine, connection, case)
    links.update(connection, link.link_id, accepted_minor=-kept)
    _keep(connection, case, kept)
    return (
        f"QuickBooks keeps payment {link.quickbooks_id} as it is. It has {format_minor(kept)} more "
        "than AlgaPSA; that is kept as an accepted difference."
    )


def _stands(link: PaymentLink) -> int:
    return int((link.snapshot or {}).get("total_minor", 0))


def _held_by_algapsa(engine: SyncEngine, connection: sa.Connection, case: Case) -> int:
    """What AlgaPSA holds of the payment after what it took back, in minor units."""
    algapsa = engine.open_algapsa(connections.get(connection, case.realm))
    invoices = algapsa.invoices_of_payments([case.record_id])
    rows: list[PaymentRecord] = algapsa.payments(sorted(set(invoices.values())))
    recorded = {
        decision.record.partition(":")[2]
        for decision in decisions.of_kind(connection, case.realm, "refund_recorded")
    }
    receipts = own_money(rows, recorded).receipts
    return sum(each.net for each in receipts if each.row_id == case.record_id)


def _keep_credit(connection: sa.Connection, case: Case) -> str:
    """The application stays in QuickBooks although AlgaPSA took it back."""
    _withdraw(connection, case, REMOVE_CREDIT)
    found = credit_links.of_keys(connection, case.realm, [case.record_id])
    if case.record_id not in found:
        raise ActionRefusedError(_ONLY_WHAT_IS_TAKEN_BACK)
    link = found[case.record_id]
    links.update(connection, link.link_id, state="accepted")
    _keep(connection, case, link.in_quickbooks.minor if link.in_quickbooks else 0)
    return (
        "QuickBooks keeps the credit on the invoice, and nothing more of it is sent. The amount is "
        "kept as an accepted difference."
    )


def _withdraw(connection: sa.Connection, case: Case, kind: str) -> None:
    """Take what waits out of the queue. Raises ActionRefusedError where nothing of it waits."""
    filed = operations.of_records(connection, case.realm, {kind: case.record_id}, lock=True)
    waiting = [
        operation
        for operation in filed
        if operation.state != "posting" and not operation.detail.get("re_export")
    ]
    if not waiting:
        raise ActionRefusedError(_ONLY_WHAT_IS_TAKEN_BACK)
    ids = [operation.operation_id for operation in waiting]
    operations.change(connection, ids, "cancelled", reason=f"accepted: {case.reason}")


def _keep(connection: sa.Connection, case: Case, amount_minor: int) -> None:
    decisions.decide(
        connection,
        case.realm,
        decisions.NewDecision(
            kind="accepted",
            record=case.exception.record,
            decided_by=case.by,
            amount_minor=amount_minor,
            reason=case.reason,
            detail={"exception": case.exception.number, "kind": case.exception.kind},
        ),
    )
    settle(connection, case, how="accepted", after=amount_minor)
