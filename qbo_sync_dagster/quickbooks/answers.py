"""QuickBooks' envelopes as values: pages, change sets, write and batch answers.

What belongs here: taking an envelope apart. What does not: the fields of an invoice or a payment,
which are read one object at a time, so that a malformed one is refused alone.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from qbo_sync_dagster.quickbooks.wire import encode_body, parse_instant

# More than this never comes in one change answer, so this many means that some are missing.
MOST_CHANGES = 1000
# The version of an object that nobody has saved since it was created.
_UNSAVED = "0"
_PAGE_FIELDS = frozenset({"startposition", "maxresults", "totalcount"})


class EnvelopeError(ValueError):
    """The answer is JSON, but not the envelope that was asked for."""


@dataclass(frozen=True, slots=True)
class RawObject:
    """One object as sent. `sync_token` and most of `payload` are missing on a deleted one.

    An object without a readable Id gets a stand-in made from its content (`unreadable-...`), so
    that it can be parked, and recognised when it comes again.
    """

    entity: str
    id: str
    sync_token: str | None
    deleted: bool
    updated_at: datetime | None
    payload: dict[str, Any]

    @property
    def created_at(self) -> datetime | None:
        """When it was created; None if it does not say so."""
        meta = self.payload.get("MetaData")
        return parse_instant(meta.get("CreateTime")) if isinstance(meta, dict) else None

    @property
    def is_as_created(self) -> bool:
        """Whether nobody has saved it since it was created."""
        return self.sync_token == _UNSAVED


@dataclass(frozen=True, slots=True)
class ChangeSet:
    """A change poll's answer. `time` is when QuickBooks began to answer; not complete = capped."""

    time: datetime
    objects: tuple[RawObject, ...]
    complete: bool


@dataclass(frozen=True, slots=True)
class ChangeSweep:
    """All live objects of one entity changed since an instant; deletions are not among them.

    `time` is the server's time of the first page.
    """

    time: datetime
    objects: tuple[RawObject, ...]


@dataclass(frozen=True, slots=True)
class Page:
    """One page of a query, in the order asked for."""

    objects: tuple[RawObject, ...]
    time: datetime


@dataclass(frozen=True, slots=True)
class WriteAnswer:
    """A write carried out: the object as it now stands (deleted: its stub)."""

    object: RawObject
    time: datetime | None
    intuit_tid: str | None


def raw_object(entity: str, payload: object) -> RawObject:
    """Any element of an answer as a RawObject; nothing an element holds makes this fail."""
    fields = payload if isinstance(payload, dict) else {"unreadable": payload}
    meta = fields.get("MetaData")
    token = fields.get("SyncToken")
    return RawObject(
        entity=entity,
        id=_identifier(fields),
        sync_token=token if isinstance(token, str) and len(token) <= 20 else None,
        deleted=str(fields.get("status")).lower() == "deleted",
        updated_at=parse_instant(meta.get("LastUpdatedTime")) if isinstance(meta, dict) else None,
        payload=fields,
    )


def read_changes(body: Mapping[str, Any]) -> ChangeSet:
    """Raises EnvelopeError unless this is a change answer with its time: an answer that merely
    lacks changes must never pass for "nothing changed"."""
    responses = body.get("CDCResponse")
    if not isinstance(responses, list) or not responses:
        raise EnvelopeError("it holds no CDCResponse")
    objects: list[RawObject] = []
    whole = True
    for response in responses:
        blocks = response.get("QueryResponse") if isinstance(response, dict) else None
        if not isinstance(blocks, list):
            raise EnvelopeError("a CDCResponse holds no QueryResponse")
        for block in blocks:
            found = _block_objects(block)
            whole = whole and _declared(block) <= len(found)
            objects.extend(found)
    complete = whole and len(objects) < MOST_CHANGES
    return ChangeSet(_time(body), tuple(objects), complete)


def read_page(body: Mapping[str, Any]) -> Page:
    """Raises EnvelopeError unless this is a query answer with its time."""
    block = body.get("QueryResponse")
    if not isinstance(block, dict):
        raise EnvelopeError("it holds no QueryResponse")
    return Page(tuple(_block_objects(block)), _time(body))


def read_single(body: Mapping[str, Any], entity: str) -> RawObject:
    """The object of a single-entity envelope or batch item. Raises EnvelopeError without one."""
    found = raw_object(entity, body.get(entity))
    if not isinstance(body.get(entity), dict) or found.id.startswith("unreadable-"):
        raise EnvelopeError(f"it holds no {entity} with an Id")
    return found


def read_batch(body: Mapping[str, Any]) -> dict[str, Mapping[str, Any] | None]:
    """The batch's items by their id; None for an id that was answered twice."""
    listed = body.get("BatchItemResponse")
    if not isinstance(listed, list):
        raise EnvelopeError("it holds no BatchItemResponse")
    items: dict[str, Mapping[str, Any] | None] = {}
    for item in listed:
        if isinstance(item, dict) and isinstance(item.get("bId"), str):
            items[item["bId"]] = None if item["bId"] in items else item
    return items


def answer_time(body: Mapping[str, Any]) -> datetime | None:
    return parse_instant(body.get("time"))


def _time(body: Mapping[str, Any]) -> datetime:
    time = answer_time(body)
    if time is None:
        raise EnvelopeError("it does not say its time")
    return time


def _block_objects(block: object) -> list[RawObject]:
    if not isinstance(block, dict):
        raise EnvelopeError("a QueryResponse is not an object")
    found: list[RawObject] = []
    for entity, rows in block.items():
        if entity.lower() in _PAGE_FIELDS:
            continue
        if entity.lower() == "fault":
            raise EnvelopeError("a part of it is a fault")
        # Singletons such as Preferences have been seen without the list around them.
        found.extend(
            raw_object(entity, row) for row in (rows if isinstance(rows, list) else [rows])
        )
    return found


def _declared(block: Mapping[str, Any]) -> int:
    total = block.get("totalCount")
    return total if isinstance(total, int) else 0


def _identifier(fields: Mapping[str, Any]) -> str:
    value = fields.get("Id")
    if isinstance(value, str) and 0 < len(value) <= 50:
        return value
    if isinstance(value, int) and not isinstance(value, bool):
        return str(value)
    return f"unreadable-{hashlib.sha256(encode_body(fields)).hexdigest()[:16]}"
