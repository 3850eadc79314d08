"""Stage 5: drain the queue level by level, in batches, until it is empty or the budget is spent."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import groupby
from typing import Protocol

from qbo_sync_dagster.ledger import operations, postings
from qbo_sync_dagster.quickbooks.errors import ConnectionDeadError, NoAnswerError
from qbo_sync_dagster.sync.context import CycleContext
from qbo_sync_dagster.sync.customers_out import CustomerLevel
from qbo_sync_dagster.sync.documents_out import DocumentLevel
from qbo_sync_dagster.sync.doubts import withdraw
from qbo_sync_dagster.sync.outbound import CREATE_CUSTOMER, EXPORT
from qbo_sync_dagster.sync.outcome import PostedOperations
from qbo_sync_dagster.sync.preferences import posting_rules
from qbo_sync_dagster.sync.references import load_references
from qbo_sync_dagster.sync.sending import Outgoing, Sent, Settler, send_again, send_new

# Numbers of one chunk are looked up in one query; its documents are all that memory holds.
CHUNK = 300
BUDGET_SPENT = "The time for posting in this cycle is spent; the rest follows in the next one."
NO_PREFERENCES = (
    "QuickBooks' preferences could not be read, so the closing date is unknown: nothing was sent."
)
NO_LOOK_UP = (
    "QuickBooks could not be polled, and it accepts duplicate numbers: nothing was sent unseen."
)


class Level(Settler, Protocol):
    """One level of operations that is prepared and sent in the same way."""

    def prepare(self, due: Sequence[operations.Operation]) -> list[Outgoing]:
        """Those that can be sent now."""

    def still_current(self, outgoing: Sequence[Outgoing]) -> list[Outgoing]:
        """Those that have not changed since they were prepared."""

    def unchanged(self, sent: Sequence[postings.Posting]) -> bool:
        """Whether all that was sent earlier would be sent the same way now."""


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


def _has_work(ctx: CycleContext, again: Sequence[postings.Posting]) -> bool:
    with ctx.reading() as connection:
        return bool(again) or any(
            operations.due(connection, ctx.realm, kind, limit=1)
            for kind in (CREATE_CUSTOMER, EXPORT)
        )


def _post(
    ctx: CycleContext, again: Sequence[postings.Posting], total: Sent, *, polled: bool
) -> str | None:
    rules = posting_rules(ctx, may_read=polled)
    if rules is None:
        return NO_PREFERENCES
    if not polled and not rules.refuses_duplicate_numbers:
        return NO_LOOK_UP
    reason = None
    if polled:
        customers = CustomerLevel(ctx, multi_currency=rules.multi_currency)
        reason = _post_level(ctx, CREATE_CUSTOMER, customers, _of(again, "Customer"), total)
    # A customer without an answer holds back its own invoices only.
    if reason is None and isinstance(total.stopped, NoAnswerError | None):
        documents = DocumentLevel(
            ctx,
            references=load_references(ctx),
            closing_date=rules.closing_date,
            may_look_up=polled,
        )
        sent = Sent()
        reason = _post_level(ctx, EXPORT, documents, _of(again, "Invoice"), sent)
        total.add(sent)
    return reason


def _of(again: Sequence[postings.Posting], entity: str) -> list[postings.Posting]:
    return [posting for posting in again if posting.entity == entity]


def _post_level(
    ctx: CycleContext,
    kind: str,
    level: Level,
    again: Sequence[postings.Posting],
    total: Sent,
) -> str | None:
    """Send one level; returns why it was left unfinished, if it was for lack of time.

    What is due comes before what is sent once more: QuickBooks may fail on one record for hours.
    """
    repeats = _repeats(ctx, level, again)
    reason = _drain(ctx, kind, level, total)
    if reason is None and repeats and total.stopped is None:
        reason = _repeat(ctx, level, repeats, total)
    return reason


def _drain(ctx: CycleContext, kind: str, level: Level, total: Sent) -> str | None:
    after = 0
    while total.stopped is None:
        with ctx.reading() as connection:
            due = operations.due(connection, ctx.realm, kind, after=after, limit=CHUNK)
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
            with ctx.ledger() as connection:
                for posting in group:
                    withdraw(connection, ctx, posting)
    return repeats


def _repeat(
    ctx: CycleContext,
    level: Level,
    repeats: Sequence[Sequence[postings.Posting]],
    total: Sent,
) -> str | None:
    """Send proven absentees again; one that gets no answer once more does not stop the others."""
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
        total.add(send_again(ctx, group, by_operation, level))
    return None


def _as_sent(again: Sequence[postings.Posting]) -> Iterator[list[postings.Posting]]:
    ordered = sorted(again, key=lambda item: (item.batch_id or item.request_id, item.position))
    for _, group in groupby(ordered, key=lambda item: item.batch_id or item.request_id):
        yield list(group)


def _batches(ctx: CycleContext, outgoing: Sequence[Outgoing]) -> Iterator[Sequence[Outgoing]]:
    settings = ctx.engine.config.quickbooks
    size = settings.batch_size if settings.batches else 1
    for start in range(0, len(outgoing), size):
        yield outgoing[start : start + size]
