"""Connections: one QuickBooks company of one tenant, with its settings, cursor and state."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

import sqlalchemy as sa

from qbo_sync_dagster.ledger.errors import LedgerError, UnknownRealmError
from qbo_sync_dagster.ledger.tables import (
    connections,
    document_homes,
    export_batches,
    links,
    operations,
    postings,
)


@dataclass(frozen=True, slots=True)
class Connection:
    """A connected company. `company` is its readable key (also the Dagster partition)."""

    realm: str
    tenant: str
    company: str
    company_name: str
    time_zone: str
    go_live_date: date
    is_default: bool
    state: str
    connected_at: datetime
    cursor: datetime
    auto_sync: bool
    create_customers: bool
    default_item: str | None
    deposit_account: str | None
    default_class: str | None
    default_department: str | None
    default_tax_code: str | None
    default_term: str | None
    accepted_cents: int
    assignee: str
    preferences: dict[str, Any] | None
    preferences_read_at: datetime | None


@dataclass(frozen=True, slots=True)
class NewConnection:
    """What is needed to connect a company. `cursor` None starts changes at the connect time."""

    realm: str
    tenant: str
    company_name: str
    time_zone: str
    go_live_date: date
    is_default: bool | None = None
    cursor: datetime | None = None


def company_key(company_name: str, realm: str) -> str:
    """The readable key of a company: its name as a slug and the end of its realm id."""
    slug = re.sub(r"[^a-z0-9]+", "-", company_name.lower()).strip("-")[:40].strip("-")
    return f"{slug or 'company'}-{re.sub(r'[^A-Za-z0-9]', '', realm)[-13:]}"


def add(connection: sa.Connection, new: NewConnection) -> Connection:
    """Connect a company; the tenant's first one becomes its default.

    Raises LedgerError if the company is connected already, to whichever tenant: two tenants on
    one set of books would each count the other's documents as foreign.
    """
    taken = connection.execute(
        sa.select(connections.c.tenant).where(connections.c.realm == new.realm)
    ).scalar_one_or_none()
    if taken is not None:
        raise LedgerError(
            f"QuickBooks company {new.realm} is connected already (tenant {taken}). "
            "One company can serve one tenant only."
        )
    others = connection.execute(
        sa.select(sa.func.count())
        .select_from(connections)
        .where(connections.c.tenant == new.tenant, connections.c.is_default)
    ).scalar_one()
    values: dict[str, Any] = {
        "realm": new.realm,
        "tenant": new.tenant,
        "company": company_key(new.company_name, new.realm),
        "company_name": new.company_name,
        "time_zone": new.time_zone,
        "go_live_date": new.go_live_date,
        "is_default": others == 0 if new.is_default is None else new.is_default,
        "cursor": new.cursor or sa.text("ledger_now()"),
    }
    connection.execute(sa.insert(connections).values(values))
    return get(connection, new.realm)


def every(connection: sa.Connection) -> list[Connection]:
    """All companies, by tenant and name."""
    rows = connection.execute(
        sa.select(*_columns()).order_by(connections.c.tenant, connections.c.company_name)
    )
    return [Connection(**row) for row in rows.mappings()]


def get(connection: sa.Connection, realm_or_company: str) -> Connection:
    """The company with this realm id or key. Raises UnknownRealmError."""
    row = (
        connection.execute(
            sa.select(*_columns()).where(
                sa.or_(
                    connections.c.realm == realm_or_company,
                    connections.c.company == realm_or_company,
                )
            )
        )
        .mappings()
        .one_or_none()
    )
    if row is None:
        raise UnknownRealmError(
            f"No QuickBooks company {realm_or_company!r} is connected. "
            "`qbo-sync connections list` shows those that are."
        )
    return Connection(**row)


def locked(connection: sa.Connection, realm: str) -> Connection:
    """The company as it stands, unchanged by others until the transaction ends."""
    connection.execute(
        sa.select(connections.c.realm).where(connections.c.realm == realm).with_for_update()
    )
    return get(connection, realm)


def update(connection: sa.Connection, realm: str, **values: object) -> None:
    """Set columns of one connection."""
    connection.execute(sa.update(connections).where(connections.c.realm == realm).values(**values))


def notification_targets(connection: sa.Connection, realm: str) -> bytes | None:
    """Where notices of a company go, encrypted; None without targets."""
    stored: bytes | None = connection.execute(
        sa.select(connections.c.notification_targets).where(connections.c.realm == realm)
    ).scalar_one()
    return stored


def forget(connection: sa.Connection, realm: str) -> None:
    """Delete a company with all that belongs to it but the homes of the documents sent there, and
    its audit log.

    A document that was only queued loses its home: another company may have it.
    """
    had_object = sa.exists().where(
        links.c.realm == realm, links.c.algapsa_id == document_homes.c.invoice_id
    )
    was_sent = sa.exists().where(
        postings.c.operation_id == operations.c.operation_id,
        operations.c.realm == realm,
        operations.c.record_id == document_homes.c.invoice_id,
    )
    was_written = sa.exists().where(
        export_batches.c.realm == realm,
        export_batches.c.target == "csv",
        export_batches.c.invoice_ids.op("?")(document_homes.c.invoice_id),
    )
    connection.execute(
        sa.delete(document_homes).where(
            document_homes.c.realm == realm,
            sa.not_(had_object),
            sa.not_(was_sent),
            sa.not_(was_written),
        )
    )
    connection.execute(sa.delete(connections).where(connections.c.realm == realm))


def advance_cursor(connection: sa.Connection, realm: str, to: datetime) -> None:
    """Move the cursor forward, never back: an answer that came late must not rewind it."""
    connection.execute(
        sa.update(connections)
        .where(connections.c.realm == realm, connections.c.cursor < to)
        .values(cursor=to)
    )


def _columns() -> list[sa.Column[Any]]:
    return [connections.c[name] for name in Connection.__slots__]
