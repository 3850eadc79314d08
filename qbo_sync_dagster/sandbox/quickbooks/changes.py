"""Change Data Capture: what changed since an instant, with its caps and its stubs.

Belongs here: the change feed. Does not: queries.
"""

from __future__ import annotations

from datetime import datetime, timedelta

from qbo_sync_dagster.sandbox.quickbooks.books import Books
from qbo_sync_dagster.sandbox.quickbooks.entities import ENTITIES, Entity
from qbo_sync_dagster.sandbox.quickbooks.faults import fault, missing
from qbo_sync_dagster.sandbox.quickbooks.wire import encode, parse_instant, second_text

_OLDEST = timedelta(days=30)
_LIVE = """
SELECT body FROM object
WHERE realm = %s AND entity = %s AND updated >= %s AND NOT deleted
ORDER BY updated DESC, number DESC LIMIT %s
"""
_DELETED = """
SELECT id, updated FROM object
WHERE realm = %s AND entity = %s AND updated >= %s AND deleted
ORDER BY updated DESC, number DESC LIMIT %s
"""


def run(books: Books, entities: str | None, changed_since: str | None) -> str:
    """The fragment `"CDCResponse":[...]`. Past the cap objects are left out without a word."""
    if not entities:
        raise missing("entities")
    if not changed_since:
        raise missing("changedSince")
    kinds = [_kind(name.strip()) for name in entities.split(",")]
    since = _since(books, changed_since)
    room = books.switches.cdc_cap
    blocks = []
    for kind in kinds:
        block, count = _block(books, kind, since, room)
        room -= count
        if count or books.switches.empty_cdc_blocks:
            blocks.append(block)
    return f'"CDCResponse":[{{"QueryResponse":[{",".join(blocks)}]}}]'


def _kind(name: str) -> Entity:
    for entity in ENTITIES.values():
        if entity.name.lower() == name.lower() and entity.has_changes:
            return entity
    raise fault("4001", f"{name} is not supported by Change Data Capture", "entities")


def _since(books: Books, text: str) -> datetime:
    try:
        since = parse_instant(text)
    except ValueError as error:
        raise fault("2060", f"changedSince {text[:60]} is not a date-time") from error
    if since < books.now - _OLDEST:
        raise fault("2060", "changedSince must lie within the last 30 days", "changedSince")
    return since


def _block(books: Books, kind: Entity, since: datetime, room: int) -> tuple[str, int]:
    """Live objects, then stubs of deleted ones. A block of stubs has no startPosition."""
    cursor, realm = books.cursor, books.realm.id
    cursor.execute(_LIVE, (realm, kind.name, since, room))
    live = [body for (body,) in cursor.fetchall()]
    cursor.execute(_DELETED, (realm, kind.name, since, room - len(live)))
    rows = [*live, *(_stub(identity, updated) for identity, updated in cursor.fetchall())]
    if not rows:
        return "{}", 0
    start = '"startPosition":1,' if live else ""
    counts = f'{start}"maxResults":{len(rows)},"totalCount":{len(rows)}'
    return f'{{"{kind.name}":[{",".join(rows)}],{counts}}}', len(rows)


def _stub(identity: str, updated: datetime) -> str:
    return encode(
        {
            "domain": "QBO",
            "status": "Deleted",
            "Id": identity,
            "MetaData": {"LastUpdatedTime": second_text(updated)},
        }
    )
