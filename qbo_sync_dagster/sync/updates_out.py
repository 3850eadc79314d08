"""Stage 5, re-exports: documents that staff chose to bring back to AlgaPSA's version, in place.

Nothing is sent over a version that staff have not seen, nor below what is applied. An object that
was voided is updated like any other; one that was deleted is created anew.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import sqlalchemy as sa

from qbo_sync_dagster.domain.algapsa_records import Client, Document, DocumentHeader
from qbo_sync_dagster.domain.closing_date import is_closed
from qbo_sync_dagster.domain.document_changes import (
    ChangeStep,
    below_applied,
    closed_change,
    judge_update,
    may_be_updated,
)
from qbo_sync_dagster.domain.document_kinds import kind_of
from qbo_sync_dagster.domain.document_view import differences, on_day
from qbo_sync_dagster.domain.drift import drift_exception
from qbo_sync_dagster.domain.errors import DomainError
from qbo_sync_dagster.domain.exception_record import ExceptionRecord
from qbo_sync_dagster.domain.export import ExportDocument, NotReady, prepare_export
from qbo_sync_dagster.domain.export_problems import not_ready, number_taken, refused
from qbo_sync_dagster.domain.operation_kinds import VOID_DOCUMENT
from qbo_sync_dagster.domain.re_dating import re_dated
from qbo_sync_dagster.ledger import exceptions, links, operations, postings
from qbo_sync_dagster.quickbooks.answers import RawObject
from qbo_sync_dagster.quickbooks.bodies import update_body
from qbo_sync_dagster.quickbooks.errors import (
    ClosedPeriodError,
    DuplicateNumberError,
    FaultError,
    StaleObjectError,
)
from qbo_sync_dagster.quickbooks.objects import parse_document
from qbo_sync_dagster.sync.adoption import DUPLICATE_NUMBER
from qbo_sync_dagster.sync.chosen_days import Chosen, chosen_days
from qbo_sync_dagster.sync.context import CycleContext
from qbo_sync_dagster.sync.documents_out import NOT_READY, look_up_numbers
from qbo_sync_dagster.sync.levels import Terms
from qbo_sync_dagster.sync.linked_documents import (
    Now,
    agreed_of,
    kind_of_link,
    now,
    read_objects,
    seen_by_staff,
    show_now,
    shown_of,
    updated,
)
from qbo_sync_dagster.sync.references import load_references
from qbo_sync_dagster.sync.sending import Outgoing, Written
from qbo_sync_dagster.sync.update_queue import CLOSED, REFUSED, judged_update, withdraw_update


class UpdateLevel:
    """The re-exports of one cycle."""

    def __init__(self, ctx: CycleContext, terms: Terms) -> None:
        self._ctx = ctx
        self._closing_date = terms.rules.closing_date
        self._references = load_references(ctx)
        self._clients: Mapping[str, Client] = {
            client.client_id: client for client in ctx.algapsa.clients()
        }
        self._documents: Mapping[str, Document] = {}
        self._links: Mapping[str, links.Link] = {}
        self._prepared: dict[str, ExportDocument] = {}
        self._days: Mapping[str, Chosen] = {}

    def prepare(self, due: Sequence[operations.Operation]) -> list[Outgoing]:
        """Those that can be sent now; all others get their state and reason."""
        ids = [operation.record_id for operation in due]
        self._documents = self._ctx.algapsa.documents(ids)
        self._prepared = {}
        with self._ctx.ledger() as connection:
            self._links = links.documents(connection, self._ctx.realm, ids)
            self._days = chosen_days(connection, self._ctx.realm, ids)
            ready = [each for each in due if self._is_ready(connection, each)]
        read = read_objects(self._ctx, [self._links[each.record_id] for each in ready])
        taken = self._taken_numbers(ready)
        outgoing = []
        with self._ctx.ledger() as connection:
            for operation in ready:
                link = self._links[operation.record_id]
                raw = read.get((kind_of_link(link).entity, link.quickbooks_id))
                if (item := self._judged(connection, operation, link, raw, taken)) is not None:
                    outgoing.append(item)
        return outgoing

    def _is_ready(self, connection: sa.Connection, operation: operations.Operation) -> bool:
        link, document = (each.get(operation.record_id) for each in (self._links, self._documents))
        if not isinstance(link, links.Link) or not isinstance(document, Document):
            withdraw_update(connection, self._ctx, operation)
            return False
        if not may_be_updated(document.header) or kind_of(document.header) != kind_of_link(link):
            withdraw_update(connection, self._ctx, operation)
            return False
        if operations.of_record(connection, self._ctx.realm, VOID_DOCUMENT, operation.record_id):
            return False  # what the void leaves decides
        client = self._clients.get(document.header.client_id)
        prepared = prepare_export(document, client, self._references)
        if isinstance(prepared, NotReady):
            record = not_ready(document.header, prepared.problems)
            self._set_aside(connection, operation, record, state="errored", code=NOT_READY)
            return False
        prepared = re_dated(prepared, self._days.get(operation.record_id, {}))
        self._prepared[operation.record_id] = prepared
        days = (on_day(shown_of(link)), prepared.invoice_date)
        if any(day and is_closed(day, self._closing_date) for day in days):
            self._hold(connection, operation)
            return False
        return True

    def _taken_numbers(
        self, ready: Sequence[operations.Operation]
    ) -> Mapping[str, list[RawObject]]:
        """Who bears the numbers that documents are to change to."""
        changed = [
            self._prepared[each.record_id].number
            for each in ready
            if self._prepared[each.record_id].number != shown_of(self._links[each.record_id]).number
        ]
        return look_up_numbers(self._ctx, changed)

    def _judged(
        self,
        connection: sa.Connection,
        operation: operations.Operation,
        link: links.Link,
        raw: RawObject | None,
        taken: Mapping[str, list[RawObject]],
    ) -> Outgoing | None:
        header = self._header(operation)
        prepared = self._prepared[operation.record_id]
        try:
            found = now(link, raw)
        except DomainError as error:
            self._refuse(connection, operation, refused(header, str(error), None))
            return None
        expected = seen_by_staff(operation) or shown_of(link)
        bearers = [
            (each.entity, each.id)
            for each in taken.get(prepared.number.casefold(), ())
            if (each.entity, each.id) != (prepared.kind.entity, link.quickbooks_id)
        ]
        step = judge_update(expected, found.view, found.applied_minor, prepared.total_minor)
        if step is ChangeStep.DRIFTED:
            self._drifted(connection, operation, link, found)
        elif step is ChangeStep.CREATE_ANEW:
            self._create_anew(connection, operation, link)
        elif bearers:
            self._number_taken(connection, operation, bearers)
        elif step is ChangeStep.APPLIED:
            record = below_applied(header, link.quickbooks_id, found.applied_minor)
            self._refuse(connection, operation, record)
        else:
            return self._outgoing(operation, found, prepared)
        return None

    def _outgoing(
        self, operation: operations.Operation, found: Now, prepared: ExportDocument
    ) -> Outgoing | None:
        if found.document is None:
            return None
        header = self._header(operation)
        body = update_body(prepared, found.document)
        identity = {"fingerprint": header.fingerprint, "total_minor": header.total_minor}
        return Outgoing(operation, prepared.kind.entity, body, identity, "update")

    def _drifted(
        self,
        connection: sa.Connection,
        operation: operations.Operation,
        link: links.Link,
        found: Now,
    ) -> None:
        """What staff decided about is no longer what stands there: they decide again."""
        withdraw_update(connection, self._ctx, operation)
        show_now(connection, link, found)
        agreed = agreed_of(link)
        changed = differences(agreed, found.view)
        if changed:
            record = drift_exception(
                link.algapsa_id,
                link.quickbooks_id,
                agreed,
                found.view,
                changed,
                kind_of_link(link),
            )
            exceptions.raise_all(connection, self._ctx.realm, [record])

    def _create_anew(
        self, connection: sa.Connection, operation: operations.Operation, link: links.Link
    ) -> None:
        """Its object is proven gone, and staff chose: the next generation begins."""
        links.update(connection, link.link_id, state="replaced", drift=None)
        operations.change(connection, [operation.operation_id], "done", reason="it is created anew")
        again = operations.NewOperation(
            kind_of_link(link).export,
            operation.record_id,
            operation.label,
            generation=link.generation + 1,
        )
        operations.queue(connection, self._ctx.realm, [again])

    def _number_taken(
        self,
        connection: sa.Connection,
        operation: operations.Operation,
        bearers: Sequence[tuple[str, str]],
    ) -> None:
        record = number_taken(self._header(operation), bearers)
        self._set_aside(connection, operation, record, state="errored", code=DUPLICATE_NUMBER)

    def _refuse(
        self, connection: sa.Connection, operation: operations.Operation, record: ExceptionRecord
    ) -> None:
        self._set_aside(connection, operation, record, state="errored", code=REFUSED)

    def _hold(self, connection: sa.Connection, operation: operations.Operation) -> None:
        link = self._links[operation.record_id]
        until = f" (through {self._closing_date})" if self._closing_date else ""
        record = closed_change(
            kind_of_link(link),
            operation.record_id,
            link.quickbooks_id,
            shown_of(link),
            "updated",
            until,
            self._header(operation).fingerprint,
        )
        self._set_aside(connection, operation, record, state="held", code=CLOSED)

    def _set_aside(
        self,
        connection: sa.Connection,
        operation: operations.Operation,
        record: ExceptionRecord,
        *,
        state: str,
        code: str,
    ) -> None:
        operations.change(
            connection,
            [operation.operation_id],
            state,
            reason=record.what_happened,
            reason_code=code,
            fingerprint=self._judged_state(operation),
        )
        exceptions.raise_all(connection, self._ctx.realm, [record])

    def _judged_state(self, operation: operations.Operation) -> str:
        prepared = self._prepared.get(operation.record_id)
        return judged_update(prepared, self._links[operation.record_id])

    def _header(self, operation: operations.Operation) -> DocumentHeader:
        return self._documents[operation.record_id].header

    def still_current(self, outgoing: Sequence[Outgoing]) -> list[Outgoing]:
        """Those whose document has not changed in AlgaPSA since it was prepared."""
        found = self._ctx.algapsa.document_headers([each.operation.record_id for each in outgoing])
        same = {
            header.invoice_id
            for header in found
            if may_be_updated(header)
            and header.fingerprint == self._documents[header.invoice_id].header.fingerprint
        }
        return [each for each in outgoing if each.operation.record_id in same]

    def unchanged(self, sent: Sequence[postings.Posting]) -> bool:
        """Nothing of this level is ever sent once more: its object is read instead."""
        return False

    def done(self, connection: sa.Connection, written: Sequence[Written]) -> None:
        """What was confirmed is what both sides agree on from now."""
        for each in written:
            link, header = self._links[each.record_id], self._header(each.operation)
            try:
                document = parse_document(kind_of_link(link).entity, each.answer.object.payload)
            except DomainError:
                # It was carried out; what it looks like is read in the next cycle.
                links.update(connection, link.link_id, snapshot=None, drift=None)
                continue
            updated(
                connection,
                self._ctx,
                link,
                header,
                document,
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
        """Tell people; what was changed meanwhile is read and judged anew in the next cycle."""
        if isinstance(error, ClosedPeriodError):
            self._hold(connection, operation)
        elif isinstance(error, DuplicateNumberError):
            self._number_taken(connection, operation, [])
        elif isinstance(error, StaleObjectError):
            operations.change(connection, [operation.operation_id], "queued", reason=str(error))
        else:
            if is_final:
                record = refused(self._header(operation), str(error), error.intuit_tid)
                exceptions.raise_all(connection, self._ctx.realm, [record])
                state = self._judged_state(operation)
                operations.remember(connection, operation.operation_id, state)
            return False
        operations.bump(connection, operation.operation_id)
        return True
