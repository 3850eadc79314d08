"""The audit log: append-only, one row per effect on either side, one hash chain per realm."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import insert

from qbo_sync_dagster.ledger.engine import ledger_now
from qbo_sync_dagster.ledger.tables import audit_heads, audit_log

_GENESIS = "0" * 64
_PAGE = 1_000


@dataclass(frozen=True, slots=True)
class Effect:
    """Something that changed on one side: `algapsa`, `quickbooks` or `ledger` (a decision)."""

    side: str
    effect: str
    record: str
    before: Any = None
    after: Any = None
    request_id: str | None = None
    intuit_tid: str | None = None


@dataclass(frozen=True, slots=True)
class Head:
    """The newest row of a chain: its number and its digest. Zero rows: number 0."""

    sequence: int
    digest: str


class Tampering(StrEnum):
    """What was done to a chain, as far as it shows."""

    CHANGED = "changed"
    MISSING = "missing"
    MOVED = "moved"
    ADDED = "added"
    CUT = "cut"
    REWRITTEN = "rewritten"


@dataclass(frozen=True, slots=True)
class Break:
    """The first row of a chain that is not what was written. `found_at` is where a moved row is."""

    sequence: int
    kind: Tampering
    found_at: int | None = None

    @property
    def sentence(self) -> str:
        """What happened to it, for people."""
        row = f"Row {self.sequence}"
        told = {
            Tampering.CHANGED: f"{row} was changed after it was written.",
            Tampering.MISSING: f"{row} is missing.",
            Tampering.MOVED: f"{row} stands as row {self.found_at} now: rows were reordered.",
            Tampering.ADDED: f"{row} was put in afterwards.",
            Tampering.CUT: f"The log ends before row {self.sequence}, which is missing.",
            Tampering.REWRITTEN: f"{row} was replaced by another one.",
        }
        return told[self.kind]


@dataclass(frozen=True, slots=True)
class Verified:
    """How far a chain holds together: its last good row, and the first bad one."""

    last: Head
    broken: Break | None


def append(connection: sa.Connection, realm: str, effects: Sequence[Effect]) -> None:
    """Append effects in order; holds the realm's chain until the transaction ends."""
    if not effects:
        return
    connection.execute(
        insert(audit_heads)
        .values(realm=realm, sequence=0, digest=_GENESIS)
        .on_conflict_do_nothing()
    )
    head = connection.execute(
        sa.select(audit_heads).where(audit_heads.c.realm == realm).with_for_update()
    ).one()
    at = ledger_now(connection)
    sequence, digest = head.sequence, head.digest
    rows = []
    for effect in effects:
        sequence += 1
        row = _row(realm, sequence, effect) | {"at": at, "previous_digest": digest}
        digest = chained(row)
        rows.append(row | {"digest": digest})
    connection.execute(sa.insert(audit_log), rows)
    connection.execute(
        sa.update(audit_heads)
        .where(audit_heads.c.realm == realm)
        .values(sequence=sequence, digest=digest)
    )


def chained(row: dict[str, Any]) -> str:
    """The digest of a row: SHA-256 over its content and the digest before it."""
    content = {key: row[key] for key in sorted(row) if key != "digest"}
    text = json.dumps(content, sort_keys=True, default=str, ensure_ascii=True)
    return hashlib.sha256(text.encode()).hexdigest()


def verify(connection: sa.Connection, realm: str, seen: Head | None = None) -> Verified:
    """Follow a company's chain from its first row to the head row; stops at the first break.

    `seen` is the head that an earlier look showed: a chain that was written anew from beginning to
    end holds together, but no longer leads through it.
    """
    chain = _Chain(connection, realm, seen)
    after: int | None = None
    while True:
        page = connection.execute(_page(realm, after)).mappings().all()
        # A company without rows behind `after` is one row without a sequence.
        rows = [row for row in page if row["sequence"] is not None]
        for row in rows:
            if broken := chain.take(row):
                return Verified(chain.last, broken)
            after = row["sequence"]
        if len(rows) < _PAGE:
            last = page[-1]
            head = Head(last["head_sequence"], last["head_digest"])
            return Verified(chain.last, chain.end(head if head.digest else None))


def first_break(connection: sa.Connection, realm: str) -> Break | None:
    """The first row of a company's chain that does not follow from the one before, or None."""
    return verify(connection, realm).broken


def audited_realms(connection: sa.Connection) -> list[str]:
    """Every company with an audit log, forgotten ones included."""
    both = sa.union(sa.select(audit_heads.c.realm), sa.select(audit_log.c.realm).distinct())
    return sorted(connection.execute(both).scalars())


def last_of_each(
    connection: sa.Connection,
    realm: str,
    effects: Sequence[str],
    records: Collection[str] | None = None,
) -> dict[str, dict[str, Any]]:
    """What the newest of these effects left behind, by record: by each that has one, or of some."""
    named = audit_log.c.record.in_(sorted(records)) if records is not None else sa.true()
    query = (
        sa.select(audit_log.c.record, audit_log.c.after)
        .distinct(audit_log.c.record)
        .where(audit_log.c.realm == realm, audit_log.c.effect.in_(list(effects)), named)
        .order_by(audit_log.c.record, audit_log.c.sequence.desc())
    )
    return {row.record: row.after for row in connection.execute(query)}


class _Chain:
    """What was followed of one company's chain so far."""

    def __init__(self, connection: sa.Connection, realm: str, seen: Head | None) -> None:
        self._connection = connection
        self._realm = realm
        self._seen = seen
        self.last = Head(0, _GENESIS)

    def take(self, row: sa.RowMapping) -> Break | None:
        """Follow one more row, the next by its number."""
        expected = self.last.sequence + 1
        follows = row["sequence"] == expected and row["previous_digest"] == self.last.digest
        if not follows or _digest(row, expected) != row["digest"]:
            return self._break(row, expected)
        self.last = Head(expected, row["digest"])
        if self._seen and self._seen.sequence == expected and self._seen != self.last:
            return Break(expected, Tampering.REWRITTEN)
        return None

    def end(self, head: Head | None) -> Break | None:
        """The break behind the last row, if the head row knows of another end."""
        last = self.last.sequence
        if head is None:
            return Break(last + 1, Tampering.CUT) if last or self._seen else None
        if head.sequence > last or (self._seen and self._seen.sequence > last):
            return Break(last + 1, Tampering.CUT)
        if head.sequence < last:
            return Break(head.sequence + 1, Tampering.ADDED)
        return Break(last, Tampering.REWRITTEN) if head.digest != self.last.digest else None

    def _break(self, row: sa.RowMapping, expected: int) -> Break:
        if found_at := self._place_of(expected):
            return Break(expected, Tampering.MOVED, found_at)
        if row["sequence"] != expected:
            kind = Tampering.MISSING if row["sequence"] > expected else Tampering.ADDED
            return Break(min(expected, row["sequence"]), kind)
        if _digest(row, expected) != row["digest"]:
            return Break(expected, Tampering.CHANGED)
        # The row is whole and names another one before it: that one was made to look whole, too.
        return Break(max(expected - 1, 1), Tampering.REWRITTEN)

    def _place_of(self, sequence: int) -> int | None:
        """Where the row with this number stands now, if it was given another number."""
        after_last = sa.select(audit_log).where(
            audit_log.c.realm == self._realm,
            audit_log.c.previous_digest == self.last.digest,
            audit_log.c.sequence != sequence,
        )
        for row in self._connection.execute(after_last).mappings():
            if _digest(row, sequence) == row["digest"]:
                return int(row["sequence"])
        return None


def _page(realm: str, after: int | None) -> sa.Select[Any]:
    """Rows and head in one statement, so that both are of one instant."""
    asked = sa.select(sa.literal(realm).label("asked_realm")).subquery()
    is_next = audit_log.c.sequence > after if after is not None else sa.true()
    both = asked.outerjoin(
        audit_log, sa.and_(audit_log.c.realm == asked.c.asked_realm, is_next)
    ).outerjoin(audit_heads, audit_heads.c.realm == asked.c.asked_realm)
    head = (
        audit_heads.c.sequence.label("head_sequence"),
        audit_heads.c.digest.label("head_digest"),
    )
    query = sa.select(audit_log, *head).select_from(both)
    return query.order_by(audit_log.c.sequence).limit(_PAGE)


def _digest(row: sa.RowMapping, sequence: int) -> str:
    """The digest that a stored row would have under this number."""
    content = {column.name: row[column.name] for column in audit_log.c if column.name != "digest"}
    return chained(content | {"sequence": sequence})


def _row(realm: str, sequence: int, effect: Effect) -> dict[str, Any]:
    return {
        "realm": realm,
        "sequence": sequence,
        "side": effect.side,
        "effect": effect.effect,
        "record": effect.record,
        "before": effect.before,
        "after": effect.after,
        "request_id": effect.request_id,
        "intuit_tid": effect.intuit_tid,
    }
