"""Stage 4, credits: which queued applications must wait and for what, and which may go again."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from itertools import chain

import sqlalchemy as sa

from qbo_sync_dagster.domain.algapsa_payments import CreditApplication
from qbo_sync_dagster.domain.catalogue import ExceptionKind
from qbo_sync_dagster.domain.credits_in import Dispute
from qbo_sync_dagster.domain.credits_out import CreditScope
from qbo_sync_dagster.domain.operation_kinds import APPLY_CREDIT, EXPORT_CREDIT_MEMO, EXPORT_INVOICE
from qbo_sync_dagster.domain.payment_exceptions import payment_record
from qbo_sync_dagster.domain.payment_intake import InboundPayment
from qbo_sync_dagster.ledger import decisions, exceptions, links, operations
from qbo_sync_dagster.ledger.operations import Operation
from qbo_sync_dagster.sync.adoption import ORPHAN
from qbo_sync_dagster.sync.context import CycleContext
from qbo_sync_dagster.sync.credit_items import CLOSED, DISPUTED, SHORT, tokens
from qbo_sync_dagster.sync.left_unapplied import left_unapplied

SAME_MONEY = "same money"
NOT_EXPORTED = "its documents are not in QuickBooks"


def keys_of(dispute: Dispute) -> set[str]:
    """The applications that a dispute holds."""
    return {each.key for each in dispute.applications}


def hold(
    connection: sa.Connection,
    ctx: CycleContext,
    wanted: Sequence[CreditApplication],
    scope: CreditScope,
    disputes: Iterable[Dispute],
    payments: Sequence[InboundPayment],
) -> None:
    """Hold what must wait, and queue again what no longer has to.

    `payments` are those of QuickBooks that AlgaPSA does not show yet.
    """
    by_key = {each.key: each for each in wanted}
    disputed_keys = {key for each in disputes for key in keys_of(each)}
    same_money = _invoices_of_same_money(connection, ctx.realm)
    waiting = _waiting_money(connection, ctx, payments)
    on_their_way = _on_their_way(connection, ctx.realm)
    versions = _versions(connection, ctx.realm, wanted)
    for operation in operations.open_ones(connection, ctx.realm, APPLY_CREDIT):
        application = by_key.get(operation.record_id)
        if application is None or operation.state == "posting" or operation.reason_code == ORPHAN:
            continue
        code = None
        if operation.record_id in disputed_keys:
            code = DISPUTED
        elif (
            application.invoice_id in same_money
            or (application.invoice_id, application.minor) in waiting
        ):
            code = SAME_MONEY
        elif not _can_go(application, scope, on_their_way):
            code = NOT_EXPORTED
        if code is not None:
            _set(connection, operation, code)
        elif _may_go_again(ctx, operation, versions.get(operation.record_id, "")):
            operations.revive(connection, [operation.operation_id])


def _set(connection: sa.Connection, operation: Operation, code: str) -> None:
    if operation.reason_code != code:
        operations.change(
            connection, [operation.operation_id], "held", reason=code, reason_code=code
        )


def _may_go_again(ctx: CycleContext, operation: Operation, version: str) -> bool:
    """Whether a held or failed one is worth another look; a queued one goes by itself."""
    if operation.state == "errored":
        return operation.fingerprint != version
    if operation.state != "held":
        return False
    if operation.reason_code == SHORT:
        due = operation.next_attempt_at
        return operation.fingerprint != version or due is None or due <= ctx.engine.now()
    return operation.reason_code in (CLOSED, DISPUTED, SAME_MONEY, NOT_EXPORTED)


def _can_go(
    application: CreditApplication, scope: CreditScope, on_their_way: Collection[str]
) -> bool:
    """Whether both documents are there, or go out in this very cycle."""
    note = application.source_invoice_id or ""
    return (
        application.invoice_id in scope.invoices or application.invoice_id in on_their_way
    ) and (note in scope.notes or note in on_their_way)


def _on_their_way(connection: sa.Connection, realm: str) -> set[str]:
    exports = chain.from_iterable(
        operations.open_ones(connection, realm, kind)
        for kind in (EXPORT_INVOICE, EXPORT_CREDIT_MEMO)
    )
    return {operation.record_id for operation in exports if operation.state == "queued"}


def _versions(
    connection: sa.Connection, realm: str, wanted: Sequence[CreditApplication]
) -> Mapping[str, str]:
    notes = {each.source_invoice_id or "" for each in wanted}
    memos = links.by_algapsa_id(connection, realm, "credit_memo", notes)
    invoices = links.by_algapsa_id(
        connection, realm, "invoice", {each.invoice_id for each in wanted}
    )
    return {
        each.key: tokens(memos[each.source_invoice_id or ""], invoices[each.invoice_id])
        for each in wanted
        if each.source_invoice_id in memos and each.invoice_id in invoices
    }


def _invoices_of_same_money(connection: sa.Connection, realm: str) -> set[str]:
    """AlgaPSA invoices on which staff must first say whether both sides hold the same money."""
    return {
        str(record["id"])
        for each in exceptions.listed(connection, realm)
        if each.kind == ExceptionKind.SAME_PAYMENT
        for record in each.records
        if record["side"] == "algapsa"
    }


def _waiting_money(
    connection: sa.Connection, ctx: CycleContext, payments: Sequence[InboundPayment]
) -> set[tuple[str, int]]:
    """(AlgaPSA invoice, amount) that payments of QuickBooks bring once they stop waiting.

    Whatever one waits for, it may be the same money as credit of that amount: sent meanwhile, the
    credit would count as answered and the payment be applied beside it. Staff who told the two
    apart, or left the payment unapplied, have decided.
    """
    left = left_unapplied(connection, ctx.realm)
    own = [each for each in payments if not each.is_credit and each.payment_id not in left]
    ids = {invoice for each in own for invoice, _ in each.invoice_lines}
    linked = links.paid_invoices(connection, ctx.realm, ids) if ids else {}
    if not linked:
        return set()
    standing = ctx.algapsa.standing_payments(ctx.realm, [each.payment_id for each in own])
    told_apart = _told_apart(connection, ctx.realm, own)
    waiting = set()
    for each in own:
        stands = standing.get(each.payment_id, {})
        for invoice_id, minor in _on_invoices(each, linked).items():
            if (each.payment_id, invoice_id) not in told_apart:
                # Credit may be the same money as the raise of an older payment alone.
                waiting |= {(invoice_id, minor), (invoice_id, minor - stands.get(invoice_id, 0))}
    return waiting


def _told_apart(
    connection: sa.Connection, realm: str, payments: Iterable[InboundPayment]
) -> set[tuple[str, str]]:
    """(payment, AlgaPSA invoice) where staff said that both sides' money is real."""
    ids = {payment_record(each.payment_id): each.payment_id for each in payments}
    return {
        (ids[each.record], str(each.detail["invoice_id"]))
        for each in decisions.of_kind(connection, realm, "both_real", list(ids))
    }


def _on_invoices(
    payment: InboundPayment, linked: Mapping[str, links.PaidInvoice]
) -> Mapping[str, int]:
    """What the payment brings to each invoice of AlgaPSA, all its lines there together."""
    found: Counter[str] = Counter()
    for invoice, minor in payment.invoice_lines:
        if invoice in linked:
            found[linked[invoice].algapsa_id] += minor
    return found
