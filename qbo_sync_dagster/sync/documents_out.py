"""Stage 5, level documents: create the queued documents in QuickBooks, a bounded chunk at a time.

Each chunk reads AlgaPSA again right before it is sent: an invoice voided or reopened since it was
queued is not exported. Its numbers are looked up before any create.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from datetime import timedelta

import sqlalchemy as sa

from qbo_sync_dagster.domain.algapsa_records import Client, Document, DocumentHeader
from qbo_sync_dagster.domain.closing_date import closed_period, is_closed
from qbo_sync_dagster.domain.document_kinds import BY_ENTITY, DOCUMENT_KINDS, kind_of
from qbo_sync_dagster.domain.document_view import LIVE
from qbo_sync_dagster.domain.eligibility import CompanyScope, Standing, standing
from qbo_sync_dagster.domain.errors import DomainError
from qbo_sync_dagster.domain.exception_record import ExceptionRecord
from qbo_sync_dagster.domain.export import ExportDocument, NotReady, prepare_export
from qbo_sync_dagster.domain.export_problems import not_ready, number_taken, refused
from qbo_sync_dagster.domain.operation_kinds import CREATE_CUSTOMER
from qbo_sync_dagster.domain.re_dating import re_dated
from qbo_sync_dagster.ledger import exceptions, links, operations, postings
from qbo_sync_dagster.quickbooks.answers import RawObject
from qbo_sync_dagster.quickbooks.bodies import document_body
from qbo_sync_dagster.quickbooks.errors import (
    ClosedPeriodError,
    DuplicateNumberError,
    FaultError,
)
from qbo_sync_dagster.quickbooks.objects import parse_document
from qbo_sync_dagster.quickbooks.wire import encode_body
from qbo_sync_dagster.sync import adoption
from qbo_sync_dagster.sync.chosen_days import Chosen, chosen_days
from qbo_sync_dagster.sync.context import CycleContext
from qbo_sync_dagster.sync.digest import digest
from qbo_sync_dagster.sync.document_links import (
    EXPORT_KINDS,
    FoundDocument,
    UnreadDocument,
    link_documents,
    link_unread,
)
from qbo_sync_dagster.sync.levels import Terms
from qbo_sync_dagster.sync.outbound import load_scope
from qbo_sync_dagster.sync.references import load_references
from qbo_sync_dagster.sync.sending import Outgoing, Written
from qbo_sync_dagster.sync.translate import document_view, identity

NOT_READY = "not ready"
CLOSED = "closed period"
_CLOCKS_DIFFER = timedelta(minutes=10)


class DocumentLevel:
    """The documents of one cycle: judges, looks up, and settles what QuickBooks answered."""

    def __init__(self, ctx: CycleContext, terms: Terms) -> None:
        self._ctx = ctx
        self._references = load_references(ctx)
        self._closing_date = terms.rules.closing_date
        self._may_look_up = terms.polled
        self._clients: Mapping[str, Client] = {
            client.client_id: client for client in ctx.algapsa.clients()
        }
        self._headers: dict[str, DocumentHeader] = {}
        self._bodies: dict[str, str] = {}
        self._prepared: Sequence[str] = ()

    def prepare(self, due: Sequence[operations.Operation]) -> list[Outgoing]:
        """Those of the operations that can be sent now; all others get their state and reason."""
        ids = [operation.record_id for operation in due]
        documents = self._ctx.algapsa.documents(ids)
        self._forget_answered()
        self._prepared = ids
        ready: list[tuple[operations.Operation, ExportDocument]] = []
        with self._ctx.ledger() as connection:
            scope = load_scope(self._ctx, connection, ids)
            for operation in due:
                document = self._judged(connection, operation, documents, scope)
                if document is not None:
                    ready.append((operation, document))
        return self._outgoing(self._without_taken_numbers(ready))

    def _forget_answered(self) -> None:
        # The chunk prepared before is answered: nothing of it is asked for any more.
        for record_id in self._prepared:
            self._headers.pop(record_id, None)
            self._bodies.pop(record_id, None)

    def _judged(
        self,
        connection: sa.Connection,
        operation: operations.Operation,
        documents: Mapping[str, Document],
        scope: CompanyScope,
    ) -> ExportDocument | None:
        document = documents.get(operation.record_id)
        if (
            document is None
            or standing(document.header, scope) is not Standing.TO_EXPORT
            or kind_of(document.header).export != operation.kind
        ):
            self._withdraw(connection, operation)
            return None
        header = self._headers[operation.record_id] = document.header
        prepared = prepare_export(document, self._clients.get(header.client_id), self._references)
        if isinstance(prepared, NotReady):
            self._not_ready(connection, operation, header, prepared)
            return None
        prepared = re_dated(prepared, operation.detail)
        self._bodies[operation.record_id] = digest(encode_body(document_body(prepared)))
        if is_closed(prepared.invoice_date, self._closing_date):
            self._hold(connection, operation, header)
            return None
        return prepared

    def _withdraw(self, connection: sa.Connection, operation: operations.Operation) -> None:
        operations.change(
            connection, [operation.operation_id], "cancelled", reason="no longer to be exported"
        )
        exceptions.resolve(
            connection,
            self._ctx.realm,
            EXPORT_KINDS,
            [f"invoice:{operation.record_id}"],
            "It is no longer to be exported.",
        )

    def _not_ready(
        self,
        connection: sa.Connection,
        operation: operations.Operation,
        header: DocumentHeader,
        prepared: NotReady,
    ) -> None:
        if prepared.awaits_customer and operations.with_open_ones(
            connection, self._ctx.realm, CREATE_CUSTOMER, [header.client_id]
        ):
            return  # its customer is being created; waiting costs no attempt
        self._set_aside(
            connection,
            operation,
            not_ready(header, prepared.problems),
            state="errored",
            code=NOT_READY,
        )

    def _hold(
        self, connection: sa.Connection, operation: operations.Operation, header: DocumentHeader
    ) -> None:
        record = closed_period(header, self._closing_date)
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
            fingerprint=self._bodies.get(operation.record_id, ""),
        )
        exceptions.raise_all(connection, self._ctx.realm, [record])

    def _without_taken_numbers(
        self, ready: Sequence[tuple[operations.Operation, ExportDocument]]
    ) -> list[tuple[operations.Operation, ExportDocument]]:
        if not ready or not self._may_look_up:
            return list(ready)
        taken = look_up_numbers(self._ctx, [document.number for _, document in ready])
        with self._ctx.ledger() as connection:
            for operation, document in ready:
                if hits := taken.get(document.number.casefold()):
                    self._number_taken(connection, operation, hits)
        return [pair for pair in ready if pair[1].number.casefold() not in taken]

    def _number_taken(
        self,
        connection: sa.Connection,
        operation: operations.Operation,
        hits: Sequence[RawObject],
    ) -> None:
        header = self._headers[operation.record_id]
        if operation.attempt > 1 and len(hits) == 1 and self._adopted(connection, header, hits[0]):
            return
        record = number_taken(header, [(hit.entity, hit.id) for hit in hits])
        self._set_aside(
            connection, operation, record, state="errored", code=adoption.DUPLICATE_NUMBER
        )

    def _adopted(self, connection: sa.Connection, header: DocumentHeader, hit: RawObject) -> bool:
        # An attempt was made before, so this may be its object, which came after the poll.
        try:
            shown = parse_document(hit.entity, hit.payload)
            view = document_view(shown)
        except DomainError:
            return False
        kind = BY_ENTITY[hit.entity].link_kind
        linked = links.by_quickbooks_id(connection, self._ctx.realm, kind, [shown.id])
        if linked or view.state != LIVE:
            return False
        return adoption.adopt_if_ours(connection, self._ctx, header, shown, view)

    def _outgoing(
        self, ready: Iterable[tuple[operations.Operation, ExportDocument]]
    ) -> list[Outgoing]:
        return [
            Outgoing(
                operation=operation,
                entity=document.kind.entity,
                body=document_body(document),
                identity=identity(document).as_json(),
            )
            for operation, document in ready
        ]

    def still_current(self, outgoing: Sequence[Outgoing]) -> list[Outgoing]:
        """Those whose document has not changed in AlgaPSA since it was prepared.

        The others stay queued and are prepared anew.
        """
        ids = [item.operation.record_id for item in outgoing]
        now = self._ctx.algapsa.document_headers(ids)
        same = {
            header.invoice_id
            for header in now
            if header.fingerprint == self._headers[header.invoice_id].fingerprint
            and header.status == self._headers[header.invoice_id].status
        }
        return [item for item in outgoing if item.operation.record_id in same]

    def unchanged(self, sent: Sequence[postings.Posting]) -> bool:
        """Whether postings sent earlier are, all of them, what would be sent now."""
        ids = [posting.record_id for posting in sent]
        documents = self._ctx.algapsa.documents(ids)
        with self._ctx.reading() as connection:
            scope = load_scope(self._ctx, connection, ids)
            days = chosen_days(connection, self._ctx.realm, ids)
        numbers = []
        for posting in sent:
            document = documents.get(posting.record_id)
            if (
                document is None
                or self._body_now(document, scope, days.get(posting.record_id, {})) != posting.body
            ):
                return False
            numbers.append(document.header.number)
        return not look_up_numbers(self._ctx, numbers)

    def _body_now(self, document: Document, scope: CompanyScope, chosen: Chosen) -> bytes | None:
        header = self._headers[document.header.invoice_id] = document.header
        if standing(header, scope) is not Standing.TO_EXPORT:
            return None
        prepared = prepare_export(document, self._clients.get(header.client_id), self._references)
        if isinstance(prepared, NotReady):
            return None
        prepared = re_dated(prepared, chosen)
        if is_closed(prepared.invoice_date, self._closing_date):
            return None
        body = encode_body(document_body(prepared))
        self._bodies[header.invoice_id] = digest(body)
        return body

    def done(self, connection: sa.Connection, written: Sequence[Written]) -> None:
        """Link what was created and compare the totals."""
        told = [self._told(each) for each in written]
        found = [each for each in told if isinstance(each, FoundDocument)]
        unread = [each for each in told if isinstance(each, UnreadDocument)]
        link_documents(connection, self._ctx, found, origin="exported")
        link_unread(connection, self._ctx, unread)

    def _told(self, created: Written) -> FoundDocument | UnreadDocument:
        answered = created.answer.object
        changed_at = answered.updated_at or self._ctx.started_at
        # A request id that a lost ledger had used brings that day's answer again, even where the
        # invoice was deleted since: what stands now is read.
        if changed_at > self._ctx.started_at - _CLOCKS_DIFFER:
            with suppress(DomainError):
                return self._found(created)
        kind = kind_of(self._headers[created.record_id])
        return UnreadDocument(
            kind,
            created.record_id,
            answered.id,
            created.request_id,
            created.operation.generation,
        )

    def _found(self, created: Written) -> FoundDocument:
        header = self._headers[created.record_id]
        shown = parse_document(kind_of(header).entity, created.answer.object.payload)
        return FoundDocument(
            header=header,
            shown=shown,
            view=document_view(shown),
            request_id=created.request_id,
            intuit_tid=created.answer.intuit_tid,
            generation=created.operation.generation,
        )

    def refused(
        self,
        connection: sa.Connection,
        operation: operations.Operation,
        error: FaultError,
        *,
        is_final: bool,
    ) -> bool:
        """Tell people; a closed period and a taken number have states of their own."""
        header = self._headers[operation.record_id]
        if isinstance(error, ClosedPeriodError):
            self._hold(connection, operation, header)
        elif isinstance(error, DuplicateNumberError):
            record = number_taken(header, [])
            self._set_aside(
                connection, operation, record, state="errored", code=adoption.DUPLICATE_NUMBER
            )
        else:
            if is_final:
                self._refused_for_good(connection, operation, error)
            return False
        operations.bump(connection, operation.operation_id)
        return True

    def _refused_for_good(
        self, connection: sa.Connection, operation: operations.Operation, error: FaultError
    ) -> None:
        header = self._headers[operation.record_id]
        record = refused(header, str(error), error.intuit_tid)
        exceptions.raise_all(connection, self._ctx.realm, [record])
        operations.remember(connection, operation.operation_id, self._bodies[operation.record_id])


def look_up_numbers(ctx: CycleContext, numbers: Sequence[str]) -> dict[str, list[RawObject]]:
    """The invoices and credit memos that bear one of these numbers, by number in lower case.

    The two share one sequence of numbers.
    """
    asked = {number.casefold(): number for number in numbers}
    hits: defaultdict[str, list[RawObject]] = defaultdict(list)
    if not asked:
        return hits
    for kind in DOCUMENT_KINDS:
        for item in ctx.quickbooks.query_in(kind.entity, "DocNumber", sorted(asked.values())):
            hits[str(item.payload.get("DocNumber", "")).casefold()].append(item)
    if hits.keys() <= asked.keys():
        return dict(hits)
    if len(asked) == 1:
        return {only: [item for found in hits.values() for item in found] for only in asked}
    # A hit does not say which number it bears: asked in halves, it can stand for one only.
    half, every = len(asked) // 2, list(asked.values())
    return look_up_numbers(ctx, every[:half]) | look_up_numbers(ctx, every[half:])
