"""Decisions: what staff decided about a record, kept for as long as the record lives.

Whoever makes one belongs to `actions`; what follows from it, to the rules that take it.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import insert

from qbo_sync_dagster.ledger.tables import decisions


@dataclass(frozen=True, slots=True)
class NewDecision:
    """A decision about to be stored. `record` and `counterpart` are `kind:id`, as exceptions key.

    `amount_minor` is the amount that the decision names, in minor units of the record's currency.
    """

    kind: str
    record: str
    decided_by: str
    counterpart: str = ""
    amount_minor: int = 0
    reason: str = ""
    detail: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Decision:
    """A stored decision."""

    decision_id: int
    kind: str
    record: str
    counterpart: str
    amount_minor: int
    detail: dict[str, Any]
    decided_by: str
    reason: str
    decided_at: datetime


def decide(connection: sa.Connection, realm: str, new: NewDecision) -> None:
    """Store a decision; an earlier one of this kind on the same two records is replaced."""
    values = {name: getattr(new, name) for name in NewDecision.__slots__}
    connection.execute(
        insert(decisions)
        .values(realm=realm, **values)
        .on_conflict_do_update(
            index_elements=["realm", "kind", "record", "counterpart"],
            set_={
                "amount_minor": new.amount_minor,
                "detail": new.detail,
                "decided_by": new.decided_by,
                "reason": new.reason,
                "decided_at": sa.text("ledger_now()"),
            },
        )
    )


def of_kind(
    connection: sa.Connection, realm: str, kind: str, records: Collection[str] | None = None
) -> list[Decision]:
    """The decisions of a kind, oldest first; with `records` only those about these."""
    where = [decisions.c.realm == realm, decisions.c.kind == kind]
    if records is not None:
        wanted = sa.literal(sorted(set(records)), sa.ARRAY(sa.Text))
        where.append(decisions.c.record == sa.any_(wanted))
    rows = connection.execute(
        sa.select(*[decisions.c[name] for name in Decision.__slots__])
        .where(*where)
        .order_by(decisions.c.decision_id)
    )
    return [Decision(*row) for row in rows]


def withdraw(
    connection: sa.Connection, realm: str, kind: str, record: str, counterpart: str = ""
) -> bool:
    """Forget a decision; False if there was none."""
    result = connection.execute(
        sa.delete(decisions).where(
            decisions.c.realm == realm,
            decisions.c.kind == kind,
            decisions.c.record == record,
            decisions.c.counterpart == counterpart,
        )
    )
    return bool(result.rowcount)
