"""Request ids: what makes QuickBooks do a write once, however often it is sent.

They are computed from stable AlgaPSA ids, never from ledger keys, so that a restored ledger sends
the same id for the same attempt and QuickBooks replays its answer.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence

_LENGTH = 32


def posting_request_id(realm: str, kind: str, record_id: str, generation: int, attempt: int) -> str:
    """The id of one attempt of one operation.

    `generation` counts objects made for the record, `attempt` the sends that got a definite
    answer or were proven never to have arrived.
    """
    return _digest([realm, kind, record_id, str(generation), str(attempt)])


def batch_request_id(request_ids: Sequence[str]) -> str:
    """The id of a batch: another composition is another batch. At most 36 characters."""
    return _digest(["batch", *request_ids])


def item_id(position: int) -> str:
    """The id of an item inside its batch, at most 10 characters."""
    return f"i{position}"


def _digest(parts: Sequence[str]) -> str:
    return hashlib.sha256("\x1f".join(parts).encode()).hexdigest()[:_LENGTH]
