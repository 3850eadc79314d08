"""The engine: one object that holds what a cycle needs, built once per process.

The only way to wire, for Dagster, the CLI, benchmarks and tests alike. Nothing here decides.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

import sqlalchemy as sa

from qbo_sync_dagster.algapsa.gateway import AlgaPsa
from qbo_sync_dagster.ledger import tokens as token_vault
from qbo_sync_dagster.ledger.connections import Connection
from qbo_sync_dagster.ledger.engine import LedgerClock, create_ledger_engine, ping_after_rest
from qbo_sync_dagster.ledger.errors import UnknownRealmError
from qbo_sync_dagster.quickbooks.client import QuickBooksClient
from qbo_sync_dagster.quickbooks.errors import ConnectionDeadError
from qbo_sync_dagster.quickbooks.oauth import StoredTokens, TokenSource
from qbo_sync_dagster.quickbooks.pace import INTUIT_LIMITS, Limit, Pacer
from qbo_sync_dagster.quickbooks.settings import QuickBooksSettings
from qbo_sync_dagster.quickbooks.transport import new_http_client


@dataclass(frozen=True, slots=True)
class EngineConfig:
    """What the engine is built from. `posting_budget_seconds` is the time stage 5 may take up to,
    counted from the start of the run."""

    ledger_url: str
    algapsa_url: str
    secret_key: str = field(repr=False)
    quickbooks: QuickBooksSettings
    posting_budget_seconds: float = 660.0


class LockedTokenRow:
    """The ledger's locked token row, as the QuickBooks gateway wants it."""

    def __init__(self, row: token_vault.TokenRow) -> None:
        self._row = row

    @property
    def current(self) -> StoredTokens:
        """The tokens as stored. Raises ConnectionDeadError if there are none any more."""
        try:
            stored = self._row.load()
        except UnknownRealmError as error:
            raise ConnectionDeadError(str(error)) from error
        return StoredTokens(
            access_token=stored.access_token,
            access_expires_at=stored.access_expires_at,
            refresh_token=stored.refresh_token,
            refresh_expires_at=stored.refresh_expires_at,
        )

    def save(self, new: StoredTokens) -> None:
        """Store rotated tokens."""
        self._row.save(
            token_vault.Tokens(
                new.access_token,
                new.access_expires_at,
                new.refresh_token,
                new.refresh_expires_at,
            )
        )


class LedgerTokenStore:
    """The QuickBooks gateway's token store on the ledger."""

    def __init__(self, vault: token_vault.TokenVault) -> None:
        self._vault = vault

    @contextmanager
    def exclusive(self, realm: str) -> Iterator[LockedTokenRow]:
        """A lock on one company's tokens."""
        with self._vault.exclusive(realm) as row:
            yield LockedTokenRow(row)


class SyncEngine:
    """Gateways, ledger, clock and pace of one process. Close it when done.

    `limits` are what each company is paced to; only benchmarks give others than Intuit's.
    """

    def __init__(
        self,
        config: EngineConfig,
        *,
        sleep: Callable[[float], None] = time.sleep,
        monotonic: Callable[[], float] = time.monotonic,
        limits: tuple[Limit, ...] = INTUIT_LIMITS,
    ) -> None:
        self.config = config
        self.sleep = sleep
        self.monotonic = monotonic
        self.ledger = create_ledger_engine(config.ledger_url)
        self.ledger_reads = create_ledger_engine(config.ledger_url, only_reads=True)
        self.algapsa = sa.create_engine(
            _with_driver(config.algapsa_url), pool_size=3, hide_parameters=True
        )
        ping_after_rest(self.algapsa)
        self.cipher = token_vault.TokenCipher(config.secret_key)
        self.clock = LedgerClock(self.ledger_reads)
        self.http = new_http_client(config.quickbooks)
        self.tokens = TokenSource(
            LedgerTokenStore(token_vault.TokenVault(self.ledger, self.cipher)),
            self.http,
            config.quickbooks,
            self.now,
        )
        self._limits = limits
        self._pacers: dict[str, Pacer] = {}

    def now(self) -> datetime:
        """The current instant on the ledger's clock, UTC."""
        return self.clock.now()

    def pacer(self, realm: str) -> Pacer:
        """The company's pace, shared by all its clients in this process."""
        if realm not in self._pacers:
            self._pacers[realm] = Pacer(self.monotonic, self.sleep, self._limits)
        return self._pacers[realm]

    def open_quickbooks(self, realm: str, **hooks: Any) -> QuickBooksClient:  # noqa: ANN401
        """The company at QuickBooks, at its own pace; `hooks` as the client takes them."""
        return QuickBooksClient(
            self.config.quickbooks,
            self.tokens,
            realm,
            http=self.http,
            pace=self.pacer(realm),
            clock=self.monotonic,
            sleep=self.sleep,
            **hooks,
        )

    def open_algapsa(self, company: Connection) -> AlgaPsa:
        """The company's tenant in AlgaPSA."""
        return AlgaPsa(self.algapsa, company.tenant, company.time_zone)

    def close(self) -> None:
        """Give connections back."""
        self.http.close()
        self.ledger.dispose()
        self.ledger_reads.dispose()
        self.algapsa.dispose()

    def __enter__(self) -> SyncEngine:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def open_engine(config: EngineConfig) -> SyncEngine:
    """The engine for these settings; connects to nothing yet."""
    return SyncEngine(config)


def _with_driver(url: str) -> sa.URL:
    parsed = sa.make_url(url)
    if parsed.drivername in ("postgresql", "postgres"):
        parsed = parsed.set(drivername="postgresql+psycopg2")
    return parsed
