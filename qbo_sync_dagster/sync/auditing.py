"""Verifying the audit logs of companies, forgotten ones included."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import sqlalchemy as sa

from qbo_sync_dagster.ledger import audit, connections
from qbo_sync_dagster.ledger.audit import Head
from qbo_sync_dagster.ledger.errors import UnknownRealmError


@dataclass(frozen=True, slots=True)
class Audited:
    """One company's audit log: how many rows hold together, the digest of the last of them, and
    what is wrong with the next, if anything is."""

    realm: str
    company_name: str
    rows: int
    digest: str
    first_broken_row: int | None
    problem: str | None


def verify_logs(
    ledger: sa.Engine, company: str | None = None, seen: Head | None = None
) -> Iterator[Audited]:
    """Follow the audit log of one company, or of each. `seen` is a head shown earlier, of one.

    Raises UnknownRealmError for a company that has neither a connection nor a log.
    """
    with ledger.connect() as connection:
        names = {each.realm: each.company_name for each in connections.every(connection)}
        logged = audit.audited_realms(connection)
        realms = [_realm(connection, company, logged)] if company else sorted({*logged, *names})
    for realm in realms:
        # A session of its own: between two logs the caller may be busy for as long as it likes.
        with ledger.connect() as connection:
            verified = audit.verify(connection, realm, seen)
        yield _audited(realm, names.get(realm, "a forgotten company"), verified)


def _audited(realm: str, company_name: str, verified: audit.Verified) -> Audited:
    broken = verified.broken
    return Audited(
        realm,
        company_name,
        verified.last.sequence,
        verified.last.digest,
        broken.sequence if broken else None,
        broken.sentence if broken else None,
    )


def _realm(connection: sa.Connection, company: str, logged: list[str]) -> str:
    try:
        return connections.get(connection, company).realm
    except UnknownRealmError:
        if company not in logged:
            raise
        return company
