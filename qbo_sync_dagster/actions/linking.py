"""Links by file: say which AlgaPSA records are which QuickBooks objects, all or nothing."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

import sqlalchemy as sa

from qbo_sync_dagster.actions.errors import ActionRefusedError, LinkFileError
from qbo_sync_dagster.actions.link_file import (
    KINDS,
    ONE_TO_ONE,
    LinkRow,
    read_link_file,
    write_link_file,
)
from qbo_sync_dagster.algapsa.gateway import AlgaPsa
from qbo_sync_dagster.domain.catalogue import ExceptionKind
from qbo_sync_dagster.ledger import (
    audit,
    connections,
    document_links,
    exceptions,
    inbox,
    links,
    operations,
)
from qbo_sync_dagster.ledger.connections import Connection
from qbo_sync_dagster.ledger.links import Link
from qbo_sync_dagster.sync.engine import SyncEngine

# An invoice linked to another object would be exported or paid twice; the rest may be corrected.
REPLACEABLE = frozenset(KINDS) - {"invoice", "credit_memo"}
_DOCUMENTS = ("invoice", "credit_memo")
_LINKS_A_STATEMENT = 500
# The operation that would create what a link of this kind names.
_CREATED_BY = {
    "client": "create_customer",
    "invoice": "export_invoice",
    "credit_memo": "export_credit_memo",
}


@dataclass(frozen=True, slots=True)
class ImportedLinks:
    """How many links a file made, corrected, and how many stood already."""

    added: int = 0
    replaced: int = 0
    unchanged: int = 0


@dataclass(slots=True)
class _Judgement:
    added: list[LinkRow] = field(default_factory=list)
    replaced: list[tuple[Link, LinkRow]] = field(default_factory=list)
    unchanged: int = 0
    problems: list[str] = field(default_factory=list)


def import_links(
    engine: SyncEngine, company: str, text: str, *, replace: bool = False
) -> ImportedLinks:
    """Make the links of a file (CSV: kind, AlgaPSA id, QuickBooks id), all or none.

    Links that stand already count as unchanged, so a file may be imported again. With `replace`,
    a client, service, tax region or payment term may be linked to another object than before.
    Payments that waited for one of the links apply themselves at the next cycle.
    Raises LinkFileError naming each line that cannot be used, UnknownRealmError, AlgaPsaError.
    """
    rows = read_link_file(text)
    with engine.ledger.connect() as connection:
        into = connections.get(connection, company)
    strangers = _strangers(AlgaPsa(engine.algapsa, into.tenant, into.time_zone), rows)
    with engine.ledger.begin() as connection:
        judged = _judge(connection, into.realm, rows, replace=replace)
        problems = (
            *judged.problems,
            *strangers,
            *_homeless(connection, into, rows),
            *_in_flight(connection, into.realm, judged),
        )
        if problems:
            raise LinkFileError(problems)
        _commit(connection, into, judged)
    return ImportedLinks(len(judged.added), len(judged.replaced), judged.unchanged)


def export_links(ledger: sa.Engine, company: str) -> str:
    """Every live link of a company as the file that `import_links` reads."""
    with ledger.connect() as connection:
        realm = connections.get(connection, company).realm
        return write_link_file(
            (kind, algapsa_id, quickbooks_id)
            for kind in KINDS
            for algapsa_id, quickbooks_id in links.ids(connection, realm, kind).items()
        )


def _judge(
    connection: sa.Connection, realm: str, rows: Sequence[LinkRow], *, replace: bool
) -> _Judgement:
    judged = _Judgement()
    for kind in KINDS:
        of_kind = [row for row in rows if row.kind == kind]
        if of_kind:
            _judge_kind(connection, realm, of_kind, judged, replace=replace)
    return judged


def _judge_kind(
    connection: sa.Connection,
    realm: str,
    rows: Sequence[LinkRow],
    judged: _Judgement,
    *,
    replace: bool,
) -> None:
    standing = links.by_algapsa_id(connection, realm, rows[0].kind)
    holders = {link.quickbooks_id: link.algapsa_id for link in standing.values()}
    for row in rows:
        link = standing.get(row.algapsa_id)
        holder = holders.get(row.quickbooks_id)
        if link is not None and link.quickbooks_id == row.quickbooks_id:
            judged.unchanged += 1
        elif holder is not None and row.kind in ONE_TO_ONE:
            judged.problems.append(
                f"Line {row.line}: the QuickBooks object {row.quickbooks_id} is linked to "
                f"{row.kind} {holder} already."
            )
        elif link is None:
            judged.added.append(row)
        elif replace and row.kind in REPLACEABLE:
            judged.replaced.append((link, row))
        else:
            judged.problems.append(_already_linked(row, link))


def _already_linked(row: LinkRow, link: Link) -> str:
    cure = " Correct it with --replace if that is wrong." if row.kind in REPLACEABLE else ""
    return (
        f"Line {row.line}: {row.kind} {row.algapsa_id} is linked to QuickBooks object "
        f"{link.quickbooks_id} already.{cure}"
    )


def _strangers(gateway: AlgaPsa, rows: Sequence[LinkRow]) -> list[str]:
    """Lines whose record AlgaPSA does not have: a typing error would otherwise link nothing."""
    known = _known_records(gateway, rows)
    return [
        f"Line {row.line}: AlgaPSA has no {row.kind.replace('_', ' ')} {row.algapsa_id} for this "
        "tenant."
        for row in rows
        if row.kind in known and row.algapsa_id not in known[row.kind]
    ]


def _known_records(gateway: AlgaPsa, rows: Sequence[LinkRow]) -> Mapping[str, Collection[str]]:
    kinds = {row.kind for row in rows}
    known: dict[str, Collection[str]] = {}
    if "client" in kinds:
        known["client"] = {client.client_id for client in gateway.clients()}
    if "service" in kinds:
        known["service"] = {service.service_id for service in gateway.services()}
    if "tax_region" in kinds:
        known["tax_region"] = {region.region_code for region in gateway.tax_regions()}
    if "invoice" in kinds:
        known["invoice"] = gateway.existing([r.algapsa_id for r in rows if r.kind == "invoice"])
    if "credit_memo" in kinds:
        ids = [row.algapsa_id for row in rows if row.kind == "credit_memo"]
        known["credit_memo"] = {
            header.invoice_id
            for header in gateway.document_headers(ids)
            if header.invoice_type == "credit_note"
        }
    return known


def _homeless(
    connection: sa.Connection, company: Connection, rows: Sequence[LinkRow]
) -> Iterator[str]:
    """Invoices that belong to another company of the tenant: each has exactly one home."""
    invoices = [row for row in rows if row.kind in _DOCUMENTS]
    homes = links.homes(connection, company.tenant, [row.algapsa_id for row in invoices])
    for row in invoices:
        home = homes.get(row.algapsa_id, company.realm)
        if home != company.realm:
            yield f"Line {row.line}: invoice {row.algapsa_id} belongs to QuickBooks company {home}."


def _in_flight(connection: sa.Connection, realm: str, judged: _Judgement) -> Iterator[str]:
    """Records whose own object may be coming to be in QuickBooks at this moment."""
    for kind, operation in _CREATED_BY.items():
        rows = [row for row in judged.added if row.kind == kind]
        ids = [row.algapsa_id for row in rows]
        sent = operations.being_posted(connection, realm, operation, ids) if ids else ()
        for row in rows:
            if row.algapsa_id in sent:
                yield (
                    f"Line {row.line}: {kind} {row.algapsa_id} was sent to QuickBooks, and what "
                    "became of it is not known yet. Import the file again after the next cycle."
                )


def _commit(connection: sa.Connection, company: Connection, judged: _Judgement) -> None:
    realm = company.realm
    for kind in document_links.DOCUMENT_KINDS:
        added = [row.algapsa_id for row in judged.added if row.kind == kind]
        document_links.give_way(connection, realm, kind, added)
    for start in range(0, len(judged.added), _LINKS_A_STATEMENT):
        links.add(connection, realm, _new_links(judged.added[start : start + _LINKS_A_STATEMENT]))
    for link, row in judged.replaced:
        links.update(
            connection,
            link.link_id,
            quickbooks_id=row.quickbooks_id,
            snapshot=None,
            shown=None,
            sync_token=None,
        )
    invoices = {row.algapsa_id for row in judged.added if row.kind in _DOCUMENTS}
    if links.set_home(connection, company.tenant, realm, invoices) != invoices:
        raise ActionRefusedError(
            "Another company took one of these invoices meanwhile. Nothing was linked; import the "
            "file again to see which."
        )
    memos = [row.quickbooks_id for row in judged.added if row.kind == "credit_memo"]
    inbox.reopen_credits(connection, realm, memos)
    relinked = [f"client:{row.algapsa_id}" for _, row in judged.replaced if row.kind == "client"]
    exceptions.resolve(
        connection,
        realm,
        [ExceptionKind.CUSTOMER_UNAVAILABLE],
        relinked,
        "The client was linked to another customer.",
    )
    audit.append(connection, realm, _effects(judged))


def _new_links(rows: Sequence[LinkRow]) -> list[links.NewLink]:
    return [links.NewLink(r.kind, r.algapsa_id, r.quickbooks_id, "imported") for r in rows]


def _effects(judged: _Judgement) -> list[audit.Effect]:
    made = [
        audit.Effect("ledger", "link made", " ".join(row.record), None, row.quickbooks_id)
        for row in judged.added
    ]
    corrected = [
        audit.Effect(
            "ledger", "link changed", " ".join(row.record), link.quickbooks_id, row.quickbooks_id
        )
        for link, row in judged.replaced
    ]
    return [*made, *corrected]
