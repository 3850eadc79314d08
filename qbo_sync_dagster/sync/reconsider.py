"""Stage 4: exports that failed, looked at again: fixing the cause queues them by itself. Local."""

from __future__ import annotations

from qbo_sync_dagster.domain.catalogue import ExceptionKind
from qbo_sync_dagster.domain.export import ExportDocument, NotReady, prepare_export
from qbo_sync_dagster.domain.export_problems import not_ready
from qbo_sync_dagster.ledger import exceptions, operations
from qbo_sync_dagster.quickbooks.bodies import invoice_body
from qbo_sync_dagster.quickbooks.wire import encode_body
from qbo_sync_dagster.sync.context import CycleContext
from qbo_sync_dagster.sync.digest import digest
from qbo_sync_dagster.sync.documents_out import CLOSED, NOT_READY
from qbo_sync_dagster.sync.outbound import EXPORT
from qbo_sync_dagster.sync.references import load_references


def reconsider(ctx: CycleContext) -> None:
    """Queue failed exports again that would be sent in another form than the one that failed.

    One that waits for a closed period is queued each cycle, since only QuickBooks knows whether
    the period was reopened.
    """
    with ctx.reading() as connection:
        waiting = [
            operation
            for operation in operations.open_ones(connection, ctx.realm, EXPORT)
            if operation.state == "errored" or operation.reason_code == CLOSED
        ]
    if not waiting:
        return
    documents = ctx.algapsa.documents([operation.record_id for operation in waiting])
    clients = {client.client_id: client for client in ctx.algapsa.clients()}
    references = load_references(ctx)
    revived, still = [], []
    for operation in waiting:
        document = documents.get(operation.record_id)
        if document is None:
            continue
        client = clients.get(document.header.client_id)
        prepared = prepare_export(document, client, references)
        if isinstance(prepared, NotReady):
            if operation.reason_code == NOT_READY:
                still.append(not_ready(document.header, prepared.problems))
        elif operation.reason_code == CLOSED or _differs(prepared, operation):
            revived.append(operation)
    with ctx.ledger() as connection:
        operations.revive(connection, [item.operation_id for item in revived])
        exceptions.raise_all(connection, ctx.realm, still)
        exceptions.resolve(
            connection,
            ctx.realm,
            [ExceptionKind.EXPORT_NOT_READY],
            [f"invoice:{item.record_id}" for item in revived if item.reason_code == NOT_READY],
            "What was missing is there.",
        )


def _differs(prepared: ExportDocument, operation: operations.Operation) -> bool:
    body = encode_body(invoice_body(prepared))
    return digest(body) != operation.fingerprint
