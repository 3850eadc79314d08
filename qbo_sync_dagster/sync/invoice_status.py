"""Every finalized document of a company with its state of synchronisation. Local, no calls."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from datetime import date, datetime

from qbo_sync_dagster.algapsa.headers import ExportScope
from qbo_sync_dagster.domain.algapsa_records import DocumentHeader
from qbo_sync_dagster.domain.document_kinds import kind_of
from qbo_sync_dagster.domain.eligibility import CompanyScope, Standing, standing
from qbo_sync_dagster.domain.invoice_sync import (
    LinkStanding,
    QueueStanding,
    SyncState,
    sync_state,
    why_not_synced,
)
from qbo_sync_dagster.ledger import connections, document_standing, exceptions
from qbo_sync_dagster.ledger.connections import Connection
from qbo_sync_dagster.sync.document_links import EXPORT_KINDS
from qbo_sync_dagster.sync.engine import SyncEngine
from qbo_sync_dagster.sync.outbound import company_scope

_EVERY_DOCUMENT = ExportScope(dated_from=date.min)


@dataclass(frozen=True, slots=True)
class InvoiceStatus:
    """One document as staff see it. `total_minor` is in minor units of `currency`.

    `note` says what keeps it from being synced; `last_sync` is when the sync last saw its object.
    """

    invoice_id: str
    number: str
    client: str
    date: date
    total_minor: int
    currency: str
    state: SyncState
    link_kind: str
    quickbooks_id: str
    quickbooks_number: str
    last_sync: datetime | None
    note: str


@dataclass(frozen=True, slots=True)
class _Standing:
    """What the ledger knows of the company's documents."""

    linked: Mapping[str, LinkStanding]
    queued: Mapping[str, list[QueueStanding]]
    titles: Mapping[str, str]
    dismissed: Collection[tuple[str, str]]
    names: Mapping[str, str]
    is_connected: bool


def invoice_statuses(engine: SyncEngine, company: str) -> list[InvoiceStatus]:
    """Every finalized document that is, or would go, in this company; newest first.

    Raises UnknownRealmError, AlgaPsaError.
    """
    with engine.ledger.connect() as connection:
        found = connections.get(connection, company)
        linked = document_standing.link_standings(connection, found.realm)
        queued = document_standing.queue_standings(connection, found.realm)
        titles = {each.record: each.title for each in exceptions.listed(connection, found.realm)}
        judged = exceptions.dismissed_versions(connection, found.realm, EXPORT_KINDS)
    gateway = engine.open_algapsa(found)
    names = {client.client_id: client.name for client in gateway.clients()}
    dismissed = {(record, version) for _, record, version in judged}
    is_connected = found.state == "connected"
    known = _Standing(linked, queued, titles, dismissed, names, is_connected)
    rows = [
        _status(header, known, standing(header, scope))
        for header, scope in _headers(engine, found, linked)
    ]
    return sorted(rows, key=lambda each: (each.date, each.number), reverse=True)


def _headers(
    engine: SyncEngine, company: Connection, linked: Mapping[str, LinkStanding]
) -> Iterator[tuple[DocumentHeader, CompanyScope]]:
    gateway = engine.open_algapsa(company)
    for ids in gateway.ids_in_scope(_EVERY_DOCUMENT):
        with engine.ledger.connect() as connection:
            scope = company_scope(connection, company, ids)
        here = [each for each in ids if each in linked or scope.is_home_of(each)]
        yield from ((header, scope) for header in gateway.document_headers(here))


def _status(header: DocumentHeader, known: _Standing, stands: Standing) -> InvoiceStatus:
    link = known.linked.get(header.invoice_id)
    queue = known.queued.get(header.invoice_id, [])
    state = sync_state(header, link, queue)
    return InvoiceStatus(
        invoice_id=header.invoice_id,
        number=header.number,
        client=known.names.get(header.client_id, ""),
        date=header.invoice_date,
        total_minor=header.total_minor,
        currency=header.currency,
        state=state,
        link_kind=link.link_kind if link else kind_of(header).link_kind,
        quickbooks_id=link.quickbooks_id if link else "",
        quickbooks_number=link.number if link else "",
        last_sync=link.seen_at if link else None,
        note=_note(header, state, queue, known) or _unsent(header, state, stands, known),
    )


def _note(
    header: DocumentHeader,
    state: SyncState,
    queue: list[QueueStanding],
    known: _Standing,
) -> str:
    if state in (SyncState.SYNCED, SyncState.VOIDED):
        return ""
    reasons = [operation.reason for operation in queue if operation.reason]
    return known.titles.get(f"invoice:{header.invoice_id}") or next(iter(reasons), "")


def _unsent(header: DocumentHeader, state: SyncState, stands: Standing, known: _Standing) -> str:
    if state is not SyncState.NOT_SYNCED:
        return ""
    judged = (f"invoice:{header.invoice_id}", header.fingerprint) in known.dismissed
    return why_not_synced(stands, is_dismissed=judged, is_connected=known.is_connected)
