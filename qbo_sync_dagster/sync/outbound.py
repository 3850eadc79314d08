"""Stage 4: queue what QuickBooks lacks, withdraw what it no longer should get. Local, no calls."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence

import sqlalchemy as sa

from qbo_sync_dagster.domain.algapsa_records import DocumentHeader
from qbo_sync_dagster.domain.catalogue import ExceptionKind
from qbo_sync_dagster.domain.eligibility import (
    STANDING_KINDS,
    CompanyScope,
    Standing,
    exceptions_of,
    standing,
)
from qbo_sync_dagster.ledger import connections, exceptions, links, operations
from qbo_sync_dagster.sync.adoption import DUPLICATE_NUMBER, ORPHAN
from qbo_sync_dagster.sync.context import CycleContext
from qbo_sync_dagster.sync.document_links import EXPORT_KINDS
from qbo_sync_dagster.sync.outcome import OutboundOperations

EXPORT = "export_invoice"
CREATE_CUSTOMER = "create_customer"


def load_scope(ctx: CycleContext, connection: sa.Connection) -> CompanyScope:
    """What decides which documents are this company's."""
    company = ctx.connection
    tenant_realms = [
        other.realm for other in connections.every(connection) if other.tenant == company.tenant
    ]
    return CompanyScope(
        realm=ctx.realm,
        is_default=company.is_default,
        go_live=company.go_live_date,
        connected_at=company.connected_at,
        time_zone=company.time_zone,
        linked=links.ever_linked(connection, tenant_realms),
        homes=links.homes(connection, company.tenant),
    )


def queue_operations(ctx: CycleContext, headers: Sequence[DocumentHeader]) -> OutboundOperations:
    """Bring the queue in line with AlgaPSA's documents as they stand now."""
    with ctx.ledger() as connection:
        scope = load_scope(ctx, connection)
        wanted = _wanted(ctx, connection, headers, scope)
        open_ones = {
            operation.record_id: operation
            for operation in operations.open_ones(connection, ctx.realm, EXPORT)
        }
        queued = _queue(ctx, connection, [h for key, h in wanted.items() if key not in open_ones])
        cancelled = _cancel(ctx, connection, open_ones, wanted, scope.linked)
        _queue_customers(ctx, connection, wanted.values())
        _raise_standing(ctx, connection, headers, scope, open_ones)
        counts = operations.counts(connection, ctx.realm)
    return OutboundOperations(
        queued=queued,
        cancelled=cancelled,
        pending=counts["queued"] + counts["posting"],
        held=counts["held"],
        errored=counts["errored"],
    )


def _wanted(
    ctx: CycleContext,
    connection: sa.Connection,
    headers: Sequence[DocumentHeader],
    scope: CompanyScope,
) -> dict[str, DocumentHeader]:
    dismissed = exceptions.dismissed_versions(connection, ctx.realm, EXPORT_KINDS)
    left_alone = {(record, version) for _, record, version in dismissed}
    return {
        header.invoice_id: header
        for header in headers
        if standing(header, scope) is Standing.TO_EXPORT
        and (f"invoice:{header.invoice_id}", header.fingerprint) not in left_alone
    }


def _queue(ctx: CycleContext, connection: sa.Connection, new: Sequence[DocumentHeader]) -> int:
    # The home is set in the transaction that first queues: two companies never both queue one.
    ids = [header.invoice_id for header in new]
    ours = links.set_home(connection, ctx.connection.tenant, ctx.realm, ids)
    return operations.queue(
        connection,
        ctx.realm,
        [
            operations.NewOperation(EXPORT, header.invoice_id, f"Invoice {header.number}")
            for header in new
            if header.invoice_id in ours
        ],
    )


def _cancel(
    ctx: CycleContext,
    connection: sa.Connection,
    open_ones: Mapping[str, operations.Operation],
    wanted: Collection[str],
    linked: Collection[str],
) -> int:
    withdrawn = [
        operation
        for record_id, operation in open_ones.items()
        if record_id not in wanted and not _may_stand_in_quickbooks(operation, linked)
    ]
    operations.change(
        connection,
        [operation.operation_id for operation in withdrawn],
        "cancelled",
        reason="no longer to be exported",
    )
    exceptions.resolve(
        connection,
        ctx.realm,
        EXPORT_KINDS,
        [f"invoice:{operation.record_id}" for operation in withdrawn],
        "The invoice is linked, or no longer to be exported.",
    )
    return len(withdrawn)


def _may_stand_in_quickbooks(operation: operations.Operation, linked: Collection[str]) -> bool:
    # A void or a reopening waits until it is settled whether the invoice was created.
    in_doubt = operation.state == "posting" or operation.reason_code == ORPHAN
    return in_doubt and operation.record_id not in linked


def _queue_customers(
    ctx: CycleContext, connection: sa.Connection, wanted: Collection[DocumentHeader]
) -> None:
    """Queue customers that documents need, if staff switched that on."""
    linked = links.ids(connection, ctx.realm, "client")
    missing = {header.client_id for header in wanted} - linked.keys()
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
    ctx: CycleContext,
    connection: sa.Connection,
    headers: Sequence[DocumentHeader],
    scope: CompanyScope,
    open_ones: Mapping[str, operations.Operation],
) -> None:
    raised = exceptions_of(headers, scope)
    exceptions.raise_all(connection, ctx.realm, raised)
    refused = [
        f"invoice:{operation.record_id}"
        for operation in open_ones.values()
        if operation.reason_code == DUPLICATE_NUMBER
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
