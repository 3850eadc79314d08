"""Opening what commands work with, from the environment: the ledger alone, or the whole engine."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import sqlalchemy as sa
from pydantic import SecretStr
from sqlalchemy.exc import ArgumentError

from qbo_sync_dagster.cli.errors import CommandError
from qbo_sync_dagster.ledger import migrate
from qbo_sync_dagster.ledger.engine import create_ledger_engine
from qbo_sync_dagster.settings import Settings
from qbo_sync_dagster.sync.engine import SyncEngine, open_engine


def read_settings() -> Settings:
    """The settings. Raises CommandError for a database address that is none."""
    settings = Settings()
    _check_address("QBO_SYNC_DATABASE_URL", settings.ledger_url)
    _check_address("ALGAPSA_DATABASE_URL", settings.algapsa_url)
    return settings


@contextmanager
def opened_ledger(*, migrated: bool = True) -> Iterator[sa.Engine]:
    """The ledger. Raises LedgerNotMigratedError unless its tables fit (or need not)."""
    engine = create_ledger_engine(read_settings().ledger())
    try:
        if migrated:
            migrate.require_current(engine)
        yield engine
    finally:
        engine.dispose()


@contextmanager
def opened_engine(*, migrated: bool = True) -> Iterator[SyncEngine]:
    """The engine with both gateways. Raises LedgerNotMigratedError like `opened_ledger`."""
    with open_engine(read_settings().engine_config()) as engine:
        if migrated:
            migrate.require_current(engine.ledger)
        yield engine


def _check_address(name: str, value: SecretStr | None) -> None:
    example = "postgresql://user@host:5432/database"
    try:
        parsed = sa.make_url(value.get_secret_value()) if value else None
    except (ArgumentError, ValueError) as error:
        raise CommandError(f"{name} is not a database address. It looks like {example}.") from error
    if parsed is not None and not parsed.drivername.startswith("postgres"):
        raise CommandError(f"{name} must name a PostgreSQL database. It looks like {example}.")
