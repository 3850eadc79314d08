"""Connecting a QuickBooks company to a tenant, and reconnecting one whose authorization lapsed."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field, replace
from datetime import date, datetime
from zoneinfo import ZoneInfo

import sqlalchemy as sa

from qbo_sync_dagster.actions.errors import ActionRefusedError
from qbo_sync_dagster.actions.values import (
    read_algapsa_id,
    read_label,
    read_quickbooks_id,
    read_time_zone,
)
from qbo_sync_dagster.domain.catalogue import ExceptionKind
from qbo_sync_dagster.domain.connection_notices import EXPIRY_NOTICE
from qbo_sync_dagster.ledger import audit, connections, exceptions, notices, tokens
from qbo_sync_dagster.ledger.connections import Connection
from qbo_sync_dagster.ledger.engine import ledger_now
from qbo_sync_dagster.ledger.errors import UnknownRealmError

_LONGEST_NAME = 200
_CONNECTION_KINDS = (ExceptionKind.CONNECTION_FAILED, ExceptionKind.CONNECTION_EXPIRES)


@dataclass(frozen=True, slots=True)
class CompanyToConnect:
    """What connects a company. `go_live_date` None is today in `time_zone`.

    `refresh_token` is the one that Intuit's OAuth playground or an earlier connection gave;
    `granted` are all tokens of a consent, if that is where it comes from.
    `cursor` is the instant from which changes are polled, None the moment of connecting.
    """

    tenant: str
    realm: str
    company_name: str
    time_zone: str
    refresh_token: str = field(repr=False)
    go_live_date: date | None = None
    cursor: datetime | None = None
    granted: tokens.Tokens | None = field(default=None, repr=False)


@dataclass(frozen=True, slots=True)
class CompanyToPrepare:
    """A company that is not connected yet. `go_live_date` None is today in `time_zone`."""

    tenant: str
    realm: str
    company_name: str
    time_zone: str
    go_live_date: date | None = None


@dataclass(frozen=True, slots=True)
class Connected:
    """What became of it. `kept` names what a reconnected company keeps although other was given;
    `waiting_for` is the tenant's default company if that is another one that is not connected."""

    connection: Connection
    reconnected: bool
    kept: tuple[str, ...] = ()
    waiting_for: str | None = None


def connect_company(
    ledger: sa.Engine, cipher: tokens.TokenCipher, wanted: CompanyToConnect
) -> Connected:
    """Connect a company, or replace the tokens of one that this tenant has connected already.

    Reconnecting keeps links, settings and the cursor, so that the next cycle catches up.
    Raises ActionRefusedError for input that does not hold, LedgerError if another tenant has it.
    """
    checked = _checked(wanted)
    with ledger.begin() as connection:
        standing = _standing(connection, checked.realm)
        if standing is None or standing.tenant != checked.tenant:
            connected = Connected(_connect(connection, checked), reconnected=False)
        else:
            connected = _reconnect(connection, standing, checked)
        fresh = checked.granted or tokens.Tokens(None, None, checked.refresh_token, None)
        notices.forget(connection, checked.realm, EXPIRY_NOTICE)
        tokens.store(connection, checked.realm, fresh, cipher)
        waiting_for = _waiting_for(connection, connected.connection)
    return replace(connected, waiting_for=waiting_for)


def prepare_company(ledger: sa.Engine, wanted: CompanyToPrepare) -> Connection:
    """Enter a company without connecting it: its invoices can be written to files.

    Connecting it later keeps what was entered. Raises ActionRefusedError for input that does not
    hold, LedgerError if it is there already.
    """
    with ledger.begin() as connection:
        added = _add(
            connection,
            CompanyToConnect(
                tenant=read_algapsa_id(wanted.tenant, "The tenant"),
                realm=read_quickbooks_id(wanted.realm, "The realm id"),
                company_name=read_label(wanted.company_name, "The company's name", _LONGEST_NAME),
                time_zone=read_time_zone(wanted.time_zone),
                refresh_token="",
                go_live_date=wanted.go_live_date,
            ),
        )
        connections.update(connection, added.realm, state="disconnected")
        effect = audit.Effect("ledger", "company prepared", added.realm, after=_told(added))
        audit.append(connection, added.realm, [effect])
        return connections.get(connection, added.realm)


def _waiting_for(connection: sa.Connection, company: Connection) -> str | None:
    return next(
        (
            each.company_name
            for each in connections.every(connection)
            if each.tenant == company.tenant and each.is_default and each.state == "disconnected"
        ),
        None,
    )


def _checked(wanted: CompanyToConnect) -> CompanyToConnect:
    token = wanted.refresh_token.strip()
    if not token or not token.isprintable() or " " in token:
        raise ActionRefusedError(
            "The refresh token is empty or damaged. Copy it whole, without spaces or line breaks."
        )
    return CompanyToConnect(
        tenant=read_algapsa_id(wanted.tenant, "The tenant"),
        realm=read_quickbooks_id(wanted.realm, "The realm id"),
        company_name=read_label(wanted.company_name, "The company's name", _LONGEST_NAME),
        time_zone=read_time_zone(wanted.time_zone),
        refresh_token=token,
        go_live_date=wanted.go_live_date,
        cursor=wanted.cursor,
        granted=wanted.granted,
    )


def _standing(connection: sa.Connection, realm: str) -> Connection | None:
    try:
        standing = connections.get(connection, realm)
    except UnknownRealmError:
        return None
    return standing if standing.realm == realm else None


def _connect(connection: sa.Connection, wanted: CompanyToConnect) -> Connection:
    added = _add(connection, wanted)
    effect = audit.Effect("ledger", "company connected", wanted.realm, after=_told(added))
    audit.append(connection, wanted.realm, [effect])
    return added


def _add(connection: sa.Connection, wanted: CompanyToConnect) -> Connection:
    today = ledger_now(connection).astimezone(ZoneInfo(wanted.time_zone)).date()
    return connections.add(
        connection,
        connections.NewConnection(
            realm=wanted.realm,
            tenant=wanted.tenant,
            company_name=wanted.company_name,
            time_zone=wanted.time_zone,
            go_live_date=wanted.go_live_date or today,
            cursor=wanted.cursor,
        ),
    )


def _reconnect(
    connection: sa.Connection, standing: Connection, wanted: CompanyToConnect
) -> Connected:
    connections.update(connection, standing.realm, state="connected")
    exceptions.resolve_others(
        connection, standing.realm, _CONNECTION_KINDS, [], "The company was reconnected."
    )
    before, after = {"state": standing.state}, {"state": "connected"}
    effect = audit.Effect("ledger", "company reconnected", standing.realm, before, after)
    audit.append(connection, standing.realm, [effect])
    return Connected(connections.get(connection, standing.realm), True, _kept(standing, wanted))


def _kept(standing: Connection, wanted: CompanyToConnect) -> tuple[str, ...]:
    pairs = (
        ("name", standing.company_name, wanted.company_name),
        ("time zone", standing.time_zone, wanted.time_zone),
        ("go-live date", standing.go_live_date, wanted.go_live_date or standing.go_live_date),
    )
    return tuple(f"{name} {stands}" for name, stands, given in pairs if stands != given)


def _told(added: Connection) -> dict[str, str | bool]:
    told = asdict(added)
    names = ("tenant", "company", "company_name", "time_zone", "go_live_date", "is_default")
    return {name: told[name] if name == "is_default" else str(told[name]) for name in names}
