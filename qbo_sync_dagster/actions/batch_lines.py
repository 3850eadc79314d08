"""What export batches of either kind share: the documents chosen, how they are shown and kept.

What belongs here: choosing, homes, remembering. What does not: sending (`batching`) and writing a
file (`batch_file`).
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date

import sqlalchemy as sa

from qbo_sync_dagster.actions.errors import ActionRefusedError
from qbo_sync_dagster.actions.moving import bring_home
from qbo_sync_dagster.algapsa.headers import ExportScope
from qbo_sync_dagster.domain.algapsa_records import Client, DocumentHeader
from qbo_sync_dagster.domain.batch_selection import BatchSelection
from qbo_sync_dagster.domain.eligibility import CompanyScope, Standing, standing
from qbo_sync_dagster.domain.names import NameIndex
from qbo_sync_dagster.ledger import audit, batches, connections, links
from qbo_sync_dagster.ledger.connections import Connection
from qbo_sync_dagster.sync.context import CycleContext
from qbo_sync_dagster.sync.engine import SyncEngine
from qbo_sync_dagster.sync.outbound import load_scope

_EVERY_DOCUMENT = ExportScope(dated_from=date.min)
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
            raise ActionRefusedError(_which(name, equal, index))
        ids.update(equal)
    return replace(selection, clients=ids)


def _which(name: str, equal: Sequence[str], index: NameIndex) -> str:
    if equal:
        return f"{len(equal)} clients are named {name!r}. Give the id: {', '.join(sorted(equal))}."
    like = ", ".join(each.name for each in index.suggestions(name))
    hint = f" Did you mean {like}?" if like else ""
    return f"There is no client {name!r}.{hint}"


def free(ctx: CycleContext | None, company: Connection) -> CycleContext:
    if ctx is None:
        raise ActionRefusedError(
            f"A cycle of {company.company_name} is running. Try again once it has ended."
        )
    return ctx


def selected(
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


def scope_of(ctx: CycleContext, headers: Sequence[DocumentHeader]) -> CompanyScope:
    """As if this company were the home of every document that has none."""
    ids = [header.invoice_id for header in headers]
    with ctx.reading() as connection:
        scope = load_scope(ctx, connection, ids)
    return replace(scope, homes=dict.fromkeys(ids, ctx.realm))


def stands(header: DocumentHeader, scope: CompanyScope) -> tuple[str, ...]:
    found = standing(header, scope)
    return () if found is Standing.TO_EXPORT else (_WHY_NOT.get(found, f"It is {found.value}."),)


def line_of(
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


def taken_home(
    connection: sa.Connection, into: Connection, headers: Sequence[DocumentHeader]
) -> dict[str, str]:
    """Make the company the home of the documents; why not, of those that stand elsewhere."""
    ids = [header.invoice_id for header in headers]
    ours = links.set_home(connection, into.tenant, into.realm, ids)
    refused = {}
    for header in headers:
        if header.invoice_id not in ours:
            try:
                bring_home(connection, into, header)
            except ActionRefusedError as error:
                refused[header.invoice_id] = str(error)
    return refused


def keep(
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
