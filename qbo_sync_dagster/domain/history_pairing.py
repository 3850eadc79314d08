"""Payments from before the sync, paired on both sides of an invoice that was linked to its history.

A pair is the same money: same invoice, same amount, dates at most a week apart, and no other
candidate on either side. Nothing is guessed: what is left waits for staff. Pairing moves nothing.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date, timedelta

CLOSE = timedelta(days=7)
_SAME_DAY = timedelta(0)


@dataclass(frozen=True, slots=True)
class HistoricMoney:
    """What one record of one side put on an invoice, in minor units; positive.

    `record_id` is a payment row of AlgaPSA or a payment of QuickBooks, `invoice_id` AlgaPSA's
    invoice. `is_credit` marks the application of a credit note: it never pairs with a payment.
    """

    record_id: str
    invoice_id: str
    minor: int
    date: date
    is_credit: bool = False


@dataclass(frozen=True, slots=True)
class Pair:
    """The same money on both sides."""

    ours: HistoricMoney
    theirs: HistoricMoney


@dataclass(frozen=True, slots=True)
class Leftover:
    """Money of one side without exactly one counterpart on the other, and why in words."""

    money: HistoricMoney
    reason: str


@dataclass(frozen=True, slots=True)
class Pairing:
    """What pairing came to: `ours` and `theirs` are left over on AlgaPSA's and QuickBooks' side."""

    pairs: tuple[Pair, ...]
    ours: tuple[Leftover, ...]
    theirs: tuple[Leftover, ...]


def pair_history(ours: Iterable[HistoricMoney], theirs: Iterable[HistoricMoney]) -> Pairing:
    """Pair the same money, first of the same day, then within a week; list all that is left."""
    left_ours, left_theirs = _sorted(ours), _sorted(theirs)
    pairs: list[Pair] = []
    for apart in (_SAME_DAY, CLOSE):
        found = _unique_pairs(left_ours, left_theirs, apart)
        pairs += found
        left_ours = [each for each in left_ours if all(each is not it.ours for it in found)]
        left_theirs = [each for each in left_theirs if all(each is not it.theirs for it in found)]
    return Pairing(
        tuple(pairs),
        tuple(Leftover(each, _reason(each, left_theirs, "QuickBooks")) for each in left_ours),
        tuple(Leftover(each, _reason(each, left_ours, "AlgaPSA")) for each in left_theirs),
    )


def without_taken_back(amounts: Sequence[HistoricMoney]) -> list[HistoricMoney]:
    """What still counts: a positive amount with an equal negative one on the invoice has gone."""
    taken = Counter((each.invoice_id, -each.minor) for each in amounts if each.minor < 0)
    live = []
    for each in _sorted(amounts):
        if each.minor > 0 and taken[each.invoice_id, each.minor]:
            taken[each.invoice_id, each.minor] -= 1
        elif each.minor > 0:
            live.append(each)
    return live


def _sorted(amounts: Iterable[HistoricMoney]) -> list[HistoricMoney]:
    return sorted(amounts, key=lambda each: (each.invoice_id, each.date, each.record_id))


def _unique_pairs(
    ours: Sequence[HistoricMoney], theirs: Sequence[HistoricMoney], apart: timedelta
) -> list[Pair]:
    candidates = [
        Pair(mine, other) for mine in ours for other in theirs if _alike(mine, other, apart)
    ]
    of_mine = Counter(id(pair.ours) for pair in candidates)
    of_other = Counter(id(pair.theirs) for pair in candidates)
    return [pair for pair in candidates if of_mine[id(pair.ours)] == of_other[id(pair.theirs)] == 1]


def _alike(mine: HistoricMoney, other: HistoricMoney, apart: timedelta) -> bool:
    return _same_amount(mine, other) and abs(mine.date - other.date) <= apart


def _same_amount(mine: HistoricMoney, other: HistoricMoney) -> bool:
    return (mine.invoice_id, mine.minor, mine.is_credit) == (
        other.invoice_id,
        other.minor,
        other.is_credit,
    )


def _reason(money: HistoricMoney, others: Sequence[HistoricMoney], side: str) -> str:
    equal = [each for each in others if _same_amount(money, each)]
    close = [each for each in equal if abs(each.date - money.date) <= CLOSE]
    if close:
        return f"{side} has several of this amount within a week; which one it is was not guessed"
    if equal:
        days = min(abs((each.date - money.date).days) for each in equal)
        return f"{side} has this amount, but dated {days} days apart"
    return f"{side} has no payment of this amount on the invoice"
