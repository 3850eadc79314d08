"""Export batches: choose documents, see what stands in their way, send them to a named company.

A batch gives its documents their home; sending them is the next cycle's work. Where the company
is not connected, a file in QuickBooks' import format stands in, and its documents are never
created by the sync afterwards.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date

import sqlalchemy as sa

from qbo_sync_dagster.actions.errors import ActionRefusedError
from qbo_sync_dagster.algapsa.headers import ExportScope
from qbo_sync_dagster.domain.algapsa_records import Client, Document, DocumentHeader
from qbo_sync_dagster.domain.batch_selection import BatchSelection
from qbo_sync_dagster.domain.csv_export import csv_problems, write_invoices
from qbo_sync_dagster.domain.document_kinds import EXPORTS, kind_of
from qbo_sync_dagster.domain.eligibility import CompanyScope, Standing, standing
from qbo_sync_dagster.domain.export import NotReady, References, prepare_export
from qbo_sync_dagster.domain.names import NameIndex
from qbo_sync_dagster.ledger import audit, batches, connections, cycles, homes, links, operations
from qbo_sync_dagster.ledger.connections import Connection
from qbo_sync_dagster.sync.alone import alone_with
from qbo_sync_dagster.sync.context import CycleContext
from qbo_sync_dagster.sync.documents_out import look_up_numbers
from qbo_sync_dagster.sync.engine import SyncEngine
from qbo_sync_dagster.sync.outbound import load_scope
from qbo_sync_dagster.sync.references import load_references

_EVERY_DOCUMENT = ExportScope(dated_from=date.min)
_PAGE = 300
_WHY_NOT = {
    Standing.LINKED: "It is in QuickBooks already.",
    Standing.NOT_FINAL: "It is not finalized in AlgaPSA.",
    Standing.CANCELLED: "It is cancelled in AlgaPSA.",
    Standing.PREPAYMENT: "Prepayments are not exported; record it in QuickBooks by hand.",
    Standing.BEFORE_GO_LIVE: "It is dated before go-live: it is only linked, never sent.",
    Standing.FINALIZED_LATE: "It is dated before go-live; its exception says what can be done.",
    Standing.BOOKED_BY_ALGAPSA: "AlgaPSA itself has it as booked in QuickBooks.",
    Standing.BOOKED_BY_CSV: "A file of an earlier batch took it to QuickBooks: link it there.",
}


@dataclass(frozen=True, slots=True)
class BatchLine:
    """One document of a batch. Without `problems` it can be sent as it is."""

    invoice_id: str
    number: str
    client: str
    date: date
    total_minor: int
    currency: str
    problems: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class BatchDone:
    """A batch that was run: its number, what was queued or written, and what was left out."""

    batch_id: int
    taken: int
    left_out: tuple[BatchLine, ...]
    text: str = ""


def select(
    engine: SyncEngine,
    company: str,
    *,
    selection: BatchSelection,
    client_names: Collection[str] = (),
) -> BatchSelection:
    """The selection with clients given by name or id. Raises ActionRefusedError."""
    with engine.ledger.connect() as connection:
        found = connections.get(connection, company)
    clients = {each.client_id: each.name for each in engine.open_algapsa(found).clients()}
    index = NameIndex(clients)
    ids = set(selection.clients)
    for name in client_names:
        equal = [name] if name in clients else index.equal(name)
        if len(equal) != 1:
            like = ", ".join(each.name for each in index.suggestions(name))
            hint = f" Did you mean {like}?" if like else ""
            raise ActionRefusedError(f"There is no client {name!r}, or several.{hint}")
        ids.update(equal)
    return replace(selection, clients=ids)


def preview_batch(engine: SyncEngine, company: str, selection: BatchSelection) -> list[BatchLine]:
    """The documents that the selection takes, each with every problem that keeps it from
    being sent to this company.

    Looks their numbers up in QuickBooks. Raises ActionRefusedError while a cycle runs, and
    UnknownRealmError, AlgaPsaError, QuickBooksError.
    """
    return [line for line, _ in _judged(engine, company, selection)]


def run_batch(engine: SyncEngine, company: str, selection: BatchSelection, by: str) -> BatchDone:
    """Queue what can be sent, make this company its home, and ask for a cycle.

    Raises like `preview_batch`.
    """
    judged = _judged(engine, company, selection)
    with engine.ledger.begin() as connection:
        into = connections.get(connection, company)
        ready = [header for line, header in judged if not line.problems]
        refused = _taken_home(connection, into, ready)
        sent = [header for header in ready if header.invoice_id not in refused]
        _queue(connection, into.realm, sent)
        batch_id = _keep(connection, into.realm, selection, sent, batches.QUICKBOOKS, by)
        cycles.request(connection, into.realm, by)
    left = [_refused_line(line, refused) for line, _ in judged]
    return BatchDone(batch_id, len(sent), tuple(line for line in left if line.problems))


def write_batch(engine: SyncEngine, company: str, selection: BatchSelection, by: str) -> BatchDone:
    """Write the selected invoices as QuickBooks' import file; all of them or none.

    They count as booked from then on: no cycle creates them; the history step links them by
    number. Raises ActionRefusedError for a connected company, and naming every invoice that
    can't be written.
    """
    with engine.ledger.connect() as connection:
        into = connections.get(connection, company)
    if into.state == "connected":
        raise ActionRefusedError(
            f"{into.company_name} is connected, so a batch is sent there: `qbo-sync batches run`."
        )
    gateway = engine.open_algapsa(into)
    clients = {each.client_id: each for each in gateway.clients()}
    headers = _selected(engine, into, selection)
    documents = gateway.documents([each.invoice_id for each in headers])
    with alone_with(engine, into, "batch") as ctx:
        scope = _scope(_free(ctx, into), headers)
    lines = [
        _line(header, clients, _file_problems(header, documents, clients, scope))
        for header in headers
    ]
    if problems := [line for line in lines if line.problems]:
        told = " ".join(f"{line.number}: {' '.join(line.problems)}" for line in problems[:20])
        raise ActionRefusedError(f"Nothing was written. {told}")
    if not headers:
        raise ActionRefusedError("Nothing was written: no invoice is selected.")
    with engine.ledger.begin() as connection:
        if refused := _taken_home(connection, into, headers):
            raise ActionRefusedError(f"Nothing was written. {' '.join(refused.values())}")
        batch_id = _keep(connection, into.realm, selection, headers, batches.CSV, by)
    text = write_invoices((documents[each.invoice_id] for each in headers), clients)
    return BatchDone(batch_id, len(headers), (), text)


def _judged(
    engine: SyncEngine, company: str, selection: BatchSelection
) -> list[tuple[BatchLine, DocumentHeader]]:
    with engine.ledger.connect() as connection:
        into = connections.get(connection, company)
    if into.state != "connected":
        raise ActionRefusedError(
            f"{into.company_name} is not connected. Reconnect it, or write a file for it: "
            "`qbo-sync batches csv`."
        )
    headers = _selected(engine, into, selection)
    with alone_with(engine, into, "batch") as ctx:
        return _judge(_free(ctx, into), headers)


def _free(ctx: CycleContext | None, company: Connection) -> CycleContext:
    if ctx is None:
        raise ActionRefusedError(
            f"A cycle of {company.company_name} is running. Try again once it has ended."
        )
    return ctx


def _selected(
    engine: SyncEngine, company: Connection, selection: BatchSelection
) -> list[DocumentHeader]:
    if selection.is_empty:
        raise ActionRefusedError("Say which invoices: by date, client, status or number.")
    gateway = engine.open_algapsa(company)
    dated_from = selection.first or _EVERY_DOCUMENT.dated_from
    return [
        header
        for ids in gateway.ids_in_scope(ExportScope(dated_from=dated_from))
        for header in gateway.document_headers(ids)
        if selection.takes(header)
    ]


def _judge(
    ctx: CycleContext, headers: Sequence[DocumentHeader]
) -> list[tuple[BatchLine, DocumentHeader]]:
    scope = _scope(ctx, headers)
    references = load_references(ctx)
    clients = {each.client_id: each for each in ctx.algapsa.clients()}
    judged = []
    for start in range(0, len(headers), _PAGE):
        page = headers[start : start + _PAGE]
        documents = ctx.algapsa.documents([each.invoice_id for each in page])
        taken = look_up_numbers(
            ctx, [each.number for each in page if standing(each, scope) is Standing.TO_EXPORT]
        )
        for header in page:
            problems = _problems(header, documents, clients, references, scope)
            if header.number.casefold() in taken and not _stands(header, scope):
                problems = (*problems, "QuickBooks already has a document with this number.")
            judged.append((_line(header, clients, problems), header))
    return judged


def _scope(ctx: CycleContext, headers: Sequence[DocumentHeader]) -> CompanyScope:
    """As if this company were the home of every document that has none."""
    ids = [header.invoice_id for header in headers]
    with ctx.reading() as connection:
        scope = load_scope(ctx, connection, ids)
    return replace(scope, homes=dict.fromkeys(ids, ctx.realm))


def _stands(header: DocumentHeader, scope: CompanyScope) -> tuple[str, ...]:
    found = standing(header, scope)
    return () if found is Standing.TO_EXPORT else (_WHY_NOT.get(found, f"It is {found.value}."),)


def _problems(
    header: DocumentHeader,
    documents: Mapping[str, Document],
    clients: Mapping[str, Client],
    references: References,
    scope: CompanyScope,
) -> tuple[str, ...]:
    if not_to_send := _stands(header, scope):
        return not_to_send
    document = documents.get(header.invoice_id)
    if document is None:
        return ("It is no longer in AlgaPSA.",)
    prepared = prepare_export(document, clients.get(header.client_id), references)
    return prepared.problems if isinstance(prepared, NotReady) else ()


def _file_problems(
    header: DocumentHeader,
    documents: Mapping[str, Document],
    clients: Mapping[str, Client],
    scope: CompanyScope,
) -> tuple[str, ...]:
    if not_to_write := _stands(header, scope):
        return not_to_write
    document = documents.get(header.invoice_id)
    if document is None:
        return ("It is no longer in AlgaPSA.",)
    return csv_problems(document, clients.get(header.client_id))


def _line(
    header: DocumentHeader, clients: Mapping[str, Client], problems: tuple[str, ...]
) -> BatchLine:
    client = clients.get(header.client_id)
    return BatchLine(
        header.invoice_id,
        header.number,
        client.name if client else "",
        header.invoice_date,
        header.total_minor,
        header.currency,
        problems,
    )


def _taken_home(
    connection: sa.Connection, into: Connection, headers: Sequence[DocumentHeader]
) -> dict[str, str]:
    """Make the company the home of the documents; why not, of those that stand elsewhere."""
    ids = [header.invoice_id for header in headers]
    ours = links.set_home(connection, into.tenant, into.realm, ids)
    refused = {}
    for header in headers:
        if header.invoice_id not in ours:
            where = _move(connection, into, header.invoice_id)
            if where:
                refused[header.invoice_id] = (
                    f"{header.number} was sent to, or is linked in, company {where}."
                )
    return refused


def _move(connection: sa.Connection, into: Connection, invoice_id: str) -> str | None:
    """Move a document's home here; the company that keeps it, if one does."""
    homes.locked(connection, into.tenant, invoice_id, into.realm)
    stands = homes.linked_in(connection, into.tenant, invoice_id) or homes.posted_in(
        connection, into.tenant, invoice_id
    )
    if stands is None:
        homes.move(connection, into.tenant, invoice_id, into.realm)
        homes.cancel_elsewhere(connection, into.tenant, invoice_id, into.realm, EXPORTS)
    return stands


def _queue(connection: sa.Connection, realm: str, headers: Iterable[DocumentHeader]) -> None:
    new = [
        operations.NewOperation(
            kind_of(header).export,
            header.invoice_id,
            f"{kind_of(header).noun} {header.number}",
        )
        for header in headers
    ]
    operations.queue(connection, realm, new)


def _keep(
    connection: sa.Connection,
    realm: str,
    selection: BatchSelection,
    headers: Sequence[DocumentHeader],
    target: str,
    by: str,
) -> int:
    ids = [header.invoice_id for header in headers]
    batch_id = batches.add(
        connection,
        realm,
        selection=selection.as_json(),
        invoice_ids=ids,
        target=target,
        created_by=by,
    )
    told = {"by": by, "invoices": ids}
    effect = audit.Effect("ledger", f"export batch to {target}", f"batch:{batch_id}", None, told)
    audit.append(connection, realm, [effect])
    return batch_id


def _refused_line(line: BatchLine, refused: Mapping[str, str]) -> BatchLine:
    why = refused.get(line.invoice_id)
    return replace(line, problems=(*line.problems, why)) if why else line
