"""Disconnecting a company, which keeps all but its access, and forgetting a disconnected one."""

from __future__ import annotations

from dataclasses import dataclass

import sqlalchemy as sa

from qbo_sync_dagster.actions.errors import ActionRefusedError
from qbo_sync_dagster.domain.catalogue import ExceptionKind
from qbo_sync_dagster.ledger import audit, connections, exceptions, tokens
from qbo_sync_dagster.ledger.connections import Connection
from qbo_sync_dagster.ledger.errors import UnknownRealmError
from qbo_sync_dagster.quickbooks import consent
from qbo_sync_dagster.quickbooks.errors import QuickBooksError
from qbo_sync_dagster.sync.engine import SyncEngine

_CONNECTION_KINDS = (ExceptionKind.CONNECTION_FAILED, ExceptionKind.CONNECTION_EXPIRES)


@dataclass(frozen=True, slots=True)
class Disconnected:
    """What became of it. `not_revoked` says why Intuit still holds the authorization, if it does;
    `still_default` that new documents of the tenant still belong to this company."""

    connection: Connection
    not_revoked: str | None
    still_default: bool


def disconnect_company(engine: SyncEngine, company: str) -> Disconnected:
    """Stop syncing a company and revoke its authorization at Intuit.

    Links, settings, position and partition stay, and other companies go on. It may be repeated
    when Intuit could not be reached. Raises UnknownRealmError.
    """
    with engine.ledger.begin() as connection:
        realm = connections.get(connection, company).realm
        before = connections.locked(connection, realm)
        if before.state != "disconnected":
            _mark(connection, before)
    not_revoked = _revoke(engine, realm)
    with engine.ledger.connect() as connection:
        after = connections.get(connection, realm)
        others = [
            other
            for other in connections.every(connection)
            if other.tenant == after.tenant and other.realm != realm
        ]
    return Disconnected(after, not_revoked, after.is_default and bool(others))


def forget_company(ledger: sa.Engine, company: str) -> Connection:
    """Delete all that the ledger holds of a disconnected company, but for its audit log.

    Which documents went there stays known, too, so that none is sent to another company. Raises
    UnknownRealmError, and ActionRefusedError while it is connected or the default beside others.
    """
    with ledger.begin() as connection:
        found = connections.locked(connection, connections.get(connection, company).realm)
        if found.state != "disconnected":
            raise ActionRefusedError(
                f"{found.company_name} is not disconnected. Disconnect it first: `qbo-sync "
                f"connections disconnect {found.company}`."
            )
        if tokens.stored(connection, found.realm):
            raise ActionRefusedError(
                f"The authorization of {found.company_name} is not revoked at Intuit yet. Run "
                f"`qbo-sync connections disconnect {found.company}` again first."
            )
        _refuse_default(connection, found)
        before = {"company": found.company, "tenant": found.tenant, "state": found.state}
        effect = audit.Effect("ledger", "company forgotten", found.realm, before, None)
        audit.append(connection, found.realm, [effect])
        connections.forget(connection, found.realm)
    return found


def _mark(connection: sa.Connection, company: Connection) -> None:
    connections.update(connection, company.realm, state="disconnected")
    exceptions.resolve_others(
        connection, company.realm, _CONNECTION_KINDS, [], "The company was disconnected."
    )
    before, after = {"state": company.state}, {"state": "disconnected"}
    effect = audit.Effect("ledger", "company disconnected", company.realm, before, after)
    audit.append(connection, company.realm, [effect])


def _revoke(engine: SyncEngine, realm: str) -> str | None:
    """Revoke and forget the tokens; why that was not possible, None when it was."""
    # Under the lock of the tokens: a refresh at this moment would store what outlives the revoked.
    with tokens.TokenVault(engine.ledger, engine.cipher).exclusive(realm) as row:
        try:
            consent.revoke(engine.http, engine.config.quickbooks, row.load().refresh_token)
        except UnknownRealmError:
            return None
        except QuickBooksError as error:
            return str(error)
        row.drop()
    return None


def _refuse_default(connection: sa.Connection, company: Connection) -> None:
    others = [
        other
        for other in connections.every(connection)
        if other.tenant == company.tenant and other.realm != company.realm
    ]
    if company.is_default and others:
        raise ActionRefusedError(
            f"{company.company_name} is the default company of its tenant. Make another one the "
            f"default first: `qbo-sync connections make-default {others[0].company}`."
        )
