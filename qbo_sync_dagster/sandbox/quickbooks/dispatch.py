"""From the kind of a call to the operation that answers it, as a piece of JSON.

Belongs here: kinds, options and answer fragments. Does not: HTTP, and rules of entities.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from qbo_sync_dagster.sandbox.quickbooks import company, operations
from qbo_sync_dagster.sandbox.quickbooks.books import Books
from qbo_sync_dagster.sandbox.quickbooks.closing import WriteOptions
from qbo_sync_dagster.sandbox.quickbooks.faults import missing, unsupported
from qbo_sync_dagster.sandbox.quickbooks.objects import Record
from qbo_sync_dagster.sandbox.quickbooks.wire import Json, encode

_KNOWN_OPTIONS = ("", "void", "allowduplicatedocnum", "None")
_FROM = re.compile(r"\bfrom\s+(\w+)", re.IGNORECASE)


def kind_of_write(operation: str, includes: Sequence[str], body: Json) -> str:
    """create, update, void or delete, from the URL and the body."""
    if operation in ("delete", "void"):
        return operation
    if operation == "update":
        return "void" if "void" in includes else "update"
    if operation not in ("", "create"):
        raise unsupported(operation[:40])
    return "update" if body.get("Id") and operation == "" else "create"


def write_options(body: Json, includes: Sequence[str]) -> WriteOptions:
    """What the write was sent with; an option that is not modelled is refused."""
    for each in includes:
        if each not in _KNOWN_OPTIONS:
            raise unsupported(f"option {each[:40]}")
    return WriteOptions(
        sparse=body.get("sparse") is True,
        allow_duplicate_number="allowduplicatedocnum" in includes,
    )


def queried_entity(statement: str) -> str:
    """The entity a query names, for logs and rules."""
    found = _FROM.search(statement)
    return found.group(1) if found else ""


def write(books: Books, kind: str, entity: str, body: Json, options: WriteOptions) -> str:
    """Run a write; the fragment `"Invoice":{...}` of its answer."""
    if entity == "TaxCode":
        raise unsupported(f"{kind} of TaxCode")
    if kind == "create":
        if body.get("Id"):
            raise unsupported("create with an Id")
        return shown(operations.create(books, entity, body, options))
    if kind == "update":
        return shown(operations.update(books, entity, body, options))
    if kind == "void":
        return shown(operations.void(books, entity, body, options))
    if kind == "delete":
        identity = operations.delete(books, entity, body, options)
        stub = {"domain": "QBO", "status": "Deleted", "Id": identity}
        return f'"{entity}":{encode(stub)}'
    raise missing("operation")


def read(books: Books, entity: str, identity: str) -> str:
    """Read one object; the fragment of its answer."""
    return shown(operations.read(books, entity, identity))


def read_singleton(books: Books, name: str) -> str:
    """Read Preferences or CompanyInfo."""
    return f'"{name}":{encode(company.singleton(books, name))}'


def shown(record: Record) -> str:
    """An object as the fragment `"Invoice":{...}`."""
    return f'"{record.entity}":{encode(record.as_json())}'
