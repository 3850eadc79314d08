"""Export batches sent to QuickBooks: chosen, previewed with every problem, queued.

A batch gives its documents their home; sending them is the next cycle's work. Where the company
is not connected, a file stands in (`batch_file`).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace

import sqlalchemy as sa

from qbo_sync_dagster.actions.batch_file import judge_for_file
from qbo_sync_dagster.actions.batch_lines import (
    BatchDone,
    BatchLine,
    free,
    keep,
    line_of,
    scope_of,
    selected,
    stands,
    taken_home,
)
from qbo_sync_dagster.actions.errors import ActionRefusedError
from qbo_sync_dagster.domain.algapsa_records import Client, Document, DocumentHeader
from qbo_sync_dagster.domain.batch_selection import BatchSelection
from qbo_sync_dagster.domain.document_kinds import kind_of
from qbo_sync_dagster.domain.eligibility import CompanyScope, Standing, standing
from qbo_sync_dagster.domain.export import NotReady, References, prepare_export
from qbo_sync_dagster.ledger import batches, connections, cycles, operations
from qbo_sync_dagster.ledger.connections import Connection
from qbo_sync_dagster.sync.alone import alone_with
from qbo_sync_dagster.sync.context import CycleContext
from qbo_sync_dagster.sync.documents_out import look_up_numbers
from qbo_sync_dagster.sync.engine import SyncEngine
from qbo_sync_dagster.sync.references import load_references

_PAGE = 300


def preview_batch(engine: SyncEngine, company: str, selection: BatchSelection) -> list[BatchLine]:
    """The documents that the selection takes, each with every problem that keeps it from
    being sent to this company, or from its file where it is not connected.

    Looks their numbers up in QuickBooks. Raises ActionRefusedError while a cycle runs, and
    UnknownRealmError, AlgaPsaError, QuickBooksError.
    """
    into = _company(engine, company)
    if into.state != "connected":
        return [judged.line for judged in judge_for_file(engine, into, selection)]
    return [line for line, _ in _judged(engine, into, selection)]


def run_batch(engine: SyncEngine, company: str, selection: BatchSelection, by: str) -> BatchDone:
    """Queue what can be sent, make this company its home, and ask for a cycle.

    Raises like `preview_batch`.
    """
    into = _company(engine, company)
    if into.state != "connected":
        raise ActionRefusedError(
            f"{into.company_name} is not connected. Reconnect it, or write a file for it: "
            "`qbo-sync batches csv`."
        )
    judged = _judged(engine, into, selection)
    with engine.ledger.begin() as connection:
        ready = [header for line, header in judged if not line.problems]
        refused = taken_home(connection, into, ready)
        sent = [header for header in ready if header.invoice_id not in refused]
        _queue(connection, into.realm, sent)
        batch_id = keep(connection, into.realm, selection, sent, batches.QUICKBOOKS, by)
        cycles.request(connection, into.realm, by)
    left = [_refused_line(line, refused) for line, _ in judged]
    return BatchDone(batch_id, len(sent), tuple(line for line in left if line.problems))


def _company(engine: SyncEngine, company: str) -> Connection:
    with engine.ledger.connect() as connection:
        return connections.get(connection, company)


def _judged(
    engine: SyncEngine, into: Connection, selection: BatchSelection
) -> list[tuple[BatchLine, DocumentHeader]]:
    headers = selected(engine, into, selection)
    with alone_with(engine, into, "batch") as ctx:
        return _judge(free(ctx, into), headers)


def _judge(
    ctx: CycleContext, headers: Sequence[DocumentHeader]
) -> list[tuple[BatchLine, DocumentHeader]]:
    scope = scope_of(ctx, headers)
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
            if header.number.casefold() in taken and not stands(header, scope):
                problems = (*problems, "QuickBooks already has a document with this number.")
            judged.append((line_of(header, clients, problems), header))
    return judged


def _problems(
    header: DocumentHeader,
    documents: Mapping[str, Document],
    clients: Mapping[str, Client],
    references: References,
    scope: CompanyScope,
) -> tuple[str, ...]:
    if not_to_send := stands(header, scope):
        return not_to_send
    document = documents.get(header.invoice_id)
    if document is None:
        return ("It is no longer in AlgaPSA.",)
    prepared = prepare_export(document, clients.get(header.client_id), references)
    return prepared.problems if isinstance(prepared, NotReady) else ()


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


def _refused_line(line: BatchLine, refused: Mapping[str, str]) -> BatchLine:
    why = refused.get(line.invoice_id)
    return replace(line, problems=(*line.problems, why)) if why else line
