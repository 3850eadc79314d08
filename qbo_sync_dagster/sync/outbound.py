"""Stage 4: queue what QuickBooks lacks, withdraw what it no longer should get. Local, no calls."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence

import sqlalchemy as sa

from qbo_sync_dagster.domain.algapsa_records import DocumentHeader
from qbo_sync_dagster.domain.catalogue import ExceptionKind
from qbo_sync_dagster.domain.document_kinds import EXPORTS, kind_of
from qbo_sync_dagster.domain.eligibility import (
    STANDING_KINDS,
    CompanyScope,
    Standing,
    exceptions_of,
    standing,
)
from qbo_sync_dagster.domain.exception_record import ExceptionRecord
from qbo_sync_dagster.domain.operation_kinds import CREATE_CUSTOMER, UPDATE_DOCUMENT
from qbo_sync_dagster.ledger import batches, exceptions, links, operations
from qbo_sync_dagster.ledger.connections import Connection
from qbo_sync_dagster.sync.adoption import DUPLICATE_NUMBER, ORPHAN
from qbo_sync_dagster.sync.before_go_live import chosen_early
from qbo_sync_dagster.sync.context import CycleContext
from qbo_sync_dagster.sync.credit_queue import queue_credits
from qbo_sync_dagster.sync.document_links import EXPORT_KINDS
from qbo_sync_dagster.sync.outcome import OutboundOperations
from qbo_sync_dagster.sync.unlinked import PAGE, linked_in_tenant, unlinked_headers


def load_scope(
    ctx: CycleContext, connection: sa.Connection, invoice_ids: Collection[str]
) -> CompanyScope:
    """What decides which of these documents are this company's."""
    return company_scope(connection, ctx.connection, invoice_ids)


def company_scope(
    connection: sa.Connection, company: Connection, invoice_ids: Collection[str]
) -> CompanyScope:
    """What decides which of these documents are that company's."""
    return CompanyScope(
        realm=company.realm,
        is_default=company.is_default,
        go_live=company.go_live_date,
        connected_at=company.connected_at,
        time_zone=company.time_zone,
        linked=linked_in_tenant(connection, company.tenant, invoice_ids),
        homes=links.homes(connection, company.tenant, invoice_ids),
        chosen=links.replaced(connection, company.realm, invoice_ids),
        booked_by_csv=batches.booked_by_csv(connection, company.tenant, invoice_ids),
        early=chosen_early(connection, company.realm),
    )


def queue_operations(ctx: CycleContext) -> OutboundOperations:
    """Bring the queue in line with AlgaPSA's documents as they stand now, page by page."""
    with ctx.reading() as connection:
        dismissed = exceptions.dismissed_versions(connection, ctx.realm, EXPORT_KINDS)
    left_alone = {(record, version) for _, record, version in dismissed}
    cancelled = _cancel_outdated(ctx, left_alone)
    queued = 0
    raised: list[ExceptionRecord] = []
    billed_clients: set[str] = set()
    for headers in unlinked_headers(ctx):
        with ctx.ledger() as connection:
            scope = load_scope(ctx, connection, [header.invoice_id for header in headers])
            wanted = _wanted(headers, scope, left_alone)
            queued += _queue(ctx, connection, wanted)
        billed_clients |= {header.client_id for header in wanted}
        raised += exceptions_of(headers, scope)
    credits_ = queue_credits(ctx)
    with ctx.ledger() as connection:
        _queue_customers(ctx, connection, billed_clients, left_alone)
        _raise_standing(ctx, connection, raised)
        counts = operations.counts(connection, ctx.realm)
    return OutboundOperations(
        queued=queued + credits_.queued,
        cancelled=cancelled + credits_.cancelled,
        pending=counts["queued"] + counts["posting"],
        held=counts["held"],
        errored=counts["errored"],
    )


def queue_documents(ctx: CycleContext, invoice_ids: Collection[str]) -> dict[str, Standing]:
    """Queue those of the documents that QuickBooks lacks; where each of them stands.

    Those that AlgaPSA does not have are not in the answer.
    """
    headers = ctx.algapsa.document_headers(invoice_ids)
    with ctx.ledger() as connection:
        dismissed = exceptions.dismissed_versions(connection, ctx.realm, EXPORT_KINDS)
        scope = load_scope(ctx, connection, invoice_ids)
        left_alone = {(record, version) for _, record, version in dismissed}
        _queue(ctx, connection, _wanted(headers, scope, left_alone))
        exceptions.raise_all(connection, ctx.realm, exceptions_of(headers, scope))
    return {header.invoice_id: standing(header, scope) for header in headers}


def _wanted(
    headers: Sequence[DocumentHeader], scope: CompanyScope, left_alone: Collection[tuple[str, str]]
) -> list[DocumentHeader]:
    return [
        header
        for header in headers
        if standing(header, scope) is Standing.TO_EXPORT
        and (f"invoice:{header.invoice_id}", header.fingerprint) not in left_alone
    ]


def _queue(ctx: CycleContext, connection: sa.Connection, wanted: Sequence[DocumentHeader]) -> int:
    ids = [header.invoice_id for header in wanted]
    queued_already = operations.with_open_ones(connection, ctx.realm, EXPORTS, ids)
    new = [header for header in wanted if header.invoice_id not in queued_already]
    # The home is set in the transaction that first queues: two companies never both queue one.
    ours = links.set_home(
        connection, ctx.connection.tenant, ctx.realm, [header.invoice_id for header in new]
    )
    return operations.queue(
        connection,
        ctx.realm,
        [
            operations.NewOperation(
                kind_of(header).export,
                header.invoice_id,
                f"{kind_of(header).noun} {header.number}",
            )
            for header in new
            if header.invoice_id in ours
        ],
    )


def _cancel_outdated(ctx: CycleContext, left_alone: Collection[tuple[str, str]]) -> int:
    """Withdraw exports whose document is linked by now, or no longer to be exported."""
    cancelled = after = 0
    while True:
        with ctx.reading() as connection:
            page = operations.open_ones(connection, ctx.realm, EXPORTS, after=after, limit=PAGE)
        if not page:
            return cancelled
        after = page[-1].operation_id
        ids = [operation.record_id for operation in page]
        headers = ctx.algapsa.document_headers(ids)
        with ctx.ledger() as connection:
            scope = load_scope(ctx, connection, ids)
            wanted = {header.invoice_id for header in _wanted(headers, scope, left_alone)}
            judged = {
                header.invoice_id
                for header in headers
                if (f"invoice:{header.invoice_id}", header.fingerprint) in left_alone
            }
            outdated = [
                operation
                for operation in page
                if operation.record_id not in wanted
                and not _may_stand_in_quickbooks(operation, scope.linked, judged)
            ]
            _withdraw(ctx, connection, outdated)
        cancelled += len(outdated)


def _withdraw(
    ctx: CycleContext, connection: sa.Connection, outdated: Sequence[operations.Operation]
) -> None:
    operations.change(
        connection,
        [operation.operation_id for operation in outdated],
        "cancelled",
        reason="no longer to be exported",
    )
    exceptions.resolve(
        connection,
        ctx.realm,
        EXPORT_KINDS,
        [f"invoice:{operation.record_id}" for operation in outdated],
        "It is linked, or no longer to be exported.",
    )


def _may_stand_in_quickbooks(
    operation: operations.Operation, linked: Collection[str], judged: Collection[str] = ()
) -> bool:
    # A void or a reopening waits until it is settled whether the invoice was created, be it by
    # staff, who dismissed the doubt.
    is_orphan = operation.reason_code == ORPHAN and operation.record_id not in judged
    in_doubt = operation.state == "posting" or is_orphan
    return in_doubt and operation.record_id not in linked


def _queue_customers(
    ctx: CycleContext,
    connection: sa.Connection,
    billed_clients: Collection[str],
    left_alone: Collection[tuple[str, str]],
) -> None:
    """Queue customers that documents need, if staff switched that on and dismissed none of them."""
    linked = links.ids(connection, ctx.realm, "client")
    missing = set(billed_clients) - linked.keys()
    if not ctx.connection.create_customers:
        missing = set()
    _cancel_customers(ctx, connection, linked, missing)
    if not missing:
        return
    names = {client.client_id: client.name for client in ctx.algapsa.clients()}
    _requeue_renamed(ctx, connection, names)
    operations.queue(
        connection,
        ctx.realm,
        [
            operations.NewOperation(CREATE_CUSTOMER, client_id, _customer_label(names[client_id]))
            for client_id in sorted(missing & names.keys())
            if (f"client:{client_id}", names[client_id]) not in left_alone
        ],
    )


def _cancel_customers(
    ctx: CycleContext,
    connection: sa.Connection,
    linked: Collection[str],
    missing: Collection[str],
) -> None:
    """Withdraw customers that no document waits for any more."""
    settled = [
        operation
        for operation in operations.open_ones(connection, ctx.realm, CREATE_CUSTOMER)
        if operation.record_id not in missing
        and operation.state != "posting"
        and not _may_stand_in_quickbooks(operation, linked)
    ]
    operations.change(connection, [item.operation_id for item in settled], "cancelled")
    exceptions.resolve(
        connection,
        ctx.realm,
        [ExceptionKind.EXPORT_FAILING, ExceptionKind.ORPHAN],
        [f"client:{operation.record_id}" for operation in settled],
        "The client has its customer, or needs none any more.",
    )


def _requeue_renamed(
    ctx: CycleContext, connection: sa.Connection, names: Mapping[str, str]
) -> None:
    """A refused name is tried again only once the client has another one."""
    for operation in operations.open_ones(connection, ctx.realm, CREATE_CUSTOMER):
        name = names.get(operation.record_id)
        if name and operation.state == "errored" and operation.label != _customer_label(name):
            operations.change(connection, [operation.operation_id], "cancelled")


def _customer_label(name: str) -> str:
    return f"Customer {name}"


def _raise_standing(
    ctx: CycleContext, connection: sa.Connection, raised: Sequence[ExceptionRecord]
) -> None:
    exceptions.raise_all(connection, ctx.realm, raised)
    refused = [
        f"invoice:{operation.record_id}"
        for operation in operations.open_ones(
            connection, ctx.realm, (*EXPORTS, UPDATE_DOCUMENT), reason_code=DUPLICATE_NUMBER
        )
    ]
    for kind in (*STANDING_KINDS, ExceptionKind.ALREADY_IN_QUICKBOOKS):
        still = [record.record for record in raised if record.kind is kind]
        exceptions.resolve_others(
            connection,
            ctx.realm,
            [kind],
            [*still, *refused],
            "The cause no longer stands.",
        )
