"""Answering queries from the table of objects.

Belongs here: from a statement to SQL and its envelope. Does not: grammar.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from typing import Any

from qbo_sync_dagster.sandbox.quickbooks import company
from qbo_sync_dagster.sandbox.quickbooks.books import Books
from qbo_sync_dagster.sandbox.quickbooks.entities import ENTITIES, SINGLETONS, Entity
from qbo_sync_dagster.sandbox.quickbooks.faults import ApiFault, fault
from qbo_sync_dagster.sandbox.quickbooks.query_language import (
    Condition,
    Order,
    Statement,
    parse,
)
from qbo_sync_dagster.sandbox.quickbooks.wire import Json, decode, encode, parse_instant

_COLUMNS = {
    "id": ("id", "id"),
    "metadata.createtime": ("created", "instant"),
    "metadata.lastupdatedtime": ("updated", "instant"),
    "docnumber": ("lower(doc_number)", "text"),
    "customerref": ("customer_id", "id"),
}
_SQL_TYPES = {"numeric": "numeric", "date": "date", "boolean": "boolean"}


@dataclass(frozen=True, slots=True)
class _Expression:
    sql: str
    type: str


def run(books: Books, text: str) -> str:
    """The fragment `"QueryResponse":{...}` that answers the query."""
    statement = parse(text)
    if singleton := _singleton(statement.entity):
        body = encode(company.singleton(books, singleton))
        return f'"QueryResponse":{{"{singleton}":[{body}],"maxResults":1}}'
    entity = _entity(statement.entity)
    condition, values = _where(books, entity, statement.where)
    if statement.is_count:
        return f'"QueryResponse":{{"totalCount":{_count(books, condition, values)}}}'
    bodies = _page(books, entity, statement, condition, values)
    if not bodies:
        return '"QueryResponse":{}'
    if statement.properties:
        bodies = [_projected(body, statement.properties) for body in bodies]
    total = ""
    if entity.has_total_count:
        count = _total(books, statement, condition, values, len(bodies))
        total = f',"totalCount":{count}'
    counts = f'"startPosition":{statement.start},"maxResults":{len(bodies)}{total}'
    return f'"QueryResponse":{{"{entity.name}":[{",".join(bodies)}],{counts}}}'


def _singleton(name: str) -> str | None:
    return next((each for each in SINGLETONS if each.lower() == name.lower()), None)


def _entity(name: str) -> Entity:
    for entity in ENTITIES.values():
        if entity.name.lower() == name.lower():
            return entity
    raise fault("4001", f"QueryValidationError: invalid context declaration: {name}")


def _where(
    books: Books, entity: Entity, conditions: Sequence[Condition]
) -> tuple[str, list[object]]:
    parts = ["realm = %s AND entity = %s AND NOT deleted"]
    values: list[object] = [books.realm.id, entity.name]
    for condition in conditions:
        part, bound = _condition(books, entity, condition)
        parts.append(part)
        values.extend(bound)
    names_active = any(each.property.lower() == "active" for each in conditions)
    if not entity.is_transaction and not names_active:
        parts.append("active")
    return " AND ".join(parts), values


def _condition(books: Books, entity: Entity, condition: Condition) -> tuple[str, list[object]]:
    expression = _expression(entity, condition.property)
    bound = [_bound(books, expression, condition, each) for each in condition.values]
    if expression.sql == "id" and condition.operator not in {"=", "IN"}:
        raise fault("4001", f"QueryValidationError: Id does not support {condition.operator}")
    if condition.operator == "IN":
        return f"{expression.sql} = ANY(%s)", [bound]
    if condition.operator == "LIKE":
        if expression.type != "text":
            raise fault("4001", f"QueryValidationError: {condition.property} does not support LIKE")
        return f"{expression.sql} LIKE %s", [_pattern(condition.values[0])]
    return f"{expression.sql} {condition.operator} %s", bound


def _expression(entity: Entity, name: str) -> _Expression:
    key = name.lower()
    if key == "active" and "active" in entity.filterable:
        return _Expression("active", "boolean")
    known_column = key.startswith("metadata.") or key == "id" or key in entity.filterable
    if key in _COLUMNS and known_column:
        return _Expression(*_COLUMNS[key])
    if key not in entity.filterable:
        raise fault("4001", f"QueryValidationError: Property {name} not found for Entity "
                    f"{entity.name}")  # fmt: skip
    kind = entity.filterable[key].type
    if kind in _SQL_TYPES:
        return _Expression(f"(fields ->> '{key}')::{_SQL_TYPES[kind]}", kind)
    return _Expression(f"lower(fields ->> '{key}')", "text")


def _bound(books: Books, expression: _Expression, condition: Condition, value: str) -> object:
    try:
        return _typed(books, expression.type, value)
    except (ValueError, ArithmeticError) as error:
        detail = f"QueryValidationError: {condition.property} cannot be compared with {value[:60]}"
        raise fault("4001", detail) from error


def _typed(books: Books, kind: str, value: str) -> object:
    if value.lower() == "current_date":
        value = books.today.isoformat()
    if kind == "instant":
        return parse_instant(value)
    if kind == "date":
        return date.fromisoformat(value[:10])
    if kind == "numeric":
        return Decimal(value)
    if kind == "boolean":
        return {"true": True, "false": False}[value.lower()] if value else False
    return value if kind == "id" else value.lower()


def _pattern(value: str) -> str:
    return value.lower().replace("\\", "\\\\").replace("_", "\\_")


def _page(
    books: Books, entity: Entity, statement: Statement, condition: str, values: list[object]
) -> list[str]:
    order = _order(entity, statement.order)
    sql = f"SELECT body FROM object WHERE {condition} ORDER BY {order} LIMIT %s OFFSET %s"
    books.cursor.execute(sql, (*values, statement.page, statement.start - 1))
    return [body for (body,) in books.cursor.fetchall()]


def _order(entity: Entity, wanted: Sequence[Order]) -> str:
    """Without ORDERBY transactions come newest first and lists by name, as recorded."""
    if not wanted:
        return "updated DESC, number DESC" if entity.is_transaction else "sort_name, number"
    parts = []
    for each in wanted:
        sql = _expression(entity, each.property).sql
        sql = "number" if sql == "id" else sql
        parts.append(f"{sql} DESC" if each.descending else sql)
    return ", ".join([*parts, "number"])


def _total(
    books: Books, statement: Statement, condition: str, values: list[object], rows: int
) -> int:
    """A first page that is not full needs no counting."""
    if statement.start == 1 and rows < statement.page:
        return rows
    return _count(books, condition, values)


def _count(books: Books, condition: str, values: list[object]) -> int:
    books.cursor.execute(f"SELECT count(*) FROM object WHERE {condition}", values)
    (count,) = books.cursor.fetchone()
    return int(count)


def _projected(body: str, names: Sequence[str]) -> str:
    """Only the properties that were named, with the envelope that Intuit keeps."""
    full: Any = decode(body)
    spelled = {name.lower(): name for name in full}
    kept: Json = {}
    for name in names:
        first, *rest = name.split(".")
        if first.lower() not in spelled:
            continue
        own = spelled[first.lower()]
        value = full[own]
        if rest and isinstance(value, dict):
            inner = {k: v for k, v in value.items() if k.lower() == rest[0].lower()}
            value = {**kept.get(own, {}), **inner}
        kept[own] = value
    return encode({**kept, "domain": "QBO", "sparse": True, "Id": full["Id"]})


def refused_statement() -> ApiFault:
    """A query posted as anything but application/text is not even read."""
    return fault("4000", "QueryParserError: null")
