"""The same money entered by hand on both sides: recognised, never guessed away.

A bookkeeper records a cheque in QuickBooks while a colleague records it in AlgaPSA. Applying
one to the other side would count it twice, so both wait until a person decides.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable
from dataclasses import dataclass
from enum import StrEnum


class LocalKind(StrEnum):
    """How AlgaPSA settled a part of the invoice by itself."""

    PAYMENT = "payment"
    CREDIT_APPLICATION = "credit_application"


@dataclass(frozen=True, slots=True)
class LocalMoney:
    """Money that AlgaPSA itself put on an invoice: a payment row or a credit application.

    Negative for a refund or a reversal. `record_id` is the payment row or the application's
    transaction.
    """

    record_id: str
    kind: LocalKind
    minor: int


def live_money(local: Iterable[LocalMoney]) -> tuple[LocalMoney, ...]:
    """What still counts: a positive amount with an equal negative one beside it has gone."""
    return _split(local)[0]


def twin(
    amounts: Collection[int], local: Iterable[LocalMoney], with_counterpart: Collection[str]
) -> LocalMoney | None:
    """AlgaPSA's record that may be the same money as an inbound allocation of one of `amounts`.

    `with_counterpart` names the records that a live payment of QuickBooks already answers to.
    What is left of a record may be it, too: AlgaPSA does not say which one a part was taken of.
    """
    live, taken = _split(local)
    parts = {0, *taken, sum(taken)}
    free = (each for each in live if each.record_id not in with_counterpart)
    return next(
        (each for each in free if any(0 < each.minor - part in amounts for part in parts)), None
    )


def _split(local: Iterable[LocalMoney]) -> tuple[tuple[LocalMoney, ...], tuple[int, ...]]:
    """What still counts, and the amounts by which something of it was taken back."""
    rows = sorted(local, key=lambda each: each.record_id)
    taken_back = Counter(-each.minor for each in rows if each.minor < 0)
    live: list[LocalMoney] = []
    for each in rows:
        if each.minor > 0 and taken_back[each.minor]:
            taken_back[each.minor] -= 1
        elif each.minor > 0:
            live.append(each)
    return tuple(live), tuple(taken_back.elements())
