"""What both sides really show, read by the numbers that people know and not by the engine's links.

Belongs here: reading AlgaPSA and QuickBooks for the model test. Does not: what they must show.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

import sqlalchemy as sa

from chaos.expected import Shown
from chaos.stores import Stores

_OBJECTS = "SELECT entity, id, body FROM object WHERE NOT deleted AND entity = ANY(:entities)"
_CREATED = (
    "SELECT entity, count(*) AS created FROM object WHERE entity = ANY(:entities) GROUP BY entity"
)
_APPLIED = """
    SELECT i.invoice_number, sum(p.amount)::bigint AS cents
    FROM invoice_payments p JOIN invoices i USING (tenant, invoice_id)
    WHERE p.metadata->'qbo_sync' IS NOT NULL
    GROUP BY p.metadata->'qbo_sync'->>'payment', i.invoice_number HAVING sum(p.amount) <> 0
"""
_ENTITIES = ["Invoice", "CreditMemo", "Payment"]


@dataclass(frozen=True, slots=True)
class BothSides:
    """What stands on both sides. `balances` are QuickBooks' per number, in cents."""

    documents: Counter[Shown]
    balances: Mapping[str, int]
    invoice_ids: Mapping[str, str]
    paid_in_quickbooks: Counter[tuple[str, int]]
    paid_in_algapsa: Counter[tuple[str, int]]
    credited: Counter[tuple[str, str, int]]
    created: Mapping[str, int]


def read_both_sides(stores: Stores) -> BothSides:
    """What stands now, between two cycles."""
    with stores.sandbox.connect() as connection:
        values = {"entities": _ENTITIES}
        rows = connection.execute(sa.text(_OBJECTS), values).all()
        counts = connection.execute(sa.text(_CREATED), values)
        created = {row.entity: row.created for row in counts}
    with stores.algapsa.connect() as connection:
        applied = [(row.invoice_number, row.cents) for row in connection.execute(sa.text(_APPLIED))]
    bodies = {(row.entity, row.id): json.loads(row.body, parse_float=Decimal) for row in rows}
    numbers = {key: str(body.get("DocNumber")) for key, body in bodies.items()}
    found = BothSides(
        Counter(),
        {numbers[key]: _cents(body["Balance"]) for key, body in _of("Invoice", bodies)},
        {numbers[key]: key[1] for key, _ in _of("Invoice", bodies)},
        Counter(),
        Counter(applied),
        Counter(),
        created,
    )
    for key, body in bodies.items():
        if key[0] != "Payment":
            found.documents[key[0], numbers[key], _cents(body["TotalAmt"])] += 1
            continue
        lines = list(_lines(body, numbers))
        notes = [number for entity, number, _ in lines if entity == "CreditMemo"]
        for entity, number, cents in lines:
            if entity == "Invoice" and notes:
                found.credited[notes[0], number, cents] += 1
            elif entity == "Invoice":
                found.paid_in_quickbooks[number, cents] += 1
    return found


def _of(
    entity: str, bodies: Mapping[tuple[str, str], Any]
) -> Iterator[tuple[tuple[str, str], Any]]:
    return ((key, body) for key, body in bodies.items() if key[0] == entity)


def _lines(
    payment: Mapping[str, Any], numbers: Mapping[tuple[str, str], str]
) -> Iterator[tuple[str, str, int]]:
    for line in payment.get("Line", ()):
        for linked in line.get("LinkedTxn", ()):
            key = linked["TxnType"], linked["TxnId"]
            yield linked["TxnType"], numbers.get(key, "gone"), _cents(line["Amount"])


def _cents(amount: Decimal | int | str) -> int:
    return int(Decimal(amount).scaleb(2))
