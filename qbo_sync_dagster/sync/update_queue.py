"""Re-exports that wait: withdrawn when nothing is left to send, queued again when a cause went.

Staff file them. Local, no calls; sending one is `updates_out`'s business.
"""

from __future__ import annotations

import json

import sqlalchemy as sa

from qbo_sync_dagster.domain.catalogue import ExceptionKind
from qbo_sync_dagster.domain.export import ExportDocument, NotReady, prepare_export
from qbo_sync_dagster.domain.operation_kinds import UPDATE_DOCUMENT
from qbo_sync_dagster.domain.re_dating import re_dated
from qbo_sync_dagster.ledger import exceptions, links, operations
from qbo_sync_dagster.quickbooks.bodies import document_body
from qbo_sync_dagster.quickbooks.wire import encode_body
from qbo_sync_dagster.sync.chosen_days import chosen_days
from qbo_sync_dagster.sync.context import CycleContext
from qbo_sync_dagster.sync.digest import digest
from qbo_sync_dagster.sync.references import load_references

CLOSED = "closed period"
REFUSED = "refused"
TOLD = (
    ExceptionKind.EXPORT_NOT_READY,
    ExceptionKind.EXPORT_FAILING,
    ExceptionKind.ALREADY_IN_QUICKBOOKS,
    ExceptionKind.CLOSED_PERIOD,
)


def review_updates(ctx: CycleContext) -> None:
    """Queue those again that closed books hold, or that would be sent in another form by now."""
    with ctx.reading() as connection:
        waiting = [
            operation
            for operation in operations.open_ones(connection, ctx.realm, UPDATE_DOCUMENT)
            if operation.state in ("held", "errored")
        ]
        linked = links.documents(connection, ctx.realm, [each.record_id for each in waiting])
        days = chosen_days(connection, ctx.realm, [each.record_id for each in waiting])
    if not waiting:
        return
    documents = ctx.algapsa.documents([each.record_id for each in waiting])
    clients = {client.client_id: client for client in ctx.algapsa.clients()}
    references = load_references(ctx)
    with ctx.ledger() as connection:
        for operation in waiting:
            link = linked.get(operation.record_id)
            document = documents.get(operation.record_id)
            if link is None or document is None:
                withdraw_update(connection, ctx, operation)
                continue
            client = clients.get(document.header.client_id)
            prepared = prepare_export(document, client, references)
            chosen = days.get(operation.record_id, {})
            sendable = None if isinstance(prepared, NotReady) else re_dated(prepared, chosen)
            moved = operation.fingerprint != judged_update(sendable, link)
            if operation.reason_code == CLOSED or moved:
                operations.revive(connection, [operation.operation_id])


def withdraw_update(
    connection: sa.Connection, ctx: CycleContext, operation: operations.Operation
) -> None:
    """Give a re-export up, with what it was told under."""
    operations.change(
        connection, [operation.operation_id], "cancelled", reason="no longer to be sent"
    )
    exceptions.resolve(
        connection,
        ctx.realm,
        TOLD,
        [f"invoice:{operation.record_id}"],
        "It is no longer to be sent.",
    )


def judged_update(prepared: ExportDocument | None, link: links.Link) -> str:
    """What a refusal judged: what would be sent, and over which version."""
    body = encode_body(document_body(prepared)) if prepared else b""
    return digest(body + json.dumps(link.sync_token).encode())
