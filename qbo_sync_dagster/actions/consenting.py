"""Connecting with a consent given at Intuit instead of a refresh token copied by hand."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date

from qbo_sync_dagster.actions.connecting import CompanyToConnect, Connected, connect_company
from qbo_sync_dagster.actions.errors import ActionRefusedError
from qbo_sync_dagster.ledger import connections
from qbo_sync_dagster.ledger.connections import Connection
from qbo_sync_dagster.ledger.tokens import Tokens
from qbo_sync_dagster.quickbooks import consent
from qbo_sync_dagster.quickbooks.client import QuickBooksClient
from qbo_sync_dagster.quickbooks.oauth import StoredTokens, TokenSource
from qbo_sync_dagster.sync.engine import SyncEngine


@dataclass(frozen=True, slots=True)
class CompanyToAdd:
    """What connects a company beside the consent. Without a name it is called as QuickBooks
    calls it; `go_live_date` None is today in `time_zone`."""

    tenant: str
    time_zone: str
    company_name: str | None = None
    go_live_date: date | None = None


def connect_with_consent(
    engine: SyncEngine, request: consent.ConsentRequest, query: str, wanted: CompanyToAdd
) -> Connected:
    """Connect the company that somebody chose at Intuit; `query` is what came back.

    Raises ConsentError, ActionRefusedError, LedgerError if another tenant has the company,
    QuickBooksError.
    """
    answer = consent.read_answer(query, request)
    tokens = _exchange(engine, request, answer)
    name = wanted.company_name or _company_name(engine, answer.realm, tokens)
    return connect_company(
        engine.ledger,
        engine.cipher,
        CompanyToConnect(
            tenant=wanted.tenant,
            realm=answer.realm,
            company_name=name,
            time_zone=wanted.time_zone,
            go_live_date=wanted.go_live_date,
            refresh_token=tokens.refresh_token,
            granted=_granted(tokens),
        ),
    )


def reconnect_with_consent(
    engine: SyncEngine, company: Connection, request: consent.ConsentRequest, query: str
) -> Connected:
    """Replace the tokens of a company; links, settings and position stay.

    Raises ActionRefusedError if another company was chosen at Intuit, ConsentError,
    QuickBooksError.
    """
    answer = consent.read_answer(query, request)
    if answer.realm != company.realm:
        raise ActionRefusedError(
            f"At Intuit another company was chosen ({answer.realm}) than {company.company_name} "
            f"({company.realm}). Nothing was changed; run this again and choose the right one."
        )
    tokens = _exchange(engine, request, answer)
    return connect_company(
        engine.ledger,
        engine.cipher,
        CompanyToConnect(
            tenant=company.tenant,
            realm=company.realm,
            company_name=company.company_name,
            time_zone=company.time_zone,
            refresh_token=tokens.refresh_token,
            granted=_granted(tokens),
        ),
    )


def company_to_reconnect(engine: SyncEngine, company: str) -> Connection:
    """The company (its key or realm id). Raises UnknownRealmError."""
    with engine.ledger.connect() as connection:
        return connections.get(connection, company)


def _exchange(
    engine: SyncEngine, request: consent.ConsentRequest, answer: consent.ConsentAnswer
) -> StoredTokens:
    return consent.exchange(engine.http, engine.config.quickbooks, request, answer, engine.now())


def _granted(tokens: StoredTokens) -> Tokens:
    return Tokens(
        access_token=tokens.access_token,
        access_expires_at=tokens.access_expires_at,
        refresh_token=tokens.refresh_token,
        refresh_expires_at=tokens.refresh_expires_at,
    )


class _FreshTokens:
    """The tokens of a company that the ledger does not know yet."""

    def __init__(self, tokens: StoredTokens) -> None:
        self.current = tokens

    def save(self, new: StoredTokens) -> None:
        """Never asked for: they are an hour from their end."""
        raise AssertionError(new)

    @contextmanager
    def exclusive(self, _realm: str) -> Iterator[_FreshTokens]:
        """Nobody else has them."""
        yield self


def _company_name(engine: SyncEngine, realm: str, tokens: StoredTokens) -> str:
    quickbooks = engine.config.quickbooks
    source = TokenSource(_FreshTokens(tokens), engine.http, quickbooks, engine.now)
    client = QuickBooksClient(
        quickbooks,
        source,
        realm,
        http=engine.http,
        pace=engine.pacer(realm),
        clock=engine.monotonic,
        sleep=engine.sleep,
    )
    return client.company_info().name
