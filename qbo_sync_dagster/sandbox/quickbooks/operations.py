"""One operation on one object, the same for a single call, a batch item and a bookkeeper.

Belongs here: which entity can do what, ids and SyncTokens. Does not: HTTP.
"""

from __future__ import annotations

from dataclasses import replace

from qbo_sync_dagster.sandbox.quickbooks import customers, documents, lists, payments
from qbo_sync_dagster.sandbox.quickbooks.books import NOTHING_GIVEN, Books, Given
from qbo_sync_dagster.sandbox.quickbooks.closing import WriteOptions
from qbo_sync_dagster.sandbox.quickbooks.entities import NAME_HOLDERS
from qbo_sync_dagster.sandbox.quickbooks.faults import fault, missing, not_found, unsupported
from qbo_sync_dagster.sandbox.quickbooks.objects import Record
from qbo_sync_dagster.sandbox.quickbooks.references import name_is_free
from qbo_sync_dagster.sandbox.quickbooks.schema import COMMON, Schema, clean, text
from qbo_sync_dagster.sandbox.quickbooks.wire import Json

_DOCUMENTS = ("Invoice", "CreditMemo")
_HOLDER: Schema = {**COMMON, "DisplayName": text(500)}


def read(books: Books, entity: str, identity: str) -> Record:
    """The object; 610 if there is none, 2030 for what cannot be an id."""
    if not identity.isalnum():
        raise fault("2030", f"Invalid Id : {identity[:50]}", "Id")
    record = books.get(entity, identity)
    if record is None:
        raise not_found()
    return record


def create(
    books: Books, entity: str, body: Json, options: WriteOptions, given: Given = NOTHING_GIVEN
) -> Record:
    """A new object; `given` is for seeding only."""
    accepted = clean(_schema(entity), body, entity)
    if entity in _DOCUMENTS:
        record = documents.create(books, entity, accepted, options, given)
    elif entity == "Payment":
        record = payments.create(books, accepted, options, given)
    else:
        record = books.add(entity, _list_content(books, entity, accepted, None), given)
    books.settle()
    return _fresh(books, record)


def update(books: Books, entity: str, body: Json, options: WriteOptions) -> Record:
    """The object with other content."""
    record = current(books, entity, body)
    accepted = clean(_schema(entity), body, entity)
    if entity in _DOCUMENTS:
        record = documents.update(books, record, accepted, options)
    elif entity == "Payment":
        record = payments.update(books, record, accepted, options)
    else:
        record = _update_list(books, record, accepted, options)
    books.settle()
    return _fresh(books, record)


def void(books: Books, entity: str, body: Json, options: WriteOptions) -> Record:
    """The transaction at zero."""
    record = current(books, entity, body)
    if entity == "Payment":
        record = payments.void(books, record, options)
    elif entity in _DOCUMENTS:
        record = documents.void(books, record, options)
    else:
        raise unsupported(f"void of {entity}")
    books.settle()
    return _fresh(books, record)


def delete(books: Books, entity: str, body: Json, options: WriteOptions) -> str:
    """Delete a transaction; the id that is gone."""
    if entity != "Payment" and entity not in _DOCUMENTS:
        raise unsupported(f"delete of {entity}")
    record = current(books, entity, body)
    if entity == "Payment":
        payments.delete(books, record, options)
    else:
        documents.delete(books, record, options)
    books.settle()
    return record.id


def current(books: Books, entity: str, body: Json) -> Record:
    """The object a write is about, if the writer has seen its newest version."""
    for name in ("Id", "SyncToken"):
        if not isinstance(body.get(name), str):
            raise missing(name)
    record = read(books, entity, body["Id"])
    if body["SyncToken"] != str(record.token):
        detail = "You and another user were working on this at the same time. The other user "
        raise fault(
            "5010",
            f"Stale Object Error : {detail}finished before you did, so your work was not saved.",
        )
    return record


def reserve_name(books: Books, entity: str, body: Json) -> Record:
    """A vendor or employee, of whom this sandbox knows the name only."""
    if entity not in NAME_HOLDERS:
        raise unsupported(entity)
    accepted = clean(_HOLDER, body, entity)
    name_is_free(books, "Name", accepted["DisplayName"], None)
    return books.add(entity, accepted)


def _schema(entity: str) -> Schema:
    if entity in _DOCUMENTS:
        return documents.SCHEMAS[entity]
    if entity == "Customer":
        return customers.SCHEMA
    return payments.SCHEMA if entity == "Payment" else lists.KINDS[entity].schema


def _list_content(books: Books, entity: str, accepted: Json, before: Record | None) -> Json:
    if entity == "Customer":
        return customers.build(books, accepted, before)
    return lists.build(books, entity, accepted, before)


def _update_list(books: Books, record: Record, accepted: Json, options: WriteOptions) -> Record:
    if record.entity == "TaxCode":
        raise unsupported("update of TaxCode")
    writable = _schema(record.entity)
    kept = {n: v for n, v in record.content.items() if writable.get(n) is not None}
    wanted = {**kept, **accepted} if options.sparse else accepted
    return books.change(record, _list_content(books, record.entity, wanted, record))


def _fresh(books: Books, record: Record) -> Record:
    """The object after everything that its own write set in motion."""
    return books.get(record.entity, record.id) or replace(record)
