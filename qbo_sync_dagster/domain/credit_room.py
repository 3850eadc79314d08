"""Whether QuickBooks has the credit and the open amount that an application needs."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Shortage:
    """What QuickBooks lacks for an application: credit, or an open amount on the invoice."""

    is_of_credit: bool
    left_minor: int


class CreditRoom:
    """What is left of memos and open on invoices in QuickBooks, reserved across one whole plan.

    Read once for all, so two applications of one memo never both count on the same credit.
    Amounts in minor units by QuickBooks id.
    """

    def __init__(self, credit: Mapping[str, int], open_: Mapping[str, int]) -> None:
        self._credit = dict(credit)
        self._open = dict(open_)

    def reserve(self, memo_id: str, invoice_id: str, minor: int) -> Shortage | None:
        """Take it for one application; if it does not suffice, nothing is taken."""
        credit, open_ = self._credit.get(memo_id, 0), self._open.get(invoice_id, 0)
        if credit < minor:
            return Shortage(is_of_credit=True, left_minor=credit)
        if open_ < minor:
            return Shortage(is_of_credit=False, left_minor=open_)
        self._credit[memo_id] = credit - minor
        self._open[invoice_id] = open_ - minor
        return None
