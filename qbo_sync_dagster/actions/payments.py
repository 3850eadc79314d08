"""What staff decide about payments: the same money, other money, a refund recorded, drift.

What belongs here: the decisions and links that follow. What does not: what the next cycle makes
of them. Nothing here moves money on either side.
"""

from __future__ import annotations

from dataclasses import dataclass

import sqlalchemy as sa

from qbo_sync_dagster.actions.cases import Case, Choice, decide, note, one_of, settle
from qbo_sync_dagster.actions.errors import ActionRefusedError
from qbo_sync_dagster.domain.catalogue import Action, ExceptionKind
from qbo_sync_dagster.domain.document_view import LIVE
from qbo_sync_dagster.domain.errors import DomainError
from qbo_sync_dagster.domain.money import format_minor, to_minor
from qbo_sync_dagster.domain.operation_kinds import CHANGE_PAYMENT, PUSH_PAYMENT
from qbo_sync_dagster.domain.own_money import OwnMoney, Receipt, own_money
from qbo_sync_dagster.domain.payment_exceptions import payment_record
from qbo_sync_dagster.domain.payment_view import PaymentView
from qbo_sync_dagster.domain.payments_out_exceptions import PUSH_KINDS
from qbo_sync_dagster.ledger import (
    connections,
    decisions,
    exceptions,
    inbox,
    links,
    operations,
    payment_links,
    postings,
)
from qbo_sync_dagster.ledger.errors import DoubleLinkError
from qbo_sync_dagster.ledger.payment_links import NewPaymentLink, PaymentLink
from qbo_sync_dagster.quickbooks.objects import parse_payment
from qbo_sync_dagster.sync.doubt_payments import sent_payment
from qbo_sync_dagster.sync.engine import SyncEngine
from qbo_sync_dagster.sync.payment_intake import NOT_OURS

_ANY_PAYMENT = "payment:any"


def match(engine: SyncEngine, choice: Choice, target: str = "") -> str:
    """Say that a payment of each side is the same money: the two are linked, nothing moves.

    `target` names the other one: AlgaPSA's payment for an exception of a QuickBooks payment, and
    the other way round. Raises ActionRefusedError where the amounts differ, and AlgaPsaError.
    """
    return decide(
        engine.ledger,
        choice,
        Action.MATCH,
        lambda connection, case: _match(engine, connection, case, target),
    )


def both_real(engine: SyncEngine, choice: Choice, target: str = "") -> str:
    """Say that the payments are different money: each goes as far as its invoice allows.

    Raises ActionRefusedError and AlgaPsaError.
    """
    return decide(
        engine.ledger,
        choice,
        Action.BOTH_REAL,
        lambda connection, case: _both_real(engine, connection, case, target),
    )


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


def record_refund(engine: SyncEngine, choice: Choice, target: str) -> str:
    """Say which QuickBooks object records a refund or reversal; `target` is its id or number.

    Raises ActionRefusedError and AlgaPsaError.
    """
    return decide(
        engine.ledger,
        choice,
        Action.RECORD_REFUND,
        lambda connection, case: _record_refund(engine, connection, case, target),
    )


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


def adopt_payment(
    connection: sa.Connection, realm: str, operation: operations.Operation, payment_id: str
) -> None:
    """Link a QuickBooks payment to the receipt that was sent; polls then show what it is.

    Raises DoubleLinkError, and ActionRefusedError where nothing was sent.
    """
    sent = postings.last_identity(connection, operation.operation_id)
    if sent is None:
        raise ActionRefusedError(f"{operation.label} was never sent.")
    new = NewPaymentLink(
        operation.record_id,
        payment_id,
        str(sent["invoice_id"]),
        "adopted",
        sent_payment(sent).as_json(),
        generation=operation.generation,
    )
    payment_links.add(connection, realm, [new])
    inbox.reopen(connection, realm, "Payment", [payment_id])


@dataclass(frozen=True, slots=True)
class _Side:
    """AlgaPSA's half of a match."""

    receipt: Receipt
    money: OwnMoney


def _receipt(engine: SyncEngine, connection: sa.Connection, realm: str, row_id: str) -> _Side:
    algapsa = engine.open_algapsa(connections.get(connection, realm))
    invoices = algapsa.invoices_of_payments([row_id])
    if row_id not in invoices:
        raise ActionRefusedError(f"AlgaPSA has no payment {row_id} any more.")
    recorded = {
        each.record.removeprefix("payment:")
        for each in decisions.of_kind(connection, realm, "refund_recorded")
    }
    money = own_money(algapsa.payments([invoices[row_id]]), recorded)
    for receipt in money.receipts:
        if receipt.row_id == row_id:
            return _Side(receipt, money)
    raise ActionRefusedError(f"AlgaPSA's payment {row_id} was not received by AlgaPSA itself.")


def _match(engine: SyncEngine, connection: sa.Connection, case: Case, target: str) -> str:
    row_id, payment_id = _pair(case, target)
    side = _receipt(engine, connection, case.realm, row_id)
    _refuse_unequal(engine, connection, case, side.receipt, payment_id)
    [*linked] = payment_links.of_rows(connection, case.realm, [row_id])
    if any(link.quickbooks_id != payment_id or link.is_pushed for link in linked):
        raise ActionRefusedError(
            f"AlgaPSA's payment {row_id} is linked to QuickBooks payment "
            f"{linked[0].quickbooks_id} already."
        )
    _withdraw(connection, case.realm, row_id)
    snapshot = {"total_minor": side.receipt.net}
    if linked:
        links.update(connection, linked[0].link_id, snapshot=snapshot, accepted_minor=0)
    else:
        new = NewPaymentLink(row_id, payment_id, side.receipt.invoice_id, "matched", snapshot)
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


def _pair(case: Case, target: str) -> tuple[str, str]:
    """(AlgaPSA's payment row, QuickBooks payment) that are meant."""
    if _is_row(case.record_id):
        named = case.named("quickbooks", "Payment")
        return case.record_id, one_of(named, target, "payment of QuickBooks")
    return one_of(case.named("algapsa", "payment"), target, "payment of AlgaPSA"), case.record_id


def _is_row(record_id: str) -> bool:
    return "-" in record_id


def _refuse_unequal(
    engine: SyncEngine, connection: sa.Connection, case: Case, receipt: Receipt, payment_id: str
) -> None:
    asked = _asked(connection, case.realm, receipt.invoice_id, payment_id)
    company = connections.get(connection, case.realm)
    algapsa = engine.open_algapsa(company)
    stands = algapsa.standing_payments(case.realm, [payment_id]).get(payment_id, {})
    shows = stands.get(receipt.invoice_id, 0) + receipt.net
    if asked != shows:
        raise ActionRefusedError(
            f"QuickBooks payment {payment_id} holds {format_minor(asked)} on that invoice, and "
            f"AlgaPSA would show {format_minor(shows)} for it. Only equal amounts can be matched: "
            "correct one of the two first."
        )


def _asked(connection: sa.Connection, realm: str, invoice_id: str, payment_id: str) -> int:
    found = inbox.newest(connection, realm, "Payment", [payment_id]).get(payment_id)
    linked = links.by_algapsa_id(connection, realm, "invoice", [invoice_id])
    if found is None or found.deleted or invoice_id not in linked:
        raise ActionRefusedError(
            f"QuickBooks payment {payment_id} is not known on that invoice, or was deleted."
        )
    quickbooks_id = linked[invoice_id].quickbooks_id
    try:
        payment = parse_payment(found.payload)
        return sum(
            to_minor(amount)
            for invoice, amount in payment.invoice_lines
            if invoice == quickbooks_id
        )
    except DomainError as error:
        raise ActionRefusedError(str(error)) from error


def _withdraw(connection: sa.Connection, realm: str, row_id: str) -> None:
    """Take the row's push out of the queue. Raises ActionRefusedError while it is being sent."""
    filed = operations.of_records(connection, realm, {PUSH_PAYMENT: row_id}, lock=True)
    if any(operation.state == "posting" for operation in filed):
        raise ActionRefusedError(
            "AlgaPSA's payment is being sent to QuickBooks at this moment. Look again after the "
            "next cycle."
        )
    ids = [operation.operation_id for operation in filed]
    operations.change(connection, ids, "cancelled", reason="Staff matched it.")


def _close_others(connection: sa.Connection, case: Case, row_id: str, payment_id: str) -> None:
    records = [payment_record(row_id), payment_record(payment_id)]
    kinds = [*PUSH_KINDS, ExceptionKind.PAYMENT_DRIFT]
    exceptions.resolve(connection, case.realm, kinds, records, "Staff matched the two.", case.by)


def _both_real(engine: SyncEngine, connection: sa.Connection, case: Case, target: str) -> str:
    if _is_row(case.record_id):
        pairs = _of_row(engine, connection, case, target)
    else:
        pairs = _of_payment(engine, connection, case)
    for row, payment, invoice_id in pairs:
        for record, counterpart in ((row, payment), (payment, row)):
            if record not in ("", _ANY_PAYMENT):
                decisions.decide(
                    connection,
                    case.realm,
                    decisions.NewDecision(
                        kind="both_real",
                        record=record,
                        counterpart=counterpart,
                        decided_by=case.by,
                        reason=case.reason,
                        detail={"invoice_id": invoice_id},
                    ),
                )
        held = {PUSH_PAYMENT: row.removeprefix("payment:")}
        filed = operations.of_records(connection, case.realm, held, lock=True)
        waiting = [each.operation_id for each in filed if each.state == "held"]
        operations.revive(connection, waiting)
    settle(connection, case, how="both are real")
    return (
        "Both payments count. Each is applied on the other side as far as its invoice allows; what "
        "does not fit stays unapplied and is on record."
    )


def _of_row(
    engine: SyncEngine, connection: sa.Connection, case: Case, target: str
) -> list[tuple[str, str, str]]:
    invoice_id = _receipt(engine, connection, case.realm, case.record_id).receipt.invoice_id
    payment = payment_record(target.strip()) if target.strip() else _ANY_PAYMENT
    return [(payment_record(case.record_id), payment, invoice_id)]


def _of_payment(
    engine: SyncEngine, connection: sa.Connection, case: Case
) -> list[tuple[str, str, str]]:
    """The payment with each of AlgaPSA's own payments on its invoices that has no counterpart."""
    payment = payment_record(case.record_id)
    invoices = case.named("algapsa", "invoice")
    algapsa = engine.open_algapsa(connections.get(connection, case.realm))
    receipts = [
        receipt
        for invoice_id in invoices
        for receipt in own_money(algapsa.payments([invoice_id])).receipts
        if receipt.net > 0
    ]
    rows = [receipt.row_id for receipt in receipts]
    linked = {link.algapsa_id for link in payment_links.of_rows(connection, case.realm, rows)}
    pairs = [
        (payment_record(receipt.row_id), payment, receipt.invoice_id)
        for receipt in receipts
        if receipt.row_id not in linked
    ]
    bare = set(invoices) - {invoice for _, _, invoice in pairs}
    return [*pairs, *(("", payment, invoice_id) for invoice_id in sorted(bare))]


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


def _record_refund(engine: SyncEngine, connection: sa.Connection, case: Case, target: str) -> str:
    recorded = target.strip()
    if not recorded:
        raise ActionRefusedError("Say which QuickBooks object records it, by its id or number.")
    rows = {case.record_id: case.exception.amounts.get("refund", 0)}
    if case.kind is ExceptionKind.REVERSAL_TO_RECORD:
        receipt = _receipt(engine, connection, case.realm, case.record_id).receipt
        rows = dict.fromkeys(receipt.reversals, receipt.taken_back)
        filed = operations.of_records(
            connection, case.realm, {CHANGE_PAYMENT: case.record_id}, lock=True
        )
        if any(operation.state == "posting" for operation in filed):
            raise ActionRefusedError("The payment is being changed in QuickBooks at this moment.")
        ids = [operation.operation_id for operation in filed]
        operations.change(connection, ids, "cancelled", reason="Staff recorded it otherwise.")
    for row_id, minor in rows.items():
        decisions.decide(
            connection,
            case.realm,
            decisions.NewDecision(
                kind="refund_recorded",
                record=payment_record(row_id),
                amount_minor=minor,
                decided_by=case.by,
                reason=case.reason,
                detail={"quickbooks": recorded[:100]},
            ),
        )
    settle(connection, case, how=f"recorded as {recorded[:100]}")
    return f"It is on record that {recorded[:100]} in QuickBooks stands for it."


def _accept(engine: SyncEngine, connection: sa.Connection, case: Case) -> str:
    if _is_row(case.record_id):
        receipt = _receipt(engine, connection, case.realm, case.record_id).receipt
        for link in payment_links.of_rows(connection, case.realm, [case.record_id]):
            links.update(connection, link.link_id, snapshot={"total_minor": receipt.net})
    else:
        for link in payment_links.of_payments(connection, case.realm, [case.record_id]):
            _accept_link(connection, case, link)
    settle(connection, case, how="accepted")
    return "Each side keeps its payment as it is, and the difference stays on record."


def _accept_link(connection: sa.Connection, case: Case, link: PaymentLink) -> None:
    version, amount = case.exception.version, 0
    if link.is_pushed:
        agreed = PaymentView.from_json(link.snapshot or {})
        shown = PaymentView.from_json(link.shown or {})
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


def _file(connection: sa.Connection, case: Case, link: PaymentLink) -> None:
    both = {PUSH_PAYMENT: link.algapsa_id, CHANGE_PAYMENT: link.algapsa_id}
    filed = operations.of_records(connection, case.realm, both, lock=True)
    if any(operation.state == "posting" for operation in filed):
        raise ActionRefusedError(
            "The payment is being sent to QuickBooks at this moment. Look again after the next "
            "cycle."
        )
    ids = [operation.operation_id for operation in filed]
    operations.change(connection, ids, "cancelled", reason="re-export was filed instead")
    label = f"Payment {link.quickbooks_id}"
    detail: dict[str, object] = {"re_export": True, "version": link.sync_token, "by": case.by}
    shown = PaymentView.from_json(link.shown or link.snapshot or {})
    if shown.state == "deleted":
        # The old object is proven gone: only now, and only by choice, a new one is made.
        links.update(connection, link.link_id, state="closed", drift=None)
        new = operations.NewOperation(
            PUSH_PAYMENT, link.algapsa_id, label, generation=link.generation + 1
        )
    else:
        new = operations.NewOperation(CHANGE_PAYMENT, link.algapsa_id, label, detail=detail)
    operations.queue(connection, case.realm, [new])
