"""Stage 5, level voids: documents that AlgaPSA voided are voided in QuickBooks.

An invoice is voided, a credit memo deleted, since QuickBooks knows no void of one. Neither happens
while anything is applied to it, nor over a version that nobody has seen.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from typing import Literal

import sqlalchemy as sa

from qbo_sync_dagster.domain.algapsa_records import DocumentHeader
from qbo_sync_dagster.domain.closing_date import is_closed
from qbo_sync_dagster.domain.document_changes import (
    ChangeStep,
    closed_change,
    is_cancelled,
    judge_void,
    may_be_updated,
    void_failing,
    why_not_voided,
)
from qbo_sync_dagster.domain.document_kinds import INVOICE
from qbo_sync_dagster.domain.document_view import DELETED, VOIDED, differences
from qbo_sync_dagster.domain.errors import DomainError
from qbo_sync_dagster.domain.exception_record import ExceptionRecord
from qbo_sync_dagster.domain.operation_kinds import (
    CHANGE_PAYMENT,
    REMOVE_CREDIT,
    UPDATE_DOCUMENT,
)
from qbo_sync_dagster.ledger import exceptions, links, operations, postings
from qbo_sync_dagster.quickbooks.answers import RawObject
from qbo_sync_dagster.quickbooks.errors import (
    ClosedPeriodError,
    FaultError,
    ObjectNotFoundError,
    StaleObjectError,
)
from qbo_sync_dagster.sync.context import CycleContext
from qbo_sync_dagster.sync.levels import Terms
from qbo_sync_dagster.sync.linked_documents import (
    Now,
    agreed_of,
    kind_of_link,
    now,
    read_objects,
    seen_by_staff,
    shown_of,
    withdrawn,
)
from qbo_sync_dagster.sync.sending import Outgoing, Written
from qbo_sync_dagster.sync.void_queue import (
    CLOSED,
    NOT_POSSIBLE,
    judged_state,
    void_version,
    withdraw_void,
)


class VoidLevel:
    """The voids of one cycle."""

    def __init__(self, ctx: CycleContext, terms: Terms) -> None:
        self._ctx = ctx
        self._closing_date = terms.rules.closing_date
        self._headers: dict[str, DocumentHeader] = {}
        self._links: dict[str, links.Link] = {}

    def prepare(self, due: Sequence[operations.Operation]) -> list[Outgoing]:
        """Those that can be voided now; all others get their state and reason."""
        self._load([operation.record_id for operation in due])
        open_now = self._still_wanted(due)
        read = read_objects(self._ctx, [self._links[each.record_id] for each in open_now])
        outgoing = []
        with self._ctx.ledger() as connection:
            for operation in open_now:
                link = self._links[operation.record_id]
                raw = read.get((kind_of_link(link).entity, link.quickbooks_id))
                if (item := self._judged(connection, operation, link, raw)) is not None:
                    outgoing.append(item)
        return outgoing

    def _load(self, ids: Sequence[str]) -> None:
        self._headers = {each.invoice_id: each for each in self._ctx.algapsa.document_headers(ids)}
        with self._ctx.reading() as connection:
            self._links = links.documents(connection, self._ctx.realm, ids)

    def _still_wanted(self, due: Sequence[operations.Operation]) -> list[operations.Operation]:
        """Without those that are withdrawn, held by closed books, or wait for something else."""
        ids = [operation.record_id for operation in due]
        wanted = []
        with self._ctx.ledger() as connection:
            waiting = _with_open_prerequisites(connection, self._ctx.realm, ids)
            for operation in due:
                link = self._links.get(operation.record_id)
                if link is None or not self._is_wanted(operation):
                    withdraw_void(connection, self._ctx, operation)
                elif _closed(shown_of(link).date, self._closing_date):
                    self._hold(connection, operation)
                elif operation.record_id not in waiting:
                    wanted.append(operation)
        return wanted

    def _is_wanted(self, operation: operations.Operation) -> bool:
        by_staff = seen_by_staff(operation) is not None
        return by_staff or is_cancelled(self._headers.get(operation.record_id))

    def _lives_on(self, link: links.Link) -> bool:
        # Staff may void there what AlgaPSA still has: until the next cycle nothing else says so.
        return may_be_updated(self._headers.get(link.algapsa_id))

    def _judged(
        self,
        connection: sa.Connection,
        operation: operations.Operation,
        link: links.Link,
        raw: RawObject | None,
    ) -> Outgoing | None:
        try:
            found = now(link, raw)
        except DomainError as error:
            self._fail(connection, operation, str(error))
            return None
        expected = seen_by_staff(operation) or agreed_of(link)
        kind = kind_of_link(link)
        step = judge_void(kind, expected, found.view, found.applied_minor)
        if step is ChangeStep.SEND:
            verb: Literal["void", "delete"] = "void" if kind is INVOICE else "delete"
            return Outgoing(operation, kind.entity, dict(found.reference), {}, verb)
        if step is ChangeStep.DONE:
            operations.change(
                connection, [operation.operation_id], "done", reason="it stood so already"
            )
            lives_on = self._lives_on(link)
            withdrawn(connection, self._ctx, link, found, effect="found voided", lives_on=lives_on)
        else:
            changed = differences(expected, found.view)
            self._fail(connection, operation, why_not_voided(step, found.applied_minor, changed))
        return None

    def _fail(
        self, connection: sa.Connection, operation: operations.Operation, sentence: str
    ) -> None:
        operations.change(
            connection,
            [operation.operation_id],
            "errored",
            reason=sentence,
            reason_code=NOT_POSSIBLE,
            fingerprint=judged_state(self._links[operation.record_id]),
        )
        exceptions.raise_all(connection, self._ctx.realm, [self._failing(operation, sentence)])

    def _failing(self, operation: operations.Operation, sentence: str) -> ExceptionRecord:
        link = self._links[operation.record_id]
        return void_failing(
            kind_of_link(link),
            operation.record_id,
            link.quickbooks_id,
            agreed_of(link).number,
            sentence,
            self._version(operation),
        )

    def _version(self, operation: operations.Operation) -> str:
        return void_version(self._headers.get(operation.record_id))

    def _hold(self, connection: sa.Connection, operation: operations.Operation) -> None:
        link = self._links[operation.record_id]
        until = f" (through {self._closing_date})" if self._closing_date else ""
        record = closed_change(
            kind_of_link(link),
            operation.record_id,
            link.quickbooks_id,
            shown_of(link),
            "voided",
            until,
            self._version(operation),
        )
        operations.change(
            connection,
            [operation.operation_id],
            "held",
            reason=record.what_happened,
            reason_code=CLOSED,
        )
        exceptions.raise_all(connection, self._ctx.realm, [record])

    def still_current(self, outgoing: Sequence[Outgoing]) -> list[Outgoing]:
        """Those that AlgaPSA still shows voided, or that staff asked for."""
        ids = [item.operation.record_id for item in outgoing]
        self._headers |= {each.invoice_id: each for each in self._ctx.algapsa.document_headers(ids)}
        return [item for item in outgoing if self._is_wanted(item.operation)]

    def unchanged(self, sent: Sequence[postings.Posting]) -> bool:
        """Nothing of this level is ever sent once more: its object is read instead."""
        return False

    def done(self, connection: sa.Connection, written: Sequence[Written]) -> None:
        """Both sides agree that the documents are gone."""
        for each in written:
            link = self._links[each.record_id]
            state = VOIDED if each.verb == "void" else DELETED
            found = _as_answered(link, each, state)
            withdrawn(
                connection,
                self._ctx,
                link,
                found,
                effect=each.verb,
                lives_on=self._lives_on(link),
                request_id=each.request_id,
                intuit_tid=each.answer.intuit_tid,
            )

    def refused(
        self,
        connection: sa.Connection,
        operation: operations.Operation,
        error: FaultError,
        *,
        is_final: bool,
    ) -> bool:
        """Tell people; what was changed or deleted meanwhile is read again in the next cycle."""
        if isinstance(error, ClosedPeriodError):
            self._hold(connection, operation)
        elif isinstance(error, StaleObjectError | ObjectNotFoundError):
            operations.change(connection, [operation.operation_id], "queued", reason=str(error))
        else:
            if is_final:
                record = self._failing(operation, f"QuickBooks refused it. {error}")
                exceptions.raise_all(connection, self._ctx.realm, [record])
                state = judged_state(self._links[operation.record_id])
                operations.remember(connection, operation.operation_id, state)
            return False
        operations.bump(connection, operation.operation_id)
        return True


def _as_answered(link: links.Link, written: Written, state: str) -> Now:
    found = Now(None, agreed_of(link).gone(state))
    if state == DELETED:
        return found
    try:
        return Now(now(link, written.answer.object).document, found.view)
    except DomainError:
        return found


def _closed(day: str, closing_date: date | None) -> bool:
    return bool(day) and is_closed(date.fromisoformat(day), closing_date)


def _with_open_prerequisites(connection: sa.Connection, realm: str, ids: Sequence[str]) -> set[str]:
    """Those of the documents on which something else is on its way, or must come off first."""
    updates = {
        operation.record_id
        for operation in operations.open_ones(connection, realm, UPDATE_DOCUMENT)
        if operation.state in ("queued", "posting")
    }
    removals = (CHANGE_PAYMENT, REMOVE_CREDIT)
    return (updates & set(ids)) | operations.on_documents(connection, realm, removals, ids)
