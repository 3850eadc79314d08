"""Ids and names of both sides' records: what somebody needs who writes a file of links."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from qbo_sync_dagster.algapsa.gateway import AlgaPsa
from qbo_sync_dagster.domain.errors import MalformedObjectError
from qbo_sync_dagster.domain.foreign_text import cell
from qbo_sync_dagster.ledger import connections
from qbo_sync_dagster.quickbooks.client import QuickBooksClient
from qbo_sync_dagster.quickbooks.company import parse_list_entry
from qbo_sync_dagster.quickbooks.objects import parse_customer
from qbo_sync_dagster.sync.engine import SyncEngine

COLUMNS = ("kind", "side", "id", "name")

# The kinds of links, then what settings name.
_LISTS = {
    "service": "Item",
    "tax_region": "TaxCode",
    "payment_term": "Term",
    "deposit-account": "Account",
    "class": "Class",
    "department": "Department",
}


@dataclass(frozen=True, slots=True)
class NamedRecord:
    """A record of one side and the kind of link, or the setting, that can name it."""

    kind: str
    side: str
    id: str
    name: str


def named_records(engine: SyncEngine, company: str) -> list[NamedRecord]:
    """Everything that can be linked but invoices, and what settings can name; by kind and name.

    Inactive records are left out. Costs at least seven metered calls. Raises UnknownRealmError,
    AlgaPsaError, QuickBooksError.
    """
    with engine.ledger.connect() as connection:
        found = connections.get(connection, company)
    gateway = AlgaPsa(engine.algapsa, found.tenant, found.time_zone)
    records = [*_algapsa(gateway), *_quickbooks(quickbooks_client(engine, found.realm))]
    return sorted(records, key=lambda each: (each.kind, each.name.casefold(), each.side, each.id))


def quickbooks_client(engine: SyncEngine, realm: str) -> QuickBooksClient:
    """A client for questions outside a cycle, at the company's own pace."""
    return QuickBooksClient(
        engine.config.quickbooks,
        engine.tokens,
        realm,
        http=engine.http,
        pace=engine.pacer(realm),
        clock=engine.monotonic,
        sleep=engine.sleep,
    )


def write_names(records: Iterable[NamedRecord]) -> str:
    """The records as CSV."""
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(COLUMNS)
    writer.writerows((each.kind, each.side, cell(each.id), cell(each.name)) for each in records)
    return out.getvalue()


def _algapsa(gateway: AlgaPsa) -> Iterator[NamedRecord]:
    clients = [client for client in gateway.clients() if not client.is_inactive]
    for client in clients:
        yield NamedRecord("client", "AlgaPSA", client.client_id, client.name)
    for service in gateway.services():
        if service.is_active:
            yield NamedRecord("service", "AlgaPSA", service.service_id, service.name)
    for region in gateway.tax_regions():
        yield NamedRecord("tax_region", "AlgaPSA", region.region_code, region.name)
    for term in sorted({client.payment_terms for client in clients}):
        yield NamedRecord("payment_term", "AlgaPSA", term, term)


def _quickbooks(client: QuickBooksClient) -> Iterator[NamedRecord]:
    for raw in client.query_all("Customer"):
        try:
            customer = parse_customer(raw.payload)
        except MalformedObjectError:
            continue
        if customer.active:
            yield NamedRecord("client", "QuickBooks", customer.id, customer.display_name)
    for kind, entity in _LISTS.items():
        yield from _listed(client, kind, entity)


def _listed(client: QuickBooksClient, kind: str, entity: str) -> Iterator[NamedRecord]:
    for raw in client.query_all(entity):
        try:
            entry = parse_list_entry(entity, raw.payload)
        except MalformedObjectError:
            continue
        if entry.active:
            yield NamedRecord(kind, "QuickBooks", entry.id, entry.full_name)
