"""Stage 4, credits: queue what AlgaPSA applied or took back, hold what both sides did. Local."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import chain

import sqlalchemy as sa

from qbo_sync_dagster.domain.algapsa_payments import CreditApplication
from qbo_sync_dagster.domain.catalogue import ExceptionKind
from qbo_sync_dagster.domain.credit_exceptions import (
    NOT_EXPRESSIBLE_KINDS,
    WAITING_KINDS,
    dispute_version,
    disputed,
    not_expressible,
    removal_version,
    vanished_credits,
    waits_too_long,
)
from qbo_sync_dagster.domain.credits import credit_label, credit_record
from qbo_sync_dagster.domain.credits_in import Dispute
from qbo_sync_dagster.domain.credits_out import (
    CreditScope,
    CreditStanding,
    credit_standing,
    is_wanted,
)
from qbo_sync_dagster.domain.errors import DomainError
from qbo_sync_dagster.domain.exception_record import ExceptionRecord
from qbo_sync_dagster.domain.operation_kinds import (
    APPLY_CREDIT,
    EXPORT_CREDIT_MEMO,
    EXPORT_INVOICE,
    REMOVE_CREDIT,
)
from qbo_sync_dagster.domain.payment_intake import InboundPayment
from qbo_sync_dagster.ledger import credit_links, exceptions, inbox, links, operations
from qbo_sync_dagster.ledger.credit_links import CreditLink
from qbo_sync_dagster.ledger.operations import NewOperation, Operation
from qbo_sync_dagster.sync.adoption import ORPHAN
from qbo_sync_dagster.sync.context import CycleContext
from qbo_sync_dagster.sync.credits_in import accepted_applications, read_credits
from qbo_sync_dagster.sync.credits_out import CLOSED, DISPUTED, SHORT, tokens
from qbo_sync_dagster.sync.payment_intake import inbound_payment
from qbo_sync_dagster.sync.unsettled import unsettled_pages

SAME_MONEY = "same money"
NOT_EXPORTED = "its documents are not in QuickBooks"
_TOLD_HERE = (
    *NOT_EXPRESSIBLE_KINDS,
    ExceptionKind.CREDIT_WAITING,
    ExceptionKind.CREDIT_USED_ELSEWHERE,
)
_TAKEN_BACK = "AlgaPSA took the application back, or staff dismissed it."


@dataclass(frozen=True, slots=True)
class CreditsQueued:
    """How many operations were queued and withdrawn."""

    queued: int = 0
    cancelled: int = 0


def queue_credits(ctx: CycleContext) -> CreditsQueued:
    """Bring the queue in line with AlgaPSA's credit applications as they stand now."""
    applications = ctx.algapsa.credit_applications()
    removals = _queue_removals(ctx, applications)
    with ctx.reading() as connection:
        stands = credit_links.standing(connection, ctx.realm)
        scope = _scope(ctx, connection, stands)
        left_alone = _left_alone(connection, ctx.realm)
    wanted = [
        each for each in applications if is_wanted(each, scope) and not left_alone.covers(each)
    ]
    disputes = _disputes(ctx, applications) if wanted else ()
    with ctx.ledger() as connection:
        # Those that an unsettled payment turned out to be have their link by now.
        taken = credit_links.of_keys(connection, ctx.realm, [each.key for each in wanted])
        judged = {key for each in disputes if left_alone.judged(each) for key in _keys(each)}
        wanted = [each for each in wanted if each.key not in taken and each.key not in judged]
        queued = operations.queue(
            connection,
            ctx.realm,
            [NewOperation(APPLY_CREDIT, each.key, credit_label(each)) for each in wanted],
        )
        cancelled = _cancel(connection, ctx, wanted)
        _hold(connection, ctx, wanted, scope, disputes)
    _tell(ctx, applications, scope, disputes, wanted)
    return CreditsQueued(queued + removals, cancelled)


@dataclass(frozen=True, slots=True)
class _LeftAlone:
    """What staff dismissed: (record, version), and records whose doubt they settled that way."""

    versions: Collection[tuple[str, str]]
    orphans: Collection[str]

    def covers(self, application: CreditApplication) -> bool:
        record = credit_record(application.key)
        return record in self.orphans or (record, application.key) in self.versions

    def keeps(self, link: CreditLink) -> bool:
        return (credit_record(link.key), removal_version(link.key)) in self.versions

    def judged(self, dispute: Dispute) -> bool:
        return (f"invoice:{dispute.note_id}", dispute_version(dispute)) in self.versions


def _left_alone(connection: sa.Connection, realm: str) -> _LeftAlone:
    kinds = (*WAITING_KINDS, ExceptionKind.CREDIT_USED_ELSEWHERE)
    dismissed = exceptions.dismissed_versions(connection, realm, kinds)
    return _LeftAlone(
        {(record, version) for _, record, version in dismissed},
        {record for kind, record, _ in dismissed if kind == ExceptionKind.ORPHAN},
    )


def _scope(
    ctx: CycleContext, connection: sa.Connection, stands: Iterable[CreditLink]
) -> CreditScope:
    exported = operations.open_ones(connection, ctx.realm, EXPORT_INVOICE)
    return CreditScope(
        go_live=ctx.connection.go_live_date,
        invoices=links.ids(connection, ctx.realm, "invoice").keys(),
        notes=links.ids(connection, ctx.realm, "credit_memo").keys(),
        queued={operation.record_id for operation in exported},
        linked={link.key for link in stands} | accepted_applications(connection, ctx.realm),
    )


def _keys(dispute: Dispute) -> set[str]:
    return {each.key for each in dispute.applications}


def _disputes(ctx: CycleContext, applications: Sequence[CreditApplication]) -> tuple[Dispute, ...]:
    """Notes that a waiting payment and an application of AlgaPSA use differently."""
    payments = [
        payment
        for change in chain.from_iterable(unsettled_pages(ctx, "Payment"))
        if (payment := _payment(ctx, change)) and payment.credit_lines
    ]
    if not payments:
        return ()
    ids = {invoice for payment in payments for invoice, _ in payment.invoice_lines}
    with ctx.reading() as connection:
        found = links.paid_invoices(connection, ctx.realm, ids)
    invoices = {quickbooks_id: link.algapsa_id for quickbooks_id, link in found.items()}
    return read_credits(ctx, payments, invoices).disputes


def _payment(ctx: CycleContext, change: inbox.Change) -> InboundPayment | None:
    try:
        return inbound_payment(change, ctx.started_at.date())
    except DomainError:
        return None  # parked with its cause


def _cancel(
    connection: sa.Connection, ctx: CycleContext, wanted: Iterable[CreditApplication]
) -> int:
    """Withdraw what is taken back; one whose arrival is in doubt waits until that is settled."""
    still = {each.key for each in wanted}
    outdated = [
        operation
        for operation in operations.open_ones(connection, ctx.realm, APPLY_CREDIT)
        if operation.record_id not in still
        and operation.state != "posting"
        and operation.reason_code != ORPHAN
    ]
    ids = [operation.operation_id for operation in outdated]
    operations.change(connection, ids, "cancelled", reason=_TAKEN_BACK)
    exceptions.resolve(
        connection,
        ctx.realm,
        WAITING_KINDS,
        [credit_record(operation.record_id) for operation in outdated],
        _TAKEN_BACK,
    )
    return len(outdated)


def _hold(
    connection: sa.Connection,
    ctx: CycleContext,
    wanted: Sequence[CreditApplication],
    scope: CreditScope,
    disputes: Iterable[Dispute],
) -> None:
    """Hold what must wait, and queue again what no longer has to."""
    by_key = {each.key: each for each in wanted}
    disputed_keys = {key for each in disputes for key in _keys(each)}
    same_money = _invoices_of_same_money(connection, ctx.realm)
    on_their_way = _on_their_way(connection, ctx.realm)
    versions = _versions(connection, ctx.realm, wanted)
    for operation in operations.open_ones(connection, ctx.realm, APPLY_CREDIT):
        application = by_key.get(operation.record_id)
        if application is None or operation.state == "posting" or operation.reason_code == ORPHAN:
            continue
        code = None
        if operation.record_id in disputed_keys:
            code = DISPUTED
        elif application.invoice_id in same_money:
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


def _tell(
    ctx: CycleContext,
    applications: Sequence[CreditApplication],
    scope: CreditScope,
    disputes: Sequence[Dispute],
    wanted: Sequence[CreditApplication],
) -> None:
    today = ctx.started_at.date()
    raised = [
        not_expressible(each)
        for each in applications
        if credit_standing(each, scope) is CreditStanding.NOT_EXPRESSIBLE
    ]
    raised += _vanished(ctx, applications, scope)
    raised += [disputed(each) for each in disputes]
    waiting = (each for each in wanted if credit_standing(each, scope) is CreditStanding.WAITING)
    raised += [record for each in waiting if (record := waits_too_long(each, today))]
    with ctx.ledger() as connection:
        ctx.tally.opened_exceptions += exceptions.raise_all(connection, ctx.realm, raised)
        reason = "The cause no longer stands."
        exceptions.resolve_unless_raised(connection, ctx.realm, _TOLD_HERE, raised, reason)


def _vanished(
    ctx: CycleContext, applications: Sequence[CreditApplication], scope: CreditScope
) -> list[ExceptionRecord]:
    if not scope.notes:
        return []
    return list(vanished_credits(ctx.algapsa.note_credits(), applications, scope.notes))


def _queue_removals(ctx: CycleContext, applications: Iterable[CreditApplication]) -> int:
    """What AlgaPSA took back: our payments are to go, others stand alone again."""
    live = {each.key: each for each in applications if not each.is_reversed}
    known = {each.key: each for each in applications}
    with ctx.ledger() as connection:
        left_alone = _left_alone(connection, ctx.realm)
        _revive_removals(connection, ctx)
        taken_back = [
            link
            for link in credit_links.standing(connection, ctx.realm)
            if link.state == "live" and link.key not in live
        ]
        pushed = [link for link in taken_back if link.is_pushed]
        for link in taken_back:
            if not link.is_pushed:
                _stand_alone(connection, ctx, link, is_known=link.key in known)
        return operations.queue(
            connection,
            ctx.realm,
            [
                NewOperation(
                    REMOVE_CREDIT,
                    link.key,
                    credit_label(known[link.key]) if link.key in known else "Credit application",
                )
                for link in pushed
                if not left_alone.keeps(link)
            ],
        )


def _revive_removals(connection: sa.Connection, ctx: CycleContext) -> None:
    """Only QuickBooks knows whether what held a removal is gone, so it is looked at again."""
    held = [
        operation.operation_id
        for operation in operations.open_ones(connection, ctx.realm, REMOVE_CREDIT)
        if operation.state == "held"
        and (operation.next_attempt_at is None or operation.next_attempt_at <= ctx.engine.now())
    ]
    operations.revive(connection, held)


def _stand_alone(
    connection: sa.Connection, ctx: CycleContext, link: CreditLink, *, is_known: bool
) -> None:
    """Have a payment that was born in QuickBooks planned anew without AlgaPSA's application.

    One that takes from an unlinked memo would come in as new money: it stays linked, as drift.
    """
    parts = link.in_quickbooks
    if parts is not None and parts.note_id:
        credit_links.close(connection, [link.link_id])
    elif not is_known:
        return
    latest = inbox.newest(connection, ctx.realm, "Payment", [link.payment_id])
    settled = [
        change.change_id
        for change in latest.values()
        if change.state in ("known", "foreign", "applied")
    ]
    inbox.settle(connection, ctx.realm, settled, "received")
