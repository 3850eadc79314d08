"""Intuit's query language as values: pure text building, with every value escaped.

What belongs here: what a statement says. What does not: sending it, paging, reading the answer.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from typing import Literal

from qbo_sync_dagster.quickbooks.wire import format_instant

QueryValue = str | bool | int | Decimal | date | datetime
Operator = Literal["=", "<", ">", "<=", ">=", "IN", "LIKE"]

LARGEST_PAGE = 1000
LONGEST_STATEMENT_BYTES = 30_000
LAST_UPDATED = "MetaData.LastUpdatedTime"

# Lists answer with active rows only unless asked; a linked customer made inactive would otherwise
# look deleted.
LISTS_WITH_INACTIVE = frozenset(
    {
        *("Account", "Class", "CompanyCurrency", "Customer", "Department", "Employee", "Item"),
        *("PaymentMethod", "TaxAgency", "TaxCode", "TaxRate", "Term", "Vendor"),
    }
)

_NAME = re.compile(r"[A-Za-z][A-Za-z0-9]*(\.[A-Za-z][A-Za-z0-9]*)*")
_CONTROL = re.compile(r"[\x00-\x1f\x7f]")


@dataclass(frozen=True, slots=True)
class Condition:
    """`field operator value`; `IN` takes several values, every other operator one."""

    field: str
    operator: Operator
    values: tuple[QueryValue, ...]

    def __post_init__(self) -> None:
        _check_name(self.field)
        if not self.values or (self.operator != "IN" and len(self.values) != 1):
            raise ValueError(f"{self.field} {self.operator} cannot take {len(self.values)} values.")


@dataclass(frozen=True, slots=True)
class Query:
    """One page of `entity`. `start` counts from 1, `order_by` names are ascending."""

    entity: str
    where: tuple[Condition, ...] = ()
    order_by: tuple[str, ...] = ("Id",)
    start: int = 1
    limit: int = LARGEST_PAGE

    def __post_init__(self) -> None:
        for name in (self.entity, *self.order_by):
            _check_name(name)
        if self.start < 1 or not 1 <= self.limit <= LARGEST_PAGE:
            raise ValueError("A page starts at 1 or later and holds 1 to 1,000 rows.")


def equals(field: str, value: QueryValue) -> Condition:
    return Condition(field, "=", (value,))


def at_least(field: str, value: QueryValue) -> Condition:
    return Condition(field, ">=", (value,))


def any_of(field: str, values: Sequence[QueryValue]) -> Condition:
    return Condition(field, "IN", tuple(values))


def statement(query: Query) -> str:
    """The query as text, with inactive rows of lists unless a condition speaks of `Active`."""
    parts = [f"SELECT * FROM {query.entity}"]
    if conditions := [*query.where, *_inactive_too(query)]:
        parts.append("WHERE " + " AND ".join(map(_condition, conditions)))
    if query.order_by:
        parts.append("ORDERBY " + ", ".join(f"{name} ASC" for name in query.order_by))
    parts.append(f"STARTPOSITION {query.start} MAXRESULTS {query.limit}")
    return " ".join(parts)


def in_lists(
    entity: str, field: str, values: Sequence[str], where: tuple[Condition, ...] = ()
) -> Iterator[Condition]:
    """`IN` conditions that together hold each value once and keep each statement short enough."""
    fixed = len(statement(Query(entity, where=(*where, any_of(field, [""])))).encode()) + 20
    chunk: list[QueryValue] = []
    size = fixed
    for value in dict.fromkeys(values):
        cost = len(_literal(value).encode()) + 1
        if chunk and (size + cost > LONGEST_STATEMENT_BYTES or len(chunk) == LARGEST_PAGE):
            yield any_of(field, chunk)
            chunk, size = [], fixed
        chunk.append(value)
        size += cost
    if chunk:
        yield any_of(field, chunk)


def _inactive_too(query: Query) -> list[Condition]:
    asked = any(condition.field.lower() == "active" for condition in query.where)
    if asked or query.entity not in LISTS_WITH_INACTIVE:
        return []
    return [any_of("Active", (True, False))]


def _condition(condition: Condition) -> str:
    values = [_literal(value) for value in condition.values]
    right = f"({','.join(values)})" if condition.operator == "IN" else values[0]
    return f"{condition.field} {condition.operator} {right}"


def _literal(value: QueryValue) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, datetime):
        return f"'{format_instant(value)}'"
    if isinstance(value, Decimal):
        return f"'{value:f}'"
    # QuickBooks keeps no control characters, so a value holding one can match nothing; a blank
    # keeps the statement on one line.
    text = _CONTROL.sub(" ", str(value))
    return "'" + text.replace("\\", "\\\\").replace("'", "\\'") + "'"


def _check_name(name: str) -> None:
    if not _NAME.fullmatch(name):
        raise ValueError(f"{name!r} is not a name of QuickBooks' query language.")
