"""Builds AlgaPSA's billing tables from the catalogue of a migrated AlgaPSA.

`columns.psv` and `constraints.psv` are that catalogue: one line per column and per constraint,
each marked with the edition that has it. No table is described in Python.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from importlib import resources
from typing import Literal

import sqlalchemy as sa
from sqlalchemy import Connection, Engine

Edition = Literal["community", "enterprise"]

_UNIQUE_INDEX = "unique index"
_FOREIGN_KEY = "foreign key"
_REFERENCED_TABLE = re.compile(r"REFERENCES (\w+)")
# AlgaPSA has this index without a constraint; a payment feed reads through it.
_PAYMENTS_BY_INVOICE = "CREATE INDEX ON invoice_payments (tenant, invoice_id)"


@dataclass(frozen=True, slots=True)
class Column:
    """One catalogued column; `default` is its SQL expression or empty."""

    table: str
    name: str
    type: str
    nullable: bool
    default: str

    def ddl(self) -> str:
        """The column as it stands inside CREATE TABLE."""
        default = f" DEFAULT {self.default}" if self.default else ""
        return f'"{self.name}" {self.type}{default}{"" if self.nullable else " NOT NULL"}'


@dataclass(frozen=True, slots=True)
class Constraint:
    """One catalogued constraint or unique index, with PostgreSQL's own definition of it."""

    table: str
    kind: str
    definition: str

    def ddl(self) -> str:
        """The statement that adds it to its table."""
        if self.kind == _UNIQUE_INDEX:
            return f'CREATE UNIQUE INDEX ON "{self.table}" USING {self.definition}'
        return f'ALTER TABLE "{self.table}" ADD {self.definition}'


def columns(edition: Edition) -> list[Column]:
    """Every column of the edition, in catalogue order."""
    return [
        Column(table, name, type_, null == "null", default)
        for table, name, type_, null, default in _catalogue("columns.psv", edition, 5)
    ]


def constraints(edition: Edition) -> list[Constraint]:
    """Every constraint of the edition whose tables are all in the catalogue.

    Foreign keys to tables outside it (projects, templates, contracts, ...) are left out: nothing
    that is synchronised writes those columns.
    """
    tables = {column.table for column in columns(edition)}
    found = [Constraint(*fields) for fields in _catalogue("constraints.psv", edition, 3)]
    return [constraint for constraint in found if _referenced(constraint) in {None, *tables}]


def create_schema(target: Engine | str, edition: Edition) -> None:
    """Create all tables of one edition in an empty database, given by engine or DSN."""
    engine = sa.create_engine(target) if isinstance(target, str) else target
    with engine.begin() as connection:
        _create_tables(connection, columns(edition))
        _add_constraints(connection, constraints(edition))
        connection.exec_driver_sql(_PAYMENTS_BY_INVOICE)
    if engine is not target:
        engine.dispose()


def _create_tables(connection: Connection, found: Sequence[Column]) -> None:
    connection.exec_driver_sql("CREATE SEQUENCE knex_migrations_id_seq")
    for table in dict.fromkeys(column.table for column in found):
        body = ", ".join(column.ddl() for column in found if column.table == table)
        connection.exec_driver_sql(f'CREATE TABLE "{table}" ({body})')


def _add_constraints(connection: Connection, found: Sequence[Constraint]) -> None:
    # A foreign key needs the unique key it points at, so all keys come first.
    for constraint in sorted(found, key=lambda each: each.kind == _FOREIGN_KEY):
        connection.exec_driver_sql(constraint.ddl())


def _referenced(constraint: Constraint) -> str | None:
    match = _REFERENCED_TABLE.search(constraint.definition)
    return match.group(1) if match else None


def _catalogue(name: str, edition: Edition, fields: int) -> Iterator[list[str]]:
    text = resources.files(__package__).joinpath(name).read_text(encoding="utf-8")
    for line in text.splitlines()[1:]:
        line_edition, *values = line.split("|", fields)
        if line_edition in {"both", edition}:
            yield values
