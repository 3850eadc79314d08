"""Ids of the rows we write into AlgaPSA, computed so that a replay finds its own rows again.

They are made of stable ids of both sides only: a ledger restored from a backup computes the same.
"""

from __future__ import annotations

import hashlib
import uuid

from qbo_sync_dagster.domain.payment_standing import RowKind

_NAMESPACE = uuid.UUID("6f0c3f86-52f2-5d0b-9d0b-3b3f7f2b8a41")


def row_id(realm: str, payment_id: str, invoice_id: str, kind: RowKind, sequence: int) -> str:
    """The payment row's id; `sequence` counts the rows that stood or were planned before it."""
    return _uuid("row", realm, payment_id, invoice_id, kind.value, str(sequence))


def transaction_id(payment_row_id: str) -> str:
    """The id of the transaction that AlgaPSA keeps beside a payment row of ours."""
    return _uuid("transaction", payment_row_id)


def lock_key(realm: str, payment_id: str) -> int:
    """The signed 64-bit key of the advisory lock under which one payment is written."""
    digest = hashlib.sha256(f"qbo-sync payment\0{realm}\0{payment_id}".encode()).digest()
    return int.from_bytes(digest[:8], "big", signed=True)


def _uuid(*parts: str) -> str:
    return str(uuid.uuid5(_NAMESPACE, "\0".join(parts)))
