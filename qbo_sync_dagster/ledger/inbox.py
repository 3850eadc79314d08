"""The inbox: every change that QuickBooks reported, stored raw before anything is done with it."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import JSONB, Insert, insert

from qbo_sync_dagster.ledger.tables import inbound_changes, links

UNSETTLED = ("received", "parked")


@dataclass(frozen=True, slots=True)
class Change:
    """One version of one QuickBooks object. `version` is its SyncToken, -1 for a deletion."""

    change_id: int
    entity: str
    object_id: str
    version: int
    deleted: bool
    state: str
    updated_at: datetime | None
    payload: dict[str, Any]


@dataclass(frozen=True, slots=True)
class Delivered:
    """An object as a poll or a read delivered it; amounts in `payload` are strings or ints.

    `version` is None where its SyncToken cannot be read.
    """

    entity: str
    object_id: str
    version: int | None
    deleted: bool
    updated_at: datetime | None
    payload: dict[str, Any]


_ROWS_A_STATEMENT = 500
_DELIVERED = ("realm", "entity", "object_id", "version", "deleted", "updated_at", "payload")


def receive(connection: sa.Connection, realm: str, objects: Sequence[Delivered]) -> int:
    """Store what is new; returns how many versions were not known before.

    The same version delivered again (polls overlap) is not stored again, unless it is parked and
    now reads otherwise: an answer that came damaged must not stand for the good one.
    """
    # One statement can't meet the same row twice.
    keyed = {
        (it.entity, it.object_id, it.version, it.deleted): it
        for it in _versioned(connection, realm, objects)
    }
    rows = [_row(realm, item) for item in keyed.values()]
    stored = 0
    for start in range(0, len(rows), _ROWS_A_STATEMENT):
        stored += connection.execute(_store(rows[start : start + _ROWS_A_STATEMENT])).rowcount
    return stored


def _versioned(
    connection: sa.Connection, realm: str, objects: Sequence[Delivered]
) -> list[Delivered]:
    """Each with a version: an unknown one counts as newer than what is stored.

    Taken for an old one it would pass as known, and a change would be lost.
    """
    return [
        replace(item, version=_stand_in(connection, realm, item)) if item.version is None else item
        for item in objects
    ]


def _stand_in(connection: sa.Connection, realm: str, item: Delivered) -> int:
    stored = newest(connection, realm, item.entity, [item.object_id]).get(item.object_id)
    if stored is None:
        return 0
    content = {name: value for name, value in stored.payload.items() if name != "SyncToken"}
    is_same = stored.state == "parked" or content == item.payload
    return max(stored.version if is_same else stored.version + 1, 0)


def _row(realm: str, item: Delivered) -> dict[str, Any]:
    return {
        "realm": realm,
        "entity": item.entity,
        "object_id": item.object_id,
        "version": item.version,
        "deleted": item.deleted,
        "updated_at": item.updated_at,
        "payload": item.payload,
    }


def _store(rows: Sequence[dict[str, Any]]) -> Insert:
    # One parameter: a thousand of them take longer to render than to store.
    given = sa.func.jsonb_to_recordset(sa.literal(rows, JSONB)).table_valued(
        *(sa.column(name, inbound_changes.c[name].type) for name in _DELIVERED), name="given"
    )
    table = given.render_derived(with_types=True)
    new = insert(inbound_changes).from_select(_DELIVERED, sa.select(table))
    return new.on_conflict_do_update(
        index_elements=["realm", "entity", "object_id", "version", "deleted"],
        set_={"payload": new.excluded.payload, "state": "received", "settled_at": None},
        where=(inbound_changes.c.state == "parked")
        & (inbound_changes.c.payload != new.excluded.payload),
    )


def refresh(connection: sa.Connection, realm: str, objects: Sequence[Delivered]) -> int:
    """Store objects that were read by themselves; returns how many say something new.

    QuickBooks may change a payment's lines without a new token (its invoice was voided), so the
    same version with another content is planned anew.
    """
    versioned = _versioned(connection, realm, objects)
    stored = receive(connection, realm, versioned)
    for item in versioned:
        result = connection.execute(
            sa.update(inbound_changes)
            .where(
                inbound_changes.c.realm == realm,
                inbound_changes.c.entity == item.entity,
                inbound_changes.c.object_id == item.object_id,
                inbound_changes.c.version == item.version,
                inbound_changes.c.deleted == item.deleted,
                inbound_changes.c.payload != sa.type_coerce(item.payload, JSONB),
            )
            .values(payload=item.payload, state="received", settled_at=None)
        )
        stored += result.rowcount
    return stored


def supersede(connection: sa.Connection, realm: str) -> int:
    """Mark unsettled changes as known where a newer version of the object is in the inbox."""
    result = connection.execute(
        sa.update(inbound_changes)
        .where(
            inbound_changes.c.realm == realm,
            inbound_changes.c.state.in_(UNSETTLED),
            _has_newer(),
        )
        .values(state="known", settled_at=sa.text("ledger_now()"))
    )
    return result.rowcount


def unsettled(
    connection: sa.Connection,
    realm: str,
    entity: str,
    *,
    after: int = 0,
    limit: int | None = None,
) -> list[Change]:
    """Received and parked changes of one entity, oldest first, by id above `after`."""
    return _changes(
        connection,
        inbound_changes.c.realm == realm,
        inbound_changes.c.entity == entity,
        inbound_changes.c.state.in_(UNSETTLED),
        inbound_changes.c.change_id > after,
        limit=limit,
    )


def unsettled_of_ours(
    connection: sa.Connection, realm: str, marker: str, *, after: int, limit: int
) -> list[Change]:
    """Unsettled payment changes that are, or may be, payments that we pushed.

    They are linked as such, or their note holds the start of a `marker`. Most payments are not.
    """
    pushed = sa.exists().where(
        links.c.realm == inbound_changes.c.realm,
        links.c.kind == "payment",
        links.c.state == "live",
        links.c.quickbooks_id == inbound_changes.c.object_id,
    )
    note = inbound_changes.c.payload["PrivateNote"].astext
    return _changes(
        connection,
        inbound_changes.c.realm == realm,
        inbound_changes.c.entity == "Payment",
        inbound_changes.c.state.in_(UNSETTLED),
        inbound_changes.c.change_id > after,
        sa.or_(note.contains(marker, autoescape=True), pushed),
        limit=limit,
    )


def unsettled_ids(connection: sa.Connection, realm: str, entity: str) -> set[str]:
    """The objects of an entity with a received or parked change."""
    rows = connection.execute(
        sa.select(inbound_changes.c.object_id).where(
            inbound_changes.c.realm == realm,
            inbound_changes.c.entity == entity,
            inbound_changes.c.state.in_(UNSETTLED),
        )
    )
    return set(rows.scalars())


def unsettled_versions(connection: sa.Connection, realm: str, entity: str) -> dict[str, int]:
    """The newest received or parked version of each of an entity's objects."""
    rows = connection.execute(
        sa.select(
            inbound_changes.c.object_id, sa.func.max(inbound_changes.c.version).label("newest")
        )
        .where(
            inbound_changes.c.realm == realm,
            inbound_changes.c.entity == entity,
            inbound_changes.c.state.in_(UNSETTLED),
        )
        .group_by(inbound_changes.c.object_id)
    )
    return {str(row.object_id): int(row.newest) for row in rows}


def newest(
    connection: sa.Connection, realm: str, entity: str, object_ids: Collection[str]
) -> dict[str, Change]:
    """The newest stored version of each object, whatever its state."""
    found = _changes(
        connection,
        inbound_changes.c.realm == realm,
        inbound_changes.c.entity == entity,
        inbound_changes.c.object_id == sa.any_(sa.literal(list(object_ids), sa.ARRAY(sa.Text))),
    )
    by_age = sorted(found, key=lambda change: (change.deleted, change.version))
    return {change.object_id: change for change in by_age}


def seen_live(
    connection: sa.Connection, realm: str, entity: str, object_ids: Collection[str]
) -> set[str]:
    """Those of the objects that a poll once brought as they stood, before any deletion."""
    rows = connection.execute(
        sa.select(inbound_changes.c.object_id).where(
            inbound_changes.c.realm == realm,
            inbound_changes.c.entity == entity,
            inbound_changes.c.object_id == sa.any_(sa.literal(list(object_ids), sa.ARRAY(sa.Text))),
            ~inbound_changes.c.deleted,
        )
    )
    return set(rows.scalars())


def settle(connection: sa.Connection, realm: str, change_ids: Iterable[int], state: str) -> None:
    """Give changes their state: applied, known, foreign or parked."""
    connection.execute(
        sa.update(inbound_changes)
        .where(
            inbound_changes.c.realm == realm,
            inbound_changes.c.change_id
            == sa.any_(sa.literal(list(change_ids), sa.ARRAY(sa.BigInteger))),
        )
        .values(state=state, settled_at=sa.text("ledger_now()"))
    )


def settle_all(connection: sa.Connection, realm: str, entity: str, state: str) -> int:
    """Give every unsettled change of an entity the same state; returns how many there were."""
    result = connection.execute(
        sa.update(inbound_changes)
        .where(
            inbound_changes.c.realm == realm,
            inbound_changes.c.entity == entity,
            inbound_changes.c.state.in_(UNSETTLED),
        )
        .values(state=state, settled_at=sa.text("ledger_now()"))
    )
    return result.rowcount


def reopen(
    connection: sa.Connection,
    realm: str,
    entity: str,
    object_ids: Collection[str],
    *,
    with_applied: bool = False,
) -> int:
    """Have the newest version of each settled object planned anew, for a new link's sake.

    `with_applied`: what was applied may have more to apply since the link was made.
    """
    latest = newest(connection, realm, entity, object_ids).values()
    again = [change.change_id for change in latest if change.state in ("known", "foreign")]
    settle(connection, realm, again, "received")
    applied = [change.change_id for change in latest if with_applied and change.state == "applied"]
    # Parked, not received: a change that has been applied once is not logged a second time.
    settle(connection, realm, applied, "parked")
    return len(again) + len(applied)


def plan_again(
    connection: sa.Connection, realm: str, entity: str, object_ids: Collection[str]
) -> int:
    """Have the newest version of each settled object planned anew, applied ones included."""
    latest = newest(connection, realm, entity, object_ids)
    again = [each.change_id for each in latest.values() if each.state not in UNSETTLED]
    # Parked, not received: what stands after all is not logged a second time.
    settle(connection, realm, again, "parked")
    return len(again)


def received_before(
    connection: sa.Connection, change_ids: Collection[int], age: timedelta
) -> set[int]:
    """Those of the changes that have been in the inbox for longer than `age`."""
    rows = connection.execute(
        sa.select(inbound_changes.c.change_id).where(
            inbound_changes.c.change_id.in_(list(change_ids)),
            inbound_changes.c.received_at < sa.func.ledger_now() - age,
        )
    )
    return set(rows.scalars())


def reopen_credits(connection: sa.Connection, realm: str, memo_ids: Collection[str]) -> int:
    """Have payments planned anew that take from these credit memos, for a new link's sake."""
    line = inbound_changes.c.payload["Line"]
    takes = [
        line.contains([{"LinkedTxn": [{"TxnType": "CreditMemo", "TxnId": memo_id}]}])
        for memo_id in sorted(set(memo_ids))
    ]
    if not takes:
        return 0
    result = connection.execute(
        sa.update(inbound_changes)
        .where(
            inbound_changes.c.realm == realm,
            inbound_changes.c.entity == "Payment",
            inbound_changes.c.state.in_(["applied", "known", "foreign"]),
            sa.or_(*takes),
            ~_has_newer(),
        )
        .values(state="received", settled_at=None)
    )
    return result.rowcount


def count_parked(connection: sa.Connection, realm: str) -> int:
    """Changes that wait under an exception."""
    parked: int = connection.execute(
        sa.select(sa.func.count())
        .select_from(inbound_changes)
        .where(inbound_changes.c.realm == realm, inbound_changes.c.state == "parked")
    ).scalar_one()
    return parked


def prune(connection: sa.Connection, before: datetime) -> int:
    """Drop settled changes older than `before`, never the newest version of an object."""
    result = connection.execute(
        sa.delete(inbound_changes).where(
            inbound_changes.c.settled_at < before,
            inbound_changes.c.state.in_(["applied", "known", "foreign"]),
            _has_newer(),
        )
    )
    return result.rowcount


def _has_newer() -> sa.ColumnElement[bool]:
    """By version, not by arrival: an older one may come last, and a deletion is always last."""
    newer = inbound_changes.alias("newer")
    return sa.exists().where(
        newer.c.realm == inbound_changes.c.realm,
        newer.c.entity == inbound_changes.c.entity,
        newer.c.object_id == inbound_changes.c.object_id,
        sa.or_(
            newer.c.deleted & ~inbound_changes.c.deleted,
            (newer.c.deleted == inbound_changes.c.deleted)
            & (newer.c.version > inbound_changes.c.version),
        ),
    )


def _changes(
    connection: sa.Connection, *where: sa.ColumnElement[bool], limit: int | None = None
) -> list[Change]:
    columns = [inbound_changes.c[name] for name in Change.__slots__]
    rows = connection.execute(
        sa.select(*columns).where(*where).order_by(inbound_changes.c.change_id).limit(limit)
    )
    return [Change(*row) for row in rows]
