"""Onboarding, history: documents that stand in QuickBooks already are linked, never exported.

The next cycle reads what was linked, compares the totals, and pairs the payments of both sides.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import date

from qbo_sync_dagster.actions.link_file import write_link_file
from qbo_sync_dagster.actions.linking import import_links
from qbo_sync_dagster.algapsa.gateway import AlgaPsa
from qbo_sync_dagster.algapsa.headers import ExportScope
from qbo_sync_dagster.domain.algapsa_records import DocumentHeader
from qbo_sync_dagster.domain.document_kinds import DOCUMENT_KINDS, kind_of
from qbo_sync_dagster.domain.eligibility import CANCELLED_STATUSES
from qbo_sync_dagster.domain.errors import DomainError
from qbo_sync_dagster.domain.history_matching import (
    BookedDocument,
    HistoryMatch,
    HistoryState,
    match_history,
)
from qbo_sync_dagster.ledger import connections, links
from qbo_sync_dagster.ledger.connections import Connection
from qbo_sync_dagster.quickbooks.client import QuickBooksClient
from qbo_sync_dagster.quickbooks.objects import parse_document
from qbo_sync_dagster.sync.engine import SyncEngine
from qbo_sync_dagster.sync.translate import document_view

_EVERY_DOCUMENT = ExportScope(dated_from=date.min)


@dataclass(frozen=True, slots=True)
class HistoryLinked:
    """How many documents were linked, and how many wait for a person."""

    linked: int
    review: int
    not_in_quickbooks: int


def propose_history(engine: SyncEngine, company: str) -> list[HistoryMatch]:
    """Every finalized document without a link, with the document it is in QuickBooks.

    Those of other companies of the tenant are left out. Raises UnknownRealmError, AlgaPsaError,
    QuickBooksError.
    """
    with engine.ledger.connect() as connection:
        found = connections.get(connection, company)
        customers = links.ids(connection, found.realm, "client")
        linked = {
            (kind.link_kind, quickbooks_id)
            for kind in DOCUMENT_KINDS
            for quickbooks_id in links.ids(connection, found.realm, kind.link_kind).values()
        }
    headers = list(_unlinked(engine, found))
    booked = list(_booked(engine.open_quickbooks(found.realm), headers))
    return match_history(headers, booked, customers, linked)


def link_history(engine: SyncEngine, company: str) -> HistoryLinked:
    """Link every document that is surely in QuickBooks; a second run changes nothing.

    Raises LinkFileError if a link was made meanwhile, and what `propose_history` raises.
    """
    found = propose_history(engine, company)
    sure = [each for each in found if each.state is HistoryState.MATCHED]
    if sure:
        rows = ((each.link_kind, each.invoice_id, each.quickbooks_id) for each in sure)
        import_links(engine, company, write_link_file(rows))
    states = [each.state for each in found]
    return HistoryLinked(
        linked=len(sure),
        review=states.count(HistoryState.REVIEW),
        not_in_quickbooks=states.count(HistoryState.NONE),
    )


def _unlinked(engine: SyncEngine, company: Connection) -> Iterator[DocumentHeader]:
    gateway: AlgaPsa = engine.open_algapsa(company)
    for ids in gateway.ids_in_scope(_EVERY_DOCUMENT):
        with engine.ledger.connect() as connection:
            homes = links.homes(connection, company.tenant, ids)
            realms = [
                each.realm
                for each in connections.every(connection)
                if each.tenant == company.tenant
            ]
            linked = links.ever_linked(connection, realms, ids)
        for header in gateway.document_headers([each for each in ids if each not in linked]):
            if header.status not in CANCELLED_STATUSES and _may_be_here(header, company, homes):
                yield header


def _may_be_here(header: DocumentHeader, company: Connection, homes: Mapping[str, str]) -> bool:
    return homes.get(header.invoice_id, company.realm) == company.realm


def _booked(client: QuickBooksClient, headers: list[DocumentHeader]) -> Iterator[BookedDocument]:
    for kind in DOCUMENT_KINDS:
        numbers = sorted({each.number.strip() for each in headers if kind_of(each) is kind})
        for raw in client.query_in(kind.entity, "DocNumber", numbers) if numbers else ():
            try:
                view = document_view(parse_document(kind.entity, raw.payload))
            except DomainError:
                continue
            yield BookedDocument(raw.id, kind.link_kind, view)
