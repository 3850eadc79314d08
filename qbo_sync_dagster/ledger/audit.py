"""The audit log: append-only, one row per effect on either side, one hash chain per realm."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import insert

from qbo_sync_dagster.ledger.engine import ledger_now
from qbo_sync_dagster.ledger.tables import audit_heads, audit_log

_GENESIS = "0" * 64


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


def first_break(connection: sa.Connection, realm: str) -> int | None:
    """The sequence number of the first row that does not follow from the one before, or None."""
    digest, expected = _GENESIS, 1
    rows = connection.execute(
        sa.select(audit_log).where(audit_log.c.realm == realm).order_by(audit_log.c.sequence)
    )
    for row in rows.mappings():
        content = {key: value for key, value in row.items() if key != "digest"}
        if (
            row["sequence"] != expected
            or row["previous_digest"] != digest
            or chained(content) != row["digest"]
        ):
            return expected
        digest, expected = row["digest"], expected + 1
    head = connection.execute(
        sa.select(audit_heads.c.sequence, audit_heads.c.digest).where(audit_heads.c.realm == realm)
    ).one_or_none()
    ends_here = tuple(head) == (expected - 1, digest) if head else expected == 1
    return None if ends_here else expected


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
