"""The order in which the payments of one poll are applied: what makes room goes first.

A deletion and a new payment for the same invoice arrive together when a bookkeeper re-enters
a payment. Applied the other way round the new one would meet a settled invoice.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from enum import IntEnum

from qbo_sync_dagster.domain.payment_wanted import WantedPayment


class _Turn(IntEnum):
    ENDS = 0
    REDUCES = 1
    ADDS = 2


def application_order(
    wanted: WantedPayment, standing: Mapping[str, int]
) -> tuple[int, date, int, str]:
    """Sort key of a payment; `standing` is its net per invoice in AlgaPSA, in minor units."""
    asked = wanted.per_invoice()
    reduces = any(asked.get(invoice_id, 0) < minor for invoice_id, minor in standing.items())
    turn = _Turn.REDUCES if reduces else _Turn.ADDS
    if not asked:
        turn = _Turn.ENDS
    # Ids are numbers as text: the shorter is the older.
    return turn, wanted.date, len(wanted.payment_id), wanted.payment_id
