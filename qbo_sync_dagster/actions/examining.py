"""The doctor: is everything there that a cycle needs? Asks each side and says so in words."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum

from sqlalchemy.exc import OperationalError

from qbo_sync_dagster.actions.naming import quickbooks_client
from qbo_sync_dagster.algapsa.errors import AlgaPsaError
from qbo_sync_dagster.algapsa.gateway import AlgaPsa
from qbo_sync_dagster.algapsa.preflight import PreflightCode
from qbo_sync_dagster.domain.errors import DomainError
from qbo_sync_dagster.ledger import connections, migrate, tokens
from qbo_sync_dagster.ledger.connections import Connection
from qbo_sync_dagster.ledger.errors import LedgerError
from qbo_sync_dagster.quickbooks.errors import QuickBooksError
from qbo_sync_dagster.sync.engine import SyncEngine

# Asks what does not depend on a tenant, where no company is connected yet.
_NO_TENANT = "00000000-0000-0000-0000-000000000000"
_NOBODYS = "AlgaPSA"


class Verdict(StrEnum):
    """What a finding means for the next cycle."""

    GOOD = "good"
    NOTE = "note"
    PROBLEM = "problem"


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that was looked at. `sentence` says how it stands and, if ill, the cure."""

    subject: str
    verdict: Verdict
    sentence: str


def examine(engine: SyncEngine) -> Iterator[Finding]:
    """Look at the ledger, at AlgaPSA per tenant and at QuickBooks per company, one by one.

    What cannot be asked is a finding, not an error.
    """
    try:
        migrate.require_current(engine.ledger)
        with engine.ledger.connect() as connection:
            companies = connections.every(connection)
    except (LedgerError, OperationalError) as error:
        yield Finding("ledger", Verdict.PROBLEM, _ledger_sentence(error))
        companies = []
    else:
        yield Finding("ledger", Verdict.GOOD, "The ledger is there and up to date.")
        if not companies:
            yield Finding("companies", Verdict.NOTE, _NO_COMPANY)
    yield from _algapsa(engine, companies)
    for company in companies:
        yield _quickbooks(engine, company)


_NO_COMPANY = "No QuickBooks company is connected yet: run `qbo-sync connect`."


def _ledger_sentence(error: LedgerError | OperationalError) -> str:
    if isinstance(error, LedgerError):
        return str(error)
    reason = str(error.orig).strip().split("\n")[0][:200]
    return (
        f"The ledger's database cannot be reached ({reason}). Check that it runs and that "
        "QBO_SYNC_DATABASE_URL names it."
    )


def _algapsa(engine: SyncEngine, companies: Sequence[Connection]) -> Iterator[Finding]:
    zones = {company.tenant: company.time_zone for company in companies} or {_NO_TENANT: "UTC"}
    for tenant, time_zone in zones.items():
        subject = _NOBODYS if tenant == _NO_TENANT else f"AlgaPSA, tenant {tenant}"
        yield from _tenant(AlgaPsa(engine.algapsa, tenant, time_zone), engine, subject)


def _tenant(gateway: AlgaPsa, engine: SyncEngine, subject: str) -> Iterator[Finding]:
    try:
        problems = [
            problem
            for problem in gateway.preflight(_server_now(engine))
            if problem.code is not PreflightCode.UNKNOWN_TENANT or subject != _NOBODYS
        ]
        edition = gateway.edition()
    except AlgaPsaError as error:
        yield Finding(subject, Verdict.PROBLEM, str(error))
        return
    for problem in problems:
        verdict = Verdict.PROBLEM if problem.is_fatal else Verdict.NOTE
        yield Finding(subject, verdict, problem.message)
    if not problems:
        yield Finding(subject, Verdict.GOOD, f"AlgaPSA ({edition.title()} Edition) is ready.")


def _server_now(engine: SyncEngine) -> datetime:
    """The ledger server's clock; this machine's while that cannot be asked."""
    try:
        return engine.clock.server_now()
    except OperationalError:
        return datetime.now(UTC)


def _quickbooks(engine: SyncEngine, company: Connection) -> Finding:
    subject = f"QuickBooks, {company.company}"
    try:
        name = quickbooks_client(engine, company.realm).company_info().name
    except (QuickBooksError, LedgerError, DomainError) as error:
        return Finding(subject, Verdict.PROBLEM, str(error))
    if company.state != "connected":
        return Finding(subject, Verdict.PROBLEM, _state_sentence(company))
    return Finding(
        subject, Verdict.GOOD, f"QuickBooks answers for {name}{_until(engine, company)}."
    )


def _state_sentence(company: Connection) -> str:
    return (
        f"{company.company_name} stands as {company.state!r}, so no cycle runs by itself: "
        f"run `qbo-sync connections reconnect {company.company}`."
    )


def _until(engine: SyncEngine, company: Connection) -> str:
    with engine.ledger.connect() as connection:
        expiry = tokens.refresh_expiry(connection, company.realm)
    return f"; its authorization lasts until {expiry:%Y-%m-%d}" if expiry else ""
