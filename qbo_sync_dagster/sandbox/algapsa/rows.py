"""Rows in and out of the demo AlgaPSA's tables, always in bulk and always typed by PostgreSQL.

What stands in which column is the callers' matter.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from datetime import UTC, date, datetime, time
from typing import Any
from uuid import UUID, uuid5

import sqlalchemy as sa
from sqlalchemy import Connection, Row

# Bounds the size of one statement, whatever the number of invoices.
_CHUNK = 5_000


def insert_rows(connection: Connection, table: str, rows: Sequence[Mapping[str, object]]) -> None:
    """Insert rows that all name the same columns; columns not named take the table's default."""
    if not rows:
        return
    names = ", ".join(f'"{name}"' for name in rows[0])
    statement = sa.text(
        f"INSERT INTO {table} ({names})"
        f" SELECT {names} FROM jsonb_populate_recordset(NULL::{table}, CAST(:rows AS jsonb))"
    )
    for start in range(0, len(rows), _CHUNK):
        chunk = [dict(row) for row in rows[start : start + _CHUNK]]
        connection.execute(statement, {"rows": json.dumps(chunk, default=str)})


def fetch(connection: Connection, statement: str, **values: object) -> Sequence[Row[Any]]:
    """All rows of a query with named parameters."""
    return connection.execute(sa.text(statement), values).all()


def fetch_one(connection: Connection, statement: str, **values: object) -> Row[Any]:
    """The one row of a query; raises sqlalchemy's NoResultFound without it."""
    return connection.execute(sa.text(statement), values).one()


def run(connection: Connection, statement: str, **values: object) -> int:
    """Run a statement with named parameters and return the number of rows it touched."""
    return connection.execute(sa.text(statement), values).rowcount


def derived_id(owner: str, role: str) -> str:
    """The id of a row that a record has exactly one of, so that seeded worlds repeat."""
    return str(uuid5(UUID(owner), role))


def midnight(day: date) -> datetime:
    """The instant by which AlgaPSA stores a date: midnight UTC."""
    return datetime.combine(day, time(), UTC)
