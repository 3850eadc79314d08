"""Stage 4: exports that failed, looked at again: fixing the cause queues them by itself. Local."""

from __future__ import annotations

from collections.abc import Sequence

from qbo_sync_dagster.domain.catalogue import ExceptionKind
from qbo_sync_dagster.domain.document_kinds import EXPORTS
from qbo_sync_dagster.domain.export import ExportDocument, NotReady, prepare_export
from qbo_sync_dagster.domain.export_problems import not_ready
from qbo_sync_dagster.domain.re_dating import re_dated
from qbo_sync_dagster.ledger import exceptions, operations
from qbo_sync_dagster.quickbooks.bodies import document_body
from qbo_sync_dagster.quickbooks.wire import encode_body
from qbo_sync_dagster.sync.context import CycleContext
from qbo_sync_dagster.sync.digest import digest
from qbo_sync_dagster.sync.documents_out import CLOSED, NOT_READY
from qbo_sync_dagster.sync.references import load_references
from qbo_sync_dagster.sync.update_queue import review_updates
from qbo_sync_dagster.sync.void_queue import review_voids

# Documents read at once, with all their lines.
_CHUNK = 300


def reconsider(ctx: CycleContext) -> None:
    """Look at everything again that failed or is held."""
    review_voids(ctx)
    review_updates(ctx)
    _reconsider_exports(ctx)


def _reconsider_exports(ctx: CycleContext) -> None:
    """Queue failed exports again that would be sent in another form than the one that failed.

    One that waits for a closed period is queued each cycle, since only QuickBooks knows whether
    the period was reopened.
    """
    after = 0
    reviewer: _Reviewer | None = None
    while True:
        with ctx.reading() as connection:
            page = operations.open_ones(connection, ctx.realm, EXPORTS, after=after, limit=_CHUNK)
        if not page:
            return
        after = page[-1].operation_id
        waiting = [each for each in page if each.state == "errored" or each.reason_code == CLOSED]
        if waiting:
            reviewer = reviewer or _Reviewer(ctx)
            reviewer.review(waiting)


class _Reviewer:
    """Looks failed exports over with what AlgaPSA and the links hold in this cycle."""

    def __init__(self, ctx: CycleContext) -> None:
        self._ctx = ctx
        self._clients = {client.client_id: client for client in ctx.algapsa.clients()}
        self._references = load_references(ctx)

    def review(self, waiting: Sequence[operations.Operation]) -> None:
        """Queue what may succeed now; tell what still stands in the way of the others."""
        documents = self._ctx.algapsa.documents([operation.record_id for operation in waiting])
        revived, still = [], []
        for operation in waiting:
            document = documents.get(operation.record_id)
            if document is None:
                continue
            client = self._clients.get(document.header.client_id)
            prepared = prepare_export(document, client, self._references)
            if isinstance(prepared, NotReady):
                if operation.reason_code == NOT_READY:
                    still.append(not_ready(document.header, prepared.problems))
            elif operation.reason_code == CLOSED or _differs(prepared, operation):
                revived.append(operation)
        with self._ctx.ledger() as connection:
            operations.revive(connection, [item.operation_id for item in revived])
            exceptions.raise_all(connection, self._ctx.realm, still)
            exceptions.resolve(
                connection,
                self._ctx.realm,
                [ExceptionKind.EXPORT_NOT_READY],
                [f"invoice:{item.record_id}" for item in revived if item.reason_code == NOT_READY],
                "What was missing is there.",
            )


def _differs(prepared: ExportDocument, operation: operations.Operation) -> bool:
    body = encode_body(document_body(re_dated(prepared, operation.detail)))
    return digest(body) != operation.fingerprint
