"""The table of objects: a record, its row, and the statements that read and write rows.

Belongs here: SQL about objects by key, name or number. Does not: queries and change feeds.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from typing import Any, TypeAlias

from psycopg2.extras import execute_values

from qbo_sync_dagster.sandbox.quickbooks.entities import ENTITIES, Filterable
from qbo_sync_dagster.sandbox.quickbooks.storage import Cursor
from qbo_sync_dagster.sandbox.quickbooks.wire import Json, decode, encode, second_text

Key: TypeAlias = tuple[str, str]

_ENVELOPE = ("domain", "sparse", "Id", "SyncToken", "MetaData")
# Intuit names who changed an invoice last; for the other entities it does not.
_LAST_MODIFIED_BY = {"value": "9130350000000000"}

_LOAD = """
SELECT id, token, deleted, created, updated, hidden, body FROM object
WHERE realm = %s AND entity = %s AND id = ANY(%s)
"""
_BY_NAME = """
SELECT entity, id FROM object
WHERE realm = %s AND pool = %s AND name_key = %s AND NOT deleted LIMIT 1
"""
_BY_NUMBER = """
SELECT entity, id FROM object
WHERE realm = %s AND entity = %s AND lower(doc_number) = lower(%s) AND NOT deleted
"""
_STORE = """
INSERT INTO object (realm, entity, id, number, token, deleted, created, updated, pool, name_key,
                    sort_name, active, doc_number, customer_id, fields, hidden, body)
VALUES %s
ON CONFLICT (realm, entity, id) DO UPDATE SET
    token = excluded.token, deleted = excluded.deleted, updated = excluded.updated,
    name_key = excluded.name_key, sort_name = excluded.sort_name, active = excluded.active,
    doc_number = excluded.doc_number, customer_id = excluded.customer_id,
    fields = excluded.fields, hidden = excluded.hidden, body = excluded.body
"""


@dataclass(frozen=True, slots=True)
class Record:
    """One object. `content` is what a client sees without the envelope; it is never altered in
    place. `hidden` holds facts that the API does not show."""

    entity: str
    id: str
    token: int
    created: datetime
    updated: datetime
    content: Json
    hidden: Json = field(default_factory=dict)
    deleted: bool = False

    @property
    def key(self) -> Key:
        """Entity and id."""
        return self.entity, self.id

    @property
    def pool(self) -> str:
        """The names among which this one must be unique."""
        return ENTITIES[self.entity].pool if self.entity in ENTITIES else "Name"

    @property
    def name(self) -> str | None:
        """DisplayName or Name of a list entity."""
        name = self.content.get("DisplayName") or self.content.get("Name")
        return str(name) if name is not None else None

    @property
    def name_key(self) -> str | None:
        """The name as it is compared."""
        return name_key(self.name) if self.name is not None else None

    @property
    def customer_id(self) -> str | None:
        """The customer of a transaction."""
        reference = self.content.get("CustomerRef")
        return str(reference["value"]) if reference else None

    def amount(self, name: str) -> Decimal:
        """An amount of the object; zero if it has none."""
        return Decimal(self.content.get(name, 0))

    def as_json(self) -> Json:
        """The object as a client sees it."""
        return {
            **self.content,
            "domain": "QBO",
            "sparse": False,
            "Id": self.id,
            "SyncToken": str(self.token),
            "MetaData": self._meta_data(),
        }

    def _meta_data(self) -> Json:
        stamps: Json = {
            "CreateTime": second_text(self.created),
            "LastUpdatedTime": second_text(self.updated),
        }
        if self.entity == "Invoice":
            stamps["LastModifiedByRef"] = _LAST_MODIFIED_BY
        return stamps


def name_key(name: str) -> str:
    """Names are compared without case and outer spaces."""
    return name.strip().lower()


def load(cursor: Cursor, realm: str, entity: str, identities: list[str]) -> list[Record]:
    """The rows of these ids, deleted ones included."""
    if not identities:
        return []
    cursor.execute(_LOAD, (realm, entity, identities))
    return [_record(entity, row) for row in cursor.fetchall()]


def key_by_name(cursor: Cursor, realm: str, pool: str, name: str) -> Key | None:
    """The object that bears a name."""
    cursor.execute(_BY_NAME, (realm, pool, name_key(name)))
    row = cursor.fetchone()
    return (row[0], row[1]) if row else None


def keys_by_number(cursor: Cursor, realm: str, entity: str, number: str) -> list[Key]:
    """The documents that bear a number."""
    cursor.execute(_BY_NUMBER, (realm, entity, number))
    return [(row[0], row[1]) for row in cursor.fetchall()]


def store(cursor: Cursor, realm: str, records: Iterable[Record]) -> None:
    """Insert or overwrite the rows."""
    rows = [_row(realm, record) for record in records]
    if rows:
        execute_values(cursor, _STORE, rows, page_size=500)


def value_at(content: Json, filterable: Filterable) -> object:
    """The value of a property that queries may filter by."""
    value: Any = content
    for step in filterable.path:
        value = value.get(step) if isinstance(value, dict) else None
    return value


def _record(entity: str, row: tuple[Any, ...]) -> Record:
    identity, token, deleted, created, updated, hidden, body = row
    content = decode(body)
    assert isinstance(content, dict)  # noqa: S101  (we wrote it)
    for name in _ENVELOPE:
        content.pop(name, None)
    return Record(entity, identity, token, created, updated, content, hidden, deleted)


def _row(realm: str, record: Record) -> tuple[object, ...]:
    content = record.content
    entity = ENTITIES.get(record.entity)
    filterable = entity.filterable if entity else {}
    fields = {name: value_at(content, each) for name, each in filterable.items()}
    return (
        realm,
        record.entity,
        record.id,
        int(record.id) if record.id.isdecimal() else 0,
        record.token,
        record.deleted,
        record.created,
        record.updated,
        record.pool,
        record.name_key,
        content.get("FullyQualifiedName") or record.name,
        content.get("Active", True),
        content.get("DocNumber"),
        record.customer_id,
        encode(fields),
        encode(record.hidden),
        encode(record.as_json()),
    )
