"""Dagster's access to the engine: a thin wrapper that opens it, closes it, and speaks plainly.

What belongs here: opening and closing, and faults of the set-up in words. What does not: any
decision. The engine is imported when it is first opened: definitions load without it.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

import dagster as dg
import sqlalchemy as sa
from sqlalchemy.exc import OperationalError, ProgrammingError

from qbo_sync_dagster.ledger.engine import create_ledger_engine
from qbo_sync_dagster.ledger.errors import LedgerError

if TYPE_CHECKING:
    from qbo_sync_dagster.settings import Settings
    from qbo_sync_dagster.sync.engine import SyncEngine

_UNDEFINED_TABLE = "42P01"


class SyncEngineResource(dg.ConfigurableResource[None]):
    """The sync engine, built from the environment when it is first needed."""

    @contextmanager
    def engine(self) -> Iterator[SyncEngine]:
        """The engine with its gateways; closed at the end. Raises dg.Failure with the cure."""
        from qbo_sync_dagster.sync.engine import open_engine  # noqa: PLC0415 - heavy

        with _in_words(), open_engine(_settings().engine_config()) as engine:
            yield engine

    @contextmanager
    def ledger(self) -> Iterator[sa.Engine]:
        """The ledger alone: what sensors ask every few seconds. Raises dg.Failure."""
        with _in_words():
            ledger = create_ledger_engine(_settings().ledger(), pool_size=1)
            try:
                yield ledger
            finally:
                ledger.dispose()


def _settings() -> Settings:
    from qbo_sync_dagster.settings import Settings  # noqa: PLC0415 - heavy

    return Settings()


@contextmanager
def _in_words() -> Iterator[None]:
    """Turn faults of the set-up into one sentence each; everything else passes as it is."""
    from qbo_sync_dagster.settings import SettingError  # noqa: PLC0415 - heavy

    try:
        yield
    except (SettingError, LedgerError) as error:
        raise _failure(str(error)) from error
    except OperationalError as error:
        raise _failure(
            f"A database can't be reached ({_first_line(error)}). Check that PostgreSQL runs and "
            "that QBO_SYNC_DATABASE_URL and ALGAPSA_DATABASE_URL are right."
        ) from error
    except ProgrammingError as error:
        if getattr(error.orig, "pgcode", None) != _UNDEFINED_TABLE:
            raise
        raise _failure(
            f"A table is missing ({_first_line(error)}). Run `qbo-sync migrate`."
        ) from error


def _first_line(error: OperationalError | ProgrammingError) -> str:
    return str(error.orig).strip().split("\n")[0][:200]


def _failure(sentence: str) -> dg.Failure:
    return dg.Failure(sentence, allow_retries=False)
