"""Sending writes so that a crash or a lost answer at any point is settled later, never repeated.

A posting with its request id and exact body is committed before anything is sent; the answer is
recorded in one transaction with what follows from it. What follows is the level's business.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import sqlalchemy as sa

from qbo_sync_dagster.domain.attempts import after_refusal
from qbo_sync_dagster.domain.request_ids import batch_request_id, item_id, posting_request_id
from qbo_sync_dagster.ledger import operations, postings
from qbo_sync_dagster.ledger.engine import ledger_now
from qbo_sync_dagster.quickbooks.answers import WriteAnswer
from qbo_sync_dagster.quickbooks.calls import Write, WriteOperation
from qbo_sync_dagster.quickbooks.errors import (
    ConnectionDeadError,
    FaultError,
    NoAnswerError,
    QuickBooksError,
    RecordBusyError,
    ThrottledError,
)
from qbo_sync_dagster.quickbooks.wire import decode_json, encode_body
from qbo_sync_dagster.sync.context import CycleContext


@dataclass(frozen=True, slots=True)
class Outgoing:
    """One write about to be sent; `identity` is what settles it if no answer comes.

    The body of an update, void or delete carries Id and SyncToken of the read that was checked.
    """

    operation: operations.Operation
    entity: str
    body: dict[str, Any]
    identity: dict[str, Any]
    verb: WriteOperation = "create"


@dataclass(frozen=True, slots=True)
class Written:
    """A write that QuickBooks carried out for an AlgaPSA record."""

    operation: operations.Operation
    verb: WriteOperation
    request_id: str
    answer: WriteAnswer

    @property
    def record_id(self) -> str:
        """The AlgaPSA record that it was carried out for."""
        return self.operation.record_id


class Settler(Protocol):
    """What a level does with the answers, inside the transaction that records them."""

    def done(self, connection: sa.Connection, written: Sequence[Written]) -> None:
        """The objects stand as the writes leave them: link them, or note what they are now."""

    def refused(
        self,
        connection: sa.Connection,
        operation: operations.Operation,
        error: FaultError,
        *,
        is_final: bool,
    ) -> bool:
        """QuickBooks refused it: tell people if that `is_final`.

        True if that decided the operation's state too.
        """


@dataclass
class Sent:
    """What came of sending. `stopped` is why no more should be sent in this cycle."""

    done: int = 0
    refused: int = 0
    in_doubt: int = 0
    stopped: QuickBooksError | None = None

    def add(self, other: Sent) -> None:
        """Count another batch's results in."""
        self.done += other.done
        self.refused += other.refused
        self.in_doubt += other.in_doubt
        self.stopped = other.stopped or self.stopped


@dataclass(frozen=True, slots=True)
class _Letter:
    """One write with its operation and the ids it travels under."""

    operation: operations.Operation
    item_id: str
    write: Write


def send_new(ctx: CycleContext, outgoing: Sequence[Outgoing], settler: Settler) -> Sent:
    """Commit postings for up to one batch of writes, then send them.

    What staff linked or withdrew since it was prepared is left out.
    """
    with ctx.ledger() as connection:
        free = operations.claim(connection, [item.operation.operation_id for item in outgoing])
        letters = [
            _letter(ctx.realm, position, item)
            for position, item in enumerate(
                item for item in outgoing if item.operation.operation_id in free
            )
        ]
        if not letters:
            return Sent()
        request_ids = [letter.write.request_id for letter in letters]
        batch_id = batch_request_id(request_ids) if len(letters) > 1 else None
        identities = {item.operation.operation_id: item.identity for item in outgoing}
        postings.record(
            connection,
            ctx.realm,
            [
                postings.NewPosting(
                    operation_id=letter.operation.operation_id,
                    request_id=letter.write.request_id,
                    entity=letter.write.entity,
                    verb=letter.write.operation,
                    body=encode_body(letter.write.body),
                    identity=identities[letter.operation.operation_id],
                    batch_id=batch_id,
                    item_id=letter.item_id,
                    position=position,
                )
                for position, letter in enumerate(letters)
            ],
        )
    return _send(ctx, letters, batch_id, settler)


def _letter(realm: str, position: int, item: Outgoing) -> _Letter:
    operation = item.operation
    request_id = posting_request_id(
        realm, operation.kind, operation.record_id, operation.generation, operation.attempt
    )
    return _Letter(
        operation, item_id(position), Write(item.verb, item.entity, item.body, request_id)
    )


def send_again(
    ctx: CycleContext,
    stored: Sequence[postings.Posting],
    by_operation: Mapping[int, operations.Operation],
    settler: Settler,
) -> Sent:
    """Send unanswered postings of one batch, or one single, exactly as they were sent before."""
    with ctx.ledger() as connection:
        postings.resend(connection, [posting.posting_id for posting in stored])
    letters = [
        _Letter(
            by_operation[posting.operation_id],
            posting.item_id or item_id(posting.position),
            Write(posting.verb, posting.entity, _body(posting), posting.request_id),
        )
        for posting in stored
    ]
    return _send(ctx, letters, stored[0].batch_id, settler, is_repeat=True)


def _body(posting: postings.Posting) -> dict[str, Any]:
    body = decode_json(posting.body)
    return body if isinstance(body, dict) else {}


def _send(
    ctx: CycleContext,
    letters: Sequence[_Letter],
    batch_id: str | None,
    settler: Settler,
    *,
    is_repeat: bool = False,
) -> Sent:
    sent = Sent()
    try:
        answers = _ask(ctx, letters, batch_id)
    except (NoAnswerError, ThrottledError, ConnectionDeadError) as error:
        sent.stopped = error
        # That a repeat did not arrive says nothing about the first send: the id stays in use,
        # as it does for each item of one that was let in as a whole.
        if is_repeat or (isinstance(error, NoAnswerError) and error.sent):
            sent.in_doubt = len(letters)
        else:
            _never_arrived(ctx, letters, error)
        return sent
    _record(ctx, letters, answers, settler, sent, is_repeat=is_repeat)
    return sent


def _ask(
    ctx: CycleContext, letters: Sequence[_Letter], batch_id: str | None
) -> Mapping[str, WriteAnswer | QuickBooksError]:
    try:
        if batch_id is not None:
            return ctx.quickbooks.write_batch(
                [(letter.item_id, letter.write) for letter in letters], batch_id
            )
        return {letters[0].item_id: ctx.quickbooks.write(letters[0].write)}
    except FaultError as error:
        # A batch refused as a whole: nothing of it was done.
        return {letter.item_id: error for letter in letters}


def _never_arrived(ctx: CycleContext, letters: Sequence[_Letter], error: QuickBooksError) -> None:
    # Throttling, outages and authentication say nothing about the record: no fault is counted.
    with ctx.ledger() as connection:
        for letter in letters:
            postings.answer(
                connection,
                ctx.realm,
                letter.write.request_id,
                "absent",
                code=error.code,
                intuit_tid=error.intuit_tid,
            )
        ids = [letter.operation.operation_id for letter in letters]
        operations.change(connection, ids, "queued", reason=str(error), more_attempts=1)


def _record(
    ctx: CycleContext,
    letters: Sequence[_Letter],
    answers: Mapping[str, WriteAnswer | QuickBooksError],
    settler: Settler,
    sent: Sent,
    *,
    is_repeat: bool,
) -> None:
    done: list[tuple[_Letter, WriteAnswer]] = []
    with ctx.ledger() as connection:
        for letter in letters:
            answer = answers[letter.item_id]
            if isinstance(answer, WriteAnswer):
                done.append((letter, answer))
            elif isinstance(answer, FaultError):
                _refused(ctx, connection, letter, answer, settler)
                sent.refused += 1
            elif isinstance(answer, NoAnswerError):
                sent.in_doubt += 1
            else:
                sent.stopped = sent.stopped or answer
                if is_repeat:
                    sent.in_doubt += 1
                else:
                    _withheld(ctx, connection, letter, answer)
        if done:
            _done(ctx, connection, done, settler)
    sent.done += len(done)
    ctx.tally.quickbooks_writes += len(done)


def _done(
    ctx: CycleContext,
    connection: sa.Connection,
    done: Sequence[tuple[_Letter, WriteAnswer]],
    settler: Settler,
) -> None:
    written = [
        Written(letter.operation, letter.write.operation, letter.write.request_id, answer)
        for letter, answer in done
    ]
    postings.carried_out(
        connection,
        ctx.realm,
        [(each.request_id, each.answer.object.id, each.answer.intuit_tid) for each in written],
    )
    ids = [letter.operation.operation_id for letter, _ in done]
    operations.change(connection, ids, "done")
    settler.done(connection, written)


def _refused(
    ctx: CycleContext,
    connection: sa.Connection,
    letter: _Letter,
    error: FaultError,
    settler: Settler,
) -> None:
    operation, request_id = letter.operation, letter.write.request_id
    postings.answer(
        connection,
        ctx.realm,
        request_id,
        "refused",
        code=error.code,
        detail=str(error),
        intuit_tid=error.intuit_tid,
    )
    step = after_refusal(
        curable_by_retry=isinstance(error, RecordBusyError),
        faults=operation.faults + 1,
        request_id=request_id,
        now=ledger_now(connection),
    )
    if settler.refused(connection, operation, error, is_final=step.state == "errored"):
        return
    operations.change(
        connection,
        [operation.operation_id],
        step.state,
        reason=str(error),
        reason_code=error.code,
        next_attempt_at=step.next_attempt_at,
        more_attempts=1,
        more_faults=1,
    )


def _withheld(
    ctx: CycleContext, connection: sa.Connection, letter: _Letter, error: QuickBooksError
) -> None:
    """An item of a first send, throttled or refused for the connection's sake: not its fault."""
    postings.answer(connection, ctx.realm, letter.write.request_id, "absent", code=error.code)
    operations.change(
        connection,
        [letter.operation.operation_id],
        "queued",
        reason=str(error),
        more_attempts=1,
    )
