"""Drift of payments: one side changed what both had agreed on, and staff decide which one holds.

What belongs here: accepting it, bringing back AlgaPSA's version, following QuickBooks'. What does
not: finding it. Nothing here moves money on either side: the next cycle does.
"""

from __future__ import annotations

import sqlalchemy as sa

from qbo_sync_dagster.actions.cases import Case, Choice, decide, note, settle
from qbo_sync_dagster.actions.errors import ActionRefusedError
from qbo_sync_dagster.actions.payments import is_row, receipt_of
from qbo_sync_dagster.domain.catalogue import Action
from qbo_sync_dagster.domain.document_view import LIVE
from qbo_sync_dagster.domain.drift import drift_version
from qbo_sync_dagster.domain.operation_kinds import CHANGE_PAYMENT, PUSH_PAYMENT
from qbo_sync_dagster.domain.own_money import Receipt
from qbo_sync_dagster.domain.payment_view import PaymentView, payment_differences
from qbo_sync_dagster.ledger import decisions, inbox, links, operations, payment_links
from qbo_sync_dagster.ledger.payment_links import PaymentLink
from qbo_sync_dagster.sync.engine import SyncEngine


def accept_payment(engine: SyncEngine, choice: Choice) -> str:
    """Accept that a payment of both sides differs; the difference stays on record.

    Raises ActionRefusedError and AlgaPsaError.
    """
    return decide(
        engine.ledger,
        choice,
        Action.ACCEPT,
        lambda connection, case: _accept(engine, connection, case),
    )


def re_export_payment(engine: SyncEngine, choice: Choice) -> str:
    """Have a cycle bring a pushed payment back to AlgaPSA's version. Raises ActionRefusedError."""
    return decide(engine.ledger, choice, Action.RE_EXPORT, _re_export)


def follow_quickbooks(engine: SyncEngine, choice: Choice) -> str:
    """Have AlgaPSA show a matched payment as QuickBooks has it now: by rows of ours, next cycle.

    Raises ActionRefusedError for a payment that AlgaPSA sent, that QuickBooks did not change, or
    of which AlgaPSA took a part back itself; and AlgaPsaError.
    """
    return decide(
        engine.ledger,
        choice,
        Action.APPLY,
        lambda connection, case: _follow(engine, connection, case),
    )


def withdraw_re_export(connection: sa.Connection, case: Case) -> bool:
    """Take what waits for a pushed payment out of the queue; says whether anything did.

    A payment that was to be made again is linked to the deleted one as before. Raises
    ActionRefusedError while one is being sent.
    """
    payment, withdrawn = [case.record_id], False
    for link in payment_links.of_payments(connection, case.realm, payment):
        if link.is_pushed:
            withdrawn |= bool(_withdraw(connection, case, link))
    for link in payment_links.closed_of_payments(connection, case.realm, payment):
        # Its drift is open, so it was closed to be made again; that may have been given up since.
        # One that is not gone there was closed because AlgaPSA lost its row: it stays so.
        if _state(link) == "deleted" and not payment_links.of_rows(
            connection, case.realm, [link.algapsa_id]
        ):
            withdrawn |= bool(_withdraw(connection, case, link))
            links.update(connection, link.link_id, state="live")
    return withdrawn


def _accept(engine: SyncEngine, connection: sa.Connection, case: Case) -> str:
    if is_row(case.record_id):
        linked = payment_links.of_rows(connection, case.realm, [case.record_id])
        receipt = receipt_of(engine, connection, case.realm, case.record_id)
        _as_seen(case, str(receipt.net))
        for link in linked:
            snapshot = {"total_minor": receipt.net, "taken_before": link.taken_before}
            links.update(connection, link.link_id, snapshot=snapshot)
            _keep_as_decided(
                connection, case, int((link.shown or {}).get("total_minor", 0)), receipt
            )
    else:
        withdraw_re_export(connection, case)
        linked = payment_links.of_payments(connection, case.realm, [case.record_id])
        for link in linked:
            _accept_link(connection, case, link)
    if not linked:
        raise ActionRefusedError("The payment is linked no more. Nothing was accepted.")
    settle(connection, case, how="accepted")
    return "Each side keeps its payment as it is, and the difference stays on record."


def _keep_as_decided(
    connection: sa.Connection, case: Case, shown_minor: int, receipt: Receipt
) -> None:
    """What QuickBooks holds beyond AlgaPSA's payment stands under the decision."""
    decisions.decide(
        connection,
        case.realm,
        decisions.NewDecision(
            kind="accepted",
            record=case.exception.record,
            amount_minor=shown_minor - receipt.net,
            decided_by=case.by,
            reason=case.reason,
        ),
    )


def _as_seen(case: Case, version: str) -> None:
    if version != case.exception.version:
        raise ActionRefusedError(
            "The payment changed again since this exception was last shown. Nothing was accepted: "
            "look again after the next cycle."
        )


def _accept_link(connection: sa.Connection, case: Case, link: PaymentLink) -> None:
    version, amount = case.exception.version, 0
    if link.is_pushed:
        agreed = PaymentView.from_json(link.snapshot or {})
        shown = PaymentView.from_json(link.shown or {})
        _as_seen(case, drift_version(payment_differences(agreed, shown)))
        amount = link.accepted_minor + agreed.total_minor - shown.total_minor
        state = "live" if shown.state == LIVE else "accepted"
        links.update(
            connection,
            link.link_id,
            state=state,
            snapshot=link.shown,
            accepted_minor=amount,
            drift=None,
        )
    decisions.decide(
        connection,
        case.realm,
        decisions.NewDecision(
            kind="accepted",
            record=case.exception.record,
            amount_minor=amount,
            decided_by=case.by,
            reason=case.reason,
            detail={} if link.is_pushed else {"version": int(version)},
        ),
    )


def _re_export(connection: sa.Connection, case: Case) -> str:
    pushed = [
        link
        for link in payment_links.of_payments(connection, case.realm, [case.record_id])
        if link.is_pushed
    ]
    if not pushed:
        raise ActionRefusedError(
            "This payment was born in QuickBooks. Correct it there, or accept the difference."
        )
    for link in pushed:
        _file(connection, case, link)
    note(connection, case, before=pushed[0].shown)
    return (
        "The payment is sent to QuickBooks as AlgaPSA has it, by the cycle that was just asked "
        f"for. Exception {case.exception.number} closes once QuickBooks confirmed it."
    )


def _withdraw(connection: sa.Connection, case: Case, link: PaymentLink) -> list[int]:
    """Cancel the operations that wait for the payment; which ones."""
    both = {PUSH_PAYMENT: link.algapsa_id, CHANGE_PAYMENT: link.algapsa_id}
    filed = operations.of_records(connection, case.realm, both, lock=True)
    if any(operation.state == "posting" for operation in filed):
        raise ActionRefusedError(
            "The payment is being sent to QuickBooks at this moment. Look again after the next "
            "cycle."
        )
    ids = [operation.operation_id for operation in filed]
    told = f"{case.action} was chosen instead"
    operations.change(connection, ids, "cancelled", reason=told)
    return ids


def _file(connection: sa.Connection, case: Case, link: PaymentLink) -> None:
    _withdraw(connection, case, link)
    label = f"Payment {link.quickbooks_id}"
    detail: dict[str, object] = {"re_export": True, "version": link.sync_token, "by": case.by}
    if _state(link) == "deleted":
        # The old object is proven gone: only now, and only by choice, a new one is made.
        links.update(connection, link.link_id, state="closed")
        new = operations.NewOperation(
            PUSH_PAYMENT, link.algapsa_id, label, generation=link.generation + 1
        )
    else:
        new = operations.NewOperation(CHANGE_PAYMENT, link.algapsa_id, label, detail=detail)
    operations.queue(connection, case.realm, [new])


def _state(link: PaymentLink) -> str:
    """What became of the payment in QuickBooks, as it was last shown."""
    return PaymentView.from_json(link.shown or link.snapshot or {}).state


def _follow(engine: SyncEngine, connection: sa.Connection, case: Case) -> str:
    if is_row(case.record_id):
        raise ActionRefusedError(
            "QuickBooks did not change this payment: AlgaPSA took something of it back. Correct it "
            "in QuickBooks too, or accept the difference."
        )
    linked = payment_links.of_payments(connection, case.realm, [case.record_id])
    if not linked or any(link.is_pushed for link in linked):
        raise ActionRefusedError(
            "Only a payment that was entered on both sides can be followed. One that came from "
            "AlgaPSA is sent there again, or its change is accepted."
        )
    taken_back = {}
    for link in linked:
        # A row of ours takes back what was matched: what AlgaPSA took of it since would go twice.
        receipt = receipt_of(engine, connection, case.realm, link.algapsa_id)
        if receipt.taken_back > link.taken_before:
            raise ActionRefusedError(
                "AlgaPSA took a part of its payment back itself. Enter there what QuickBooks has "
                "now and match the two again, or accept the difference."
            )
        taken_back[link.algapsa_id] = receipt.taken_back
    decisions.decide(
        connection,
        case.realm,
        decisions.NewDecision(
            kind="followed",
            record=case.exception.record,
            decided_by=case.by,
            reason=case.reason,
            detail={"version": int(case.exception.version), "taken_back": taken_back},
        ),
    )
    inbox.reopen(connection, case.realm, "Payment", [case.record_id])
    settle(connection, case, how="QuickBooks is followed")
    return (
        f"The next cycle brings QuickBooks payment {case.record_id} to AlgaPSA as it is now, by "
        "rows that take AlgaPSA's own back. The row itself is never changed."
    )
