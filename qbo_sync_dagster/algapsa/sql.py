"""What all statements on AlgaPSA's database share: snapshots, ids, book dates, faults.

What a statement asks belongs to the module of its subject.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.exc import DBAPIError

from qbo_sync_dagster.algapsa.errors import (
    AlgaPsaBusyError,
    AlgaPsaError,
    AlgaPsaMismatchError,
    AlgaPsaRejectedError,
    AlgaPsaUnreachableError,
)

# Where our own key stands in a payment row's or a mapping's JSON metadata.
METADATA_KEY = "qbo_sync"

# Bounds one statement's parameters, whatever the number of records.
_IDS_A_STATEMENT = 5_000

# Deadlock, lock timeout, serialization, idle in transaction, cancelled statement.
_BUSY = frozenset({"40P01", "55P03", "40001", "25P03", "57014"})


@dataclass(frozen=True, slots=True)
class Snapshot:
    """One moment of AlgaPSA's database, whatever its users do meanwhile."""

    connection: sa.Connection
    source: Source

    def fetch(self, statement: str, **values: object) -> Sequence[sa.Row[Any]]:
        """All rows of a query; `:tenant` and `:time_zone` are bound for it."""
        return self.connection.execute(sa.text(statement), self.source.bind(values)).all()

    def fetch_by_ids(
        self, statement: str, ids: Collection[str], **values: object
    ) -> Iterator[sa.Row[Any]]:
        """Rows of a query over `:ids`, asked in portions. What is no UUID cannot exist there."""
        wanted = uuids(ids)
        for start in range(0, len(wanted), _IDS_A_STATEMENT):
            yield from self.fetch(statement, ids=wanted[start : start + _IDS_A_STATEMENT], **values)

    def pages(self, statement: str, size: int, **values: object) -> Iterator[Sequence[sa.Row[Any]]]:
        """Rows of a query, `size` at a time, read from the server as they are consumed."""
        rows = self.connection.execute(
            sa.text(statement), self.source.bind(values), execution_options={"yield_per": size}
        )
        yield from rows.partitions(size)


@dataclass(frozen=True, slots=True)
class Source:
    """AlgaPSA's database as one connection of ours sees it: a tenant, and where its days begin."""

    engine: sa.Engine
    tenant: str
    time_zone: str

    @contextmanager
    def snapshot(self) -> Iterator[Snapshot]:
        """Reads that all see the same moment. Database faults come out as AlgaPsaError."""
        with translated_faults(), self.engine.connect() as connection:
            options: Any = {"isolation_level": "REPEATABLE READ", "postgresql_readonly": True}
            yield Snapshot(connection.execution_options(**options), self)

    def fetch(self, statement: str, **values: object) -> Sequence[sa.Row[Any]]:
        """All rows of one query in a snapshot of its own."""
        with self.snapshot() as snapshot:
            return snapshot.fetch(statement, **values)

    def bind(self, values: Mapping[str, object]) -> dict[str, object]:
        """The values with those that every statement may name."""
        return {"tenant": self.tenant, "time_zone": self.time_zone, **values}


def book_date(column: str) -> str:
    """SQL for the book date of an instant: at 00:00 UTC AlgaPSA means that date itself."""
    utc = f"({column} AT TIME ZONE 'UTC')"
    local = f"({column} AT TIME ZONE :time_zone)::date"
    return f"CASE WHEN {utc}::time = TIME '00:00' THEN {utc}::date ELSE {local} END"


def uuids(ids: Collection[str]) -> list[str]:
    """The ids that are UUIDs, in PostgreSQL's spelling, each once and in order."""
    return sorted({str(found) for text in ids if (found := _uuid(text))})


def _uuid(text: str) -> UUID | None:
    try:
        return UUID(text)
    except ValueError:
        return None


@contextmanager
def translated_faults() -> Iterator[None]:
    """Turn a database fault into the error of its remedy, without the statement's values."""
    try:
        yield
    except DBAPIError as error:
        raise _translated(error) from error


def _translated(error: DBAPIError) -> AlgaPsaError:
    code = getattr(error.orig, "pgcode", None) or ""
    detail = str(error.orig).strip().split("\n")[0][:200]
    if code in _BUSY:
        return AlgaPsaBusyError(
            f"AlgaPSA's database is busy with the same records ({code}). Nothing was written; "
            "the next cycle tries again."
        )
    if error.connection_invalidated or not code or code.startswith(("08", "57P", "53", "28")):
        return AlgaPsaUnreachableError(
            f"AlgaPSA's database cannot be reached ({detail}). Check that it runs and that "
            "ALGAPSA_DATABASE_URL names it."
        )
    if code.startswith("42"):
        return AlgaPsaMismatchError(
            f"AlgaPSA's database refuses what the sync needs ({code}: {detail}). Run "
            "`qbo-sync doctor` to see which column or grant is missing."
        )
    return AlgaPsaRejectedError(f"AlgaPSA's database refused a record ({code}: {detail}).")
