"""Moving a document to another company of its tenant, before anything of it was sent."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from uuid import UUID

import sqlalchemy as sa

from qbo_sync_dagster.actions.errors import ActionRefusedError
from qbo_sync_dagster.algapsa.gateway import AlgaPsa
from qbo_sync_dagster.algapsa.headers import ExportScope
from qbo_sync_dagster.domain.algapsa_records import DocumentHeader
from qbo_sync_dagster.domain.operation_kinds import EXPORT_CREDIT_MEMO, EXPORT_INVOICE
from qbo_sync_dagster.ledger import audit, connections, cycles, exceptions, homes
from qbo_sync_dagster.ledger.connections import Connection
from qbo_sync_dagster.sync.document_links import EXPORT_KINDS
from qbo_sync_dagster.sync.engine import SyncEngine

_EVER = ExportScope(date(1900, 1, 1))


@dataclass(frozen=True, slots=True)
class Moved:
    """A document's number, and the company it belonged to; `before` None if it had no home."""

    number: str
    company: Connection
    before: str | None

    @property
    def is_new(self) -> bool:
        """Whether it belonged to another company before."""
        return self.before != self.company.realm


def move_document(engine: SyncEngine, document: str, company: str, by: str) -> Moved:
    """Let a finalized document (its number or AlgaPSA id) belong to this company.

    It is withdrawn from the queue of the other one, and a cycle of the new one is asked for.
    Raises UnknownRealmError, AlgaPsaError, and ActionRefusedError once something of it was sent or
    linked, or while the company is disconnected.
    """
    with engine.ledger.connect() as connection:
        target = connections.get(connection, company)
    if target.state == "disconnected":
        raise ActionRefusedError(
            f"{target.company_name} is disconnected, so nothing is sent there. Connect it first: "
            f"`qbo-sync connections reconnect {target.company}`."
        )
    header = _header(AlgaPsa(engine.algapsa, target.tenant, target.time_zone), document)
    with engine.ledger.begin() as connection:
        moved = Moved(header.number, target, bring_home(connection, target, header))
        if moved.is_new:
            cycles.request(connection, target.realm, by)
    return moved


def bring_home(connection: sa.Connection, target: Connection, header: DocumentHeader) -> str:
    """Let a document belong to this company from now on; returns where it belonged before.

    Raises ActionRefusedError once something of it was sent to another company, or linked there.
    """
    before = _home(connection, target, header)
    if before != target.realm:
        _move(connection, target, header, before)
    return before


def _home(connection: sa.Connection, target: Connection, header: DocumentHeader) -> str:
    """The home as it stands, with nothing of the document sent or linked anywhere."""
    default = next(
        each.realm
        for each in connections.every(connection)
        if each.tenant == target.tenant and each.is_default
    )
    home = homes.locked(connection, target.tenant, header.invoice_id, default)
    if home == target.realm:
        return home
    sent_to = homes.linked_in(connection, target.tenant, header.invoice_id) or homes.posted_in(
        connection, target.tenant, header.invoice_id
    )
    if sent_to is not None:
        name = connections.get(connection, sent_to).company_name
        raise ActionRefusedError(
            f"{header.number} was sent to {name} or linked there, so it stays there: in another "
            "company it would be counted twice."
        )
    if home not in {each.realm for each in connections.every(connection)}:
        raise ActionRefusedError(
            f"{header.number} was sent to a company that was forgotten since ({home}), so it is "
            "sent to no other."
        )
    return home


def _move(
    connection: sa.Connection, target: Connection, header: DocumentHeader, before: str | None
) -> None:
    homes.move(connection, target.tenant, header.invoice_id, target.realm)
    left = homes.cancel_elsewhere(
        connection,
        target.tenant,
        header.invoice_id,
        target.realm,
        (EXPORT_INVOICE, EXPORT_CREDIT_MEMO),
    )
    for realm in {*left, *([before] if before else [])}:
        exceptions.resolve(
            connection,
            realm,
            EXPORT_KINDS,
            [f"invoice:{header.invoice_id}"],
            f"It was moved to {target.company_name}.",
        )
        _audit(connection, realm, header, before, target.realm)
    _audit(connection, target.realm, header, before, target.realm)


def _audit(
    connection: sa.Connection, realm: str, header: DocumentHeader, before: str | None, after: str
) -> None:
    record = f"invoice {header.number}"
    audit.append(
        connection, realm, [audit.Effect("ledger", "document moved", record, before, after)]
    )


def _header(gateway: AlgaPsa, document: str) -> DocumentHeader:
    sought = document.strip()
    found: Sequence[DocumentHeader] = gateway.headers_by_number(_EVER, [sought])
    if not found and _is_uuid(sought):
        found = [each for each in gateway.document_headers([sought]) if each.finalized_at]
    if len(found) == 1:
        return found[0]
    if found:
        raise ActionRefusedError(
            f"AlgaPSA has {len(found)} documents of the number {sought!r}; name one by its id."
        )
    raise ActionRefusedError(f"AlgaPSA has no finalized document {sought!r}.")


def _is_uuid(text: str) -> bool:
    try:
        UUID(text)
    except ValueError:
        return False
    return True
