"""AlgaPSA's number sequences: INV-000001 for invoices, CM-000001 for credit notes."""

from __future__ import annotations

from typing import Literal

from sqlalchemy import Connection

from qbo_sync_dagster.sandbox.algapsa.rows import fetch_one

_PADDING = 6
_PREFIXES = {"INVOICE": "INV-", "CREDIT_NOTE": "CM-"}
_TAKE = """
    INSERT INTO next_number (tenant, entity_type, last_number, initial_value, prefix,
        padding_length)
    VALUES (:tenant, :sequence, :count, 1, :prefix, :padding)
    ON CONFLICT (tenant, entity_type)
    DO UPDATE SET last_number = next_number.last_number + :count
    RETURNING last_number
"""


def take_numbers(
    connection: Connection, tenant: str, sequence: Literal["INVOICE", "CREDIT_NOTE"], count: int
) -> list[str]:
    """The next `count` numbers of a sequence, which nobody else gets."""
    prefix = _PREFIXES[sequence]
    taken = fetch_one(
        connection,
        _TAKE,
        tenant=tenant,
        sequence=sequence,
        count=count,
        prefix=prefix,
        padding=_PADDING,
    )
    last = int(taken[0])
    return [f"{prefix}{number:0{_PADDING}d}" for number in range(last - count + 1, last + 1)]
