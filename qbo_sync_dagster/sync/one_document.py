"""Sync to QuickBooks: one document now, without a whole cycle and with all of its protections.

It holds the company's lease, so no cycle runs beside it. What only a poll can settle, such as a
document whose earlier sending has no answer yet, is left to the next cycle.
"""

from __future__ import annotations

import uuid
from dataclasses import dataclass
from datetime import date
from enum import StrEnum

from qbo_sync_dagster.algapsa.errors import AlgaPsaError
from qbo_sync_dagster.algapsa.headers import ExportScope
from qbo_sync_dagster.domain.algapsa_records import DocumentHeader
from qbo_sync_dagster.domain.document_kinds import kind_of
from qbo_sync_dagster.domain.eligibility import Standing
from qbo_sync_dagster.ledger import connections, links, operations
from qbo_sync_dagster.quickbooks.errors import QuickBooksError
from qbo_sync_dagster.sync.alone import alone_with
from qbo_sync_dagster.sync.context import CycleContext
from qbo_sync_dagster.sync.engine import SyncEngine
from qbo_sync_dagster.sync.mirror import mirror_links
from qbo_sync_dagster.sync.outbound import queue_documents
from qbo_sync_dagster.sync.posting import post_records
from qbo_sync_dagster.sync.reconsider import reconsider

_EVERY_DOCUMENT = ExportScope(dated_from=date.min)
_STANDS = {
    Standing.ELSEWHERE: "belongs to another QuickBooks company of this tenant",
    Standing.NOT_FINAL: "is not finalized in AlgaPSA",
    Standing.CANCELLED: "is cancelled in AlgaPSA",
    Standing.PREPAYMENT: "is a prepayment, which is not exported; its exception has the steps",
    Standing.BEFORE_GO_LIVE: "is dated before go-live, so it is only linked, never sent",
    Standing.FINALIZED_LATE: "is dated before go-live; its exception says what can be done",
    Standing.BOOKED_BY_CSV: "was taken to QuickBooks by a file; link it by the history step",
    Standing.BOOKED_BY_ALGAPSA: "is booked by AlgaPSA itself, so it is not created again",
}


class SyncedAs(StrEnum):
    """What came of syncing one document."""

    SYNCED = "synced"
    ALREADY = "already synced"
    WAITS = "waits"
    REFUSED = "refused"
    SKIPPED = "skipped"
    FAILED = "failed"


@dataclass(frozen=True, slots=True)
class OneSynced:
    """How it ended, in a sentence with the cure; `quickbooks_id` where the document has one."""

    outcome: SyncedAs
    sentence: str
    quickbooks_id: str | None = None


def sync_document(engine: SyncEngine, realm: str, named: str) -> OneSynced:
    """Export one document of a company (realm id or key) now; `named` is its number or its id.

    Raises UnknownRealmError; every other fault becomes the outcome.
    """
    with engine.ledger.connect() as connection:
        company = connections.get(connection, realm)
    if company.state != "connected":
        return OneSynced(
            SyncedAs.REFUSED,
            f"{company.company_name} is not connected to QuickBooks: reconnect it first.",
        )
    with alone_with(engine, company, "document") as ctx:
        if ctx is None:
            return OneSynced(
                SyncedAs.SKIPPED,
                f"A cycle of {company.company_name} is running; it exports what is ready.",
            )
        try:
            return _synced(ctx, named)
        except (QuickBooksError, AlgaPsaError) as error:
            return OneSynced(SyncedAs.FAILED, str(error))


def _synced(ctx: CycleContext, named: str) -> OneSynced:
    problems = ctx.algapsa.preflight(ctx.engine.clock.server_now())
    if fatal := [problem.message for problem in problems if problem.is_fatal]:
        return OneSynced(SyncedAs.FAILED, " ".join(fatal))
    header = _found(ctx, named.strip())
    if header is None:
        return OneSynced(SyncedAs.REFUSED, f"AlgaPSA has no finalized invoice {named}.")
    stands = queue_documents(ctx, [header.invoice_id]).get(header.invoice_id)
    if stands in _STANDS:
        label = f"{kind_of(header).noun} {header.number}"
        return OneSynced(SyncedAs.REFUSED, f"{label} {_STANDS[stands]}.")
    if stands is Standing.LINKED:
        return _linked(ctx, header, SyncedAs.ALREADY)
    reconsider(ctx)
    _hurry(ctx, header)
    post_records(ctx, [header.invoice_id])
    mirror_links(ctx)
    return _linked(ctx, header, SyncedAs.SYNCED)


def _found(ctx: CycleContext, named: str) -> DocumentHeader | None:
    found = ctx.algapsa.headers_by_number(_EVERY_DOCUMENT, [named])
    if found:
        return found[0]
    try:
        invoice_id = str(uuid.UUID(named))
    except ValueError:
        return None
    return next(iter(ctx.algapsa.document_headers([invoice_id])), None)


def _open_operation(ctx: CycleContext, header: DocumentHeader) -> operations.Operation | None:
    with ctx.reading() as connection:
        found = operations.of_record(
            connection, ctx.realm, kind_of(header).export, header.invoice_id
        )
    return found[0] if found else None


def _hurry(ctx: CycleContext, header: DocumentHeader) -> None:
    """Somebody asks for it now: an earlier refusal no longer puts it off."""
    operation = _open_operation(ctx, header)
    if operation is not None and operation.state == "queued" and operation.next_attempt_at:
        with ctx.ledger() as connection:
            operations.change(connection, [operation.operation_id], "queued")


def _linked(ctx: CycleContext, header: DocumentHeader, outcome: SyncedAs) -> OneSynced:
    kind = kind_of(header)
    label = f"{kind.noun} {header.number}"
    with ctx.reading() as connection:
        link = links.by_algapsa_id(connection, ctx.realm, kind.link_kind, [header.invoice_id])
    if header.invoice_id in link:
        quickbooks_id = link[header.invoice_id].quickbooks_id
        how = "stands in" if outcome is SyncedAs.ALREADY else "was exported to"
        return OneSynced(
            outcome, f"{label} {how} QuickBooks with id {quickbooks_id}.", quickbooks_id
        )
    if outcome is SyncedAs.ALREADY:
        return OneSynced(SyncedAs.REFUSED, f"{label} was linked and given up in this tenant.")
    return _unsent(label, _open_operation(ctx, header))


def _unsent(label: str, operation: operations.Operation | None) -> OneSynced:
    if operation is None:
        return OneSynced(
            SyncedAs.REFUSED, f"{label} is not to be exported: its exception was dismissed."
        )
    if operation.state == "posting":
        return OneSynced(
            SyncedAs.WAITS,
            f"{label} was sent and QuickBooks' answer never came. The next cycle finds out what "
            "became of it; it is never sent a second time unseen.",
        )
    if operation.state == "queued":
        reason = operation.reason or "Its client has no QuickBooks customer yet."
        return OneSynced(SyncedAs.WAITS, f"{label} waits. {reason}")
    return OneSynced(SyncedAs.REFUSED, operation.reason or f"{label} was not exported.")
