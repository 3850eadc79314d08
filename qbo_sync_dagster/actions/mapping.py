"""Mappings of a company: services to items, tax regions to tax codes, terms to terms. Listing them
with their state, and setting them by name or id."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from qbo_sync_dagster.actions.choices import (
    ITEM,
    TAX_CODE,
    TERM,
    Choice,
    CompanyLists,
    company_lists,
    pick,
)
from qbo_sync_dagster.actions.errors import ActionRefusedError, LinkFileError
from qbo_sync_dagster.actions.link_file import write_link_file
from qbo_sync_dagster.actions.linking import ImportedLinks, import_links
from qbo_sync_dagster.algapsa.gateway import AlgaPsa
from qbo_sync_dagster.domain.names import suggestions
from qbo_sync_dagster.domain.suggestions import MappedRecord, MappingKind, map_records
from qbo_sync_dagster.ledger import connections, links
from qbo_sync_dagster.ledger.connections import Connection
from qbo_sync_dagster.sync.engine import SyncEngine

SUBJECTS: Mapping[MappingKind, str] = {
    MappingKind.SERVICE: ITEM,
    MappingKind.TAX_REGION: TAX_CODE,
    MappingKind.PAYMENT_TERM: TERM,
}


@dataclass(frozen=True, slots=True)
class WantedMapping:
    """A mapping to make; both sides by name or id. `place` says where it was asked for, and
    `quickbooks_name` what people read beside the id, which must agree with it."""

    kind: MappingKind
    algapsa: str
    quickbooks: str
    place: str = ""
    quickbooks_name: str = ""


def list_mappings(
    engine: SyncEngine, company: str, lists: CompanyLists | None = None
) -> list[MappedRecord]:
    """Every active service, tax region and used term of the tenant with what it is linked to.

    Costs at least four metered calls. Raises UnknownRealmError, AlgaPsaError, QuickBooksError.
    """
    with engine.ledger.connect() as connection:
        found = connections.get(connection, company)
        linked = {kind: links.ids(connection, found.realm, str(kind)) for kind in MappingKind}
    offered = lists or company_lists(engine, found.realm)
    records = _records(AlgaPsa(engine.algapsa, found.tenant, found.time_zone))
    return [
        mapped
        for kind in MappingKind
        for mapped in map_records(
            kind,
            records[kind],
            linked[kind],
            {choice.id: choice.name for choice in offered.choices(SUBJECTS[kind])},
            _default(found, kind),
        )
    ]


def set_mappings(
    engine: SyncEngine,
    company: str,
    wanted: Sequence[WantedMapping],
    lists: CompanyLists | None = None,
) -> ImportedLinks:
    """Link each record to the object named, or correct its link; all or none.

    Raises LinkFileError naming each that can't be used, UnknownRealmError, AlgaPsaError,
    QuickBooksError.
    """
    with engine.ledger.connect() as connection:
        found = connections.get(connection, company)
    offered = lists or company_lists(engine, found.realm)
    records = _records(AlgaPsa(engine.algapsa, found.tenant, found.time_zone))
    rows: dict[tuple[str, str], str] = {}
    problems: list[str] = []
    for each in wanted:
        try:
            record = _record(records[each.kind], each)
            choice = _choice(offered, each)
            if rows.setdefault((str(each.kind), record), choice.id) != choice.id:
                raise ActionRefusedError(f"{each.algapsa} is mapped to two objects.")
        except ActionRefusedError as error:
            problems.append(f"{each.place}{error}")
    if problems:
        raise LinkFileError(tuple(problems))
    if not rows:
        return ImportedLinks()
    text = write_link_file((kind, record, object_id) for (kind, record), object_id in rows.items())
    return import_links(engine, found.realm, text, replace=True)


def accept_certain(engine: SyncEngine, company: str) -> list[MappedRecord]:
    """Link every record without a link whose name exactly one object bears; those linked.

    Raises like `set_mappings`.
    """
    with engine.ledger.connect() as connection:
        realm = connections.get(connection, company).realm
    lists = company_lists(engine, realm)
    found = list_mappings(engine, realm, lists)
    sure = [each for each in found if not each.quickbooks_id and each.certain]
    wanted = [
        WantedMapping(each.kind, each.algapsa_id, each.certain.record_id)
        for each in sure
        if each.certain is not None
    ]
    set_mappings(engine, realm, wanted, lists)
    return sure


def _records(gateway: AlgaPsa) -> dict[MappingKind, dict[str, str]]:
    terms = {client.payment_terms for client in gateway.clients() if not client.is_inactive}
    return {
        MappingKind.SERVICE: {s.service_id: s.name for s in gateway.services() if s.is_active},
        MappingKind.TAX_REGION: {r.region_code: r.name for r in gateway.tax_regions()},
        MappingKind.PAYMENT_TERM: {term: term for term in sorted(terms)},
    }


def _choice(lists: CompanyLists, wanted: WantedMapping) -> Choice:
    subject = SUBJECTS[wanted.kind]
    choice = pick(lists.choices(subject), wanted.quickbooks, subject)
    named = wanted.quickbooks_name
    if named and named.casefold() != choice.name.casefold():
        raise ActionRefusedError(
            f"the id {choice.id} is {choice.name!r}, but the name beside it is {named!r}: empty "
            "the one that is wrong."
        )
    return choice


def _record(records: Mapping[str, str], wanted: WantedMapping) -> str:
    sought = wanted.algapsa.strip()
    if sought in records:
        return sought
    found = [key for key, name in records.items() if name.casefold() == sought.casefold()]
    if len(found) == 1:
        return found[0]
    what = str(wanted.kind).replace("_", " ")
    if found:
        raise ActionRefusedError(
            f"AlgaPSA has {len(found)} of the name {sought!r}; name the {what} by its id."
        )
    if not sought:
        raise ActionRefusedError(f"which {what} of AlgaPSA is meant? Give its id or its name.")
    like = ", ".join(each.name for each in suggestions(sought, records))
    hint = f" Did you mean {like}?" if like else ""
    raise ActionRefusedError(f"AlgaPSA has no active {what} {sought!r}.{hint}")


def _default(company: Connection, kind: MappingKind) -> str | None:
    """The default item is for charges without a service only, so services have none."""
    return {
        MappingKind.SERVICE: None,
        MappingKind.TAX_REGION: company.default_tax_code,
        MappingKind.PAYMENT_TERM: company.default_term,
    }[kind]
