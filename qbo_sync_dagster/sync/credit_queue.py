"""Stage 4, credits: queue what AlgaPSA applied or took back, hold what both sides did. Local."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from itertools import chain

import sqlalchemy as sa

from qbo_sync_dagster.domain.algapsa_payments import CreditApplication
from qbo_sync_dagster.domain.catalogue import ExceptionKind
from qbo_sync_dagster.domain.credit_exceptions import (
    NOT_EXPRESSIBLE_KINDS,
    WAITING_KINDS,
    disputed,
    not_expressible,
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
from qbo_sync_dagster.domain.operation_kinds import APPLY_CREDIT, EXPORT_INVOICE
from qbo_sync_dagster.domain.payment_intake import InboundPayment
from qbo_sync_dagster.ledger import credit_links, exceptions, inbox, links, operations
from qbo_sync_dagster.ledger.credit_links import CreditLink
from qbo_sync_dagster.ledger.operations import NewOperation
from qbo_sync_dagster.sync.adoption import ORPHAN
from qbo_sync_dagster.sync.context import CycleContext
from qbo_sync_dagster.sync.credit_holds import hold, keys_of
from qbo_sync_dagster.sync.credit_removal_queue import queue_removals
from qbo_sync_dagster.sync.credits_in import accepted_applications, read_credits
from qbo_sync_dagster.sync.credits_left_alone import left_alone_by_staff
from qbo_sync_dagster.sync.payment_intake import inbound_payment
from qbo_sync_dagster.sync.unsettled import unsettled_pages

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
    removals = queue_removals(ctx, applications)
    with ctx.reading() as connection:
        stands = credit_links.standing(connection, ctx.realm)
        scope = _scope(ctx, connection, stands, applications)
        left_alone = left_alone_by_staff(connection, ctx.realm)
    wanted = [
        each for each in applications if is_wanted(each, scope) and not left_alone.covers(each)
    ]
    payments = _waiting_payments(ctx) if applications else []
    disputes = _disputes(ctx, applications, payments)
    with ctx.ledger() as connection:
        # Those that an unsettled payment turned out to be have their link by now.
        taken = credit_links.of_keys(connection, ctx.realm, [each.key for each in wanted])
        judged = {key for each in disputes if left_alone.judged(each) for key in keys_of(each)}
        wanted = [each for each in wanted if each.key not in taken and each.key not in judged]
        queued = operations.queue(
            connection,
            ctx.realm,
            [NewOperation(APPLY_CREDIT, each.key, credit_label(each)) for each in wanted],
        )
        cancelled = _cancel(connection, ctx, wanted)
        hold(connection, ctx, wanted, scope, disputes, payments)
    _tell(ctx, applications, scope, disputes, wanted)
    return CreditsQueued(queued + removals, cancelled)


def _scope(
    ctx: CycleContext,
    connection: sa.Connection,
    stands: Iterable[CreditLink],
    applications: Iterable[CreditApplication],
) -> CreditScope:
    exported = operations.open_ones(connection, ctx.realm, EXPORT_INVOICE)
    queued = {operation.record_id for operation in exported}
    linked = links.ids(connection, ctx.realm, "invoice").keys()
    others = {each.invoice_id for each in applications if not each.is_reversed} - linked - queued
    return CreditScope(
        go_live=ctx.connection.go_live_date,
        invoices=linked,
        notes=links.ids(connection, ctx.realm, "credit_memo").keys(),
        unlinked=queued | _kept_out(ctx, connection, others),
        linked={link.key for link in stands} | accepted_applications(connection, ctx.realm),
    )


def _kept_out(
    ctx: CycleContext, connection: sa.Connection, invoice_ids: Collection[str]
) -> set[str]:
    """Those of the invoices that are the company's, and that staff dismissed before they went.

    What was given up after it had been there stands for itself, with all that was on it.
    """
    if not invoice_ids:
        return set()
    homes = links.homes(connection, ctx.connection.tenant, invoice_ids)
    own = {invoice for invoice, realm in homes.items() if realm == ctx.realm}
    return own - links.ever_linked(connection, [ctx.realm], own)


def _waiting_payments(ctx: CycleContext) -> list[InboundPayment]:
    """QuickBooks' payments that AlgaPSA does not show yet."""
    return [
        payment
        for change in chain.from_iterable(unsettled_pages(ctx, "Payment"))
        if (payment := _payment(ctx, change))
    ]


def _disputes(
    ctx: CycleContext,
    applications: Sequence[CreditApplication],
    waiting: Iterable[InboundPayment],
) -> tuple[Dispute, ...]:
    """Notes that a waiting payment and an application of AlgaPSA use differently."""
    payments = [payment for payment in waiting if payment.credit_lines]
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
