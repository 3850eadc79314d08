"""Stage 5: drain the queue level by level, in batches, until it is empty or the budget is spent."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from itertools import groupby

from qbo_sync_dagster.domain.document_kinds import EXPORTS
from qbo_sync_dagster.domain.operation_kinds import (
    APPLY_CREDIT,
    CHANGE_PAYMENT,
    CREATE_CUSTOMER,
    PUSH_PAYMENT,
    REMOVE_CREDIT,
    UPDATE_DOCUMENT,
    VOID_DOCUMENT,
)
from qbo_sync_dagster.ledger import operations, postings
from qbo_sync_dagster.quickbooks.errors import ConnectionDeadError, NoAnswerError, QuickBooksError
from qbo_sync_dagster.sync.context import CycleContext
from qbo_sync_dagster.sync.credit_removals import CreditRemovalLevel
from qbo_sync_dagster.sync.credits_out import CreditLevel
from qbo_sync_dagster.sync.customers_out import CustomerLevel
from qbo_sync_dagster.sync.documents_out import DocumentLevel
from qbo_sync_dagster.sync.doubts import withdraw
from qbo_sync_dagster.sync.levels import Level, LevelPlan, Terms
from qbo_sync_dagster.sync.outcome import PostedOperations
from qbo_sync_dagster.sync.payment_changes import PaymentChangeLevel
from qbo_sync_dagster.sync.payment_level import PaymentLevel
from qbo_sync_dagster.sync.preferences import posting_rules
from qbo_sync_dagster.sync.sending import Outgoing, Sent, send_again, send_new
from qbo_sync_dagster.sync.updates_out import UpdateLevel
from qbo_sync_dagster.sync.voids_out import VoidLevel

# In this order, each after the one before is answered: removals, voids, customers, documents,
# credit applications, payments.
LEVELS: tuple[LevelPlan, ...] = (
    LevelPlan((CHANGE_PAYMENT,), PaymentChangeLevel),
    LevelPlan((REMOVE_CREDIT,), CreditRemovalLevel),
    LevelPlan((VOID_DOCUMENT,), VoidLevel),
    LevelPlan((CREATE_CUSTOMER,), CustomerLevel),
    LevelPlan((UPDATE_DOCUMENT,), UpdateLevel),
    LevelPlan(EXPORTS, DocumentLevel, needs_reads=False),
    LevelPlan((APPLY_CREDIT,), CreditLevel),
    LevelPlan((PUSH_PAYMENT,), PaymentLevel),
)
# Numbers of one chunk are looked up in one query; its documents are all that memory holds.
CHUNK = 300
BUDGET_SPENT = "The time for posting in this cycle is spent; the rest follows in the next one."
NO_PREFERENCES = (
    "QuickBooks' preferences could not be read, so the closing date is unknown: nothing was sent."
)
NO_LOOK_UP = (
    "QuickBooks could not be polled, and it accepts duplicate numbers: nothing was sent unseen."
)


def post_operations(
    ctx: CycleContext, again: Sequence[postings.Posting], *, polled: bool
) -> PostedOperations:
    """Post what is due. Raises ConnectionDeadError after what was sent is recorded."""
    total = Sent()
    reason = _post(ctx, again, total, polled=polled) if _has_work(ctx, again) else None
    if isinstance(total.stopped, ConnectionDeadError):
        raise total.stopped
    with ctx.reading() as connection:
        counts = operations.counts(connection, ctx.realm)
    return PostedOperations(
        done=total.done,
        refused=total.refused,
        in_doubt=total.in_doubt,
        waiting=counts["queued"] + counts["held"],
        stopped_reason=str(total.stopped) if total.stopped else reason,
    )


def post_records(ctx: CycleContext, record_ids: Collection[str]) -> Sent:
    """Post what is due of these records alone, level by level, as a cycle would.

    What was sent before and has no answer is left to the next cycle, which polls first.
    Raises the gateway's errors for what is read before anything is sent.
    """
    total = Sent()
    rules = posting_rules(ctx, may_read=True)
    if rules is None:
        raise QuickBooksError(NO_PREFERENCES)
    for plan in LEVELS:
        with ctx.reading() as connection:
            due = operations.due(connection, ctx.realm, plan.kinds, record_ids=record_ids)
        if due and total.stopped is None:
            level = plan.make(ctx, Terms(rules, polled=True))
            for batch in _batches(ctx, level.prepare(due)):
                if current := level.still_current(batch):
                    total.add(send_new(ctx, current, level))
    return total


def _has_work(ctx: CycleContext, again: Sequence[postings.Posting]) -> bool:
    kinds = [kind for plan in LEVELS for kind in plan.kinds]
    with ctx.reading() as connection:
        return bool(again) or bool(operations.due(connection, ctx.realm, kinds, limit=1))


def _post(
    ctx: CycleContext, again: Sequence[postings.Posting], total: Sent, *, polled: bool
) -> str | None:
    rules = posting_rules(ctx, may_read=polled)
    if rules is None:
        return NO_PREFERENCES
    if not polled and not rules.refuses_duplicate_numbers:
        return NO_LOOK_UP
    reason = None
    for plan in LEVELS:
        # A level without an answer holds back what follows on its own records only.
        if reason is not None or not isinstance(total.stopped, NoAnswerError | None):
            return reason
        repeats = [posting for posting in again if posting.kind in plan.kinds]
        if (polled or not plan.needs_reads) and _has_work_for(ctx, plan, repeats):
            sent = Sent()
            level = plan.make(ctx, Terms(rules, polled))
            reason = _post_level(ctx, plan.kinds, level, repeats, sent)
            total.add(sent)
    return reason


def _has_work_for(ctx: CycleContext, plan: LevelPlan, repeats: Sequence[postings.Posting]) -> bool:
    with ctx.reading() as connection:
        due = operations.due(connection, ctx.realm, plan.kinds, limit=1)
    return bool(repeats) or bool(due)


def _post_level(
    ctx: CycleContext,
    kinds: Sequence[str],
    level: Level,
    again: Sequence[postings.Posting],
    total: Sent,
) -> str | None:
    """Send one level; returns why it was left unfinished, if it was for lack of time.

    What is due comes before what is sent once more: QuickBooks may fail on one record for hours.
    """
    repeats = _repeats(ctx, level, again)
    reason = _drain(ctx, kinds, level, total)
    if reason is None and repeats and total.stopped is None:
        reason = _repeat(ctx, level, repeats, total)
    return reason


def _drain(ctx: CycleContext, kinds: Sequence[str], level: Level, total: Sent) -> str | None:
    after = 0
    while total.stopped is None:
        with ctx.reading() as connection:
            due = operations.due(connection, ctx.realm, kinds, after=after, limit=CHUNK)
        if not due:
            return None
        after = due[-1].operation_id
        for batch in _batches(ctx, level.prepare(due)):
            if ctx.seconds_left() <= 0:
                return BUDGET_SPENT
            if total.stopped is not None:
                break
            if current := level.still_current(batch):
                total.add(send_new(ctx, current, level))
    return None


def _repeats(
    ctx: CycleContext, level: Level, again: Sequence[postings.Posting]
) -> list[list[postings.Posting]]:
    """What is to be sent once more with its own ids; the rest gets a new attempt at once."""
    with ctx.reading() as connection:
        sizes = postings.batch_sizes(
            connection, ctx.realm, {item.batch_id for item in again if item.batch_id}
        )
    repeats = []
    for group in _as_sent(again):
        batch_id = group[0].batch_id
        is_whole = batch_id is None or sizes[batch_id] == len(group)
        if is_whole and level.unchanged(group):
            repeats.append(group)
        else:
            _give_new_attempts(ctx, group)
    return repeats


def _repeat(
    ctx: CycleContext,
    level: Level,
    repeats: Sequence[Sequence[postings.Posting]],
    total: Sent,
) -> str | None:
    """Send proven absentees again; one that gets no answer once more does not stop the others.

    Each is looked at right before: while others were sent, somebody may have entered it by hand.
    """
    with ctx.reading() as connection:
        by_operation = {
            operation.operation_id: operation
            for operation in operations.open_ones(connection, ctx.realm)
        }
    for group in repeats:
        if ctx.seconds_left() <= 0:
            return BUDGET_SPENT
        if not isinstance(total.stopped, NoAnswerError | None):
            return None
        if level.unchanged(group):
            total.add(send_again(ctx, group, by_operation, level))
        else:
            _give_new_attempts(ctx, group)
    return None


def _give_new_attempts(ctx: CycleContext, group: Sequence[postings.Posting]) -> None:
    with ctx.ledger() as connection:
        for posting in group:
            withdraw(connection, ctx, posting)


def _as_sent(again: Sequence[postings.Posting]) -> Iterator[list[postings.Posting]]:
    ordered = sorted(again, key=lambda item: (item.batch_id or item.request_id, item.position))
    for _, group in groupby(ordered, key=lambda item: item.batch_id or item.request_id):
        yield list(group)


def _batches(ctx: CycleContext, outgoing: Sequence[Outgoing]) -> Iterator[Sequence[Outgoing]]:
    settings = ctx.engine.config.quickbooks
    size = settings.batch_size if settings.batches else 1
    for start in range(0, len(outgoing), size):
        yield outgoing[start : start + size]
