"""The small model of the books: what people did, and what both sides must therefore show.

Belongs here: bills, money and credit as plain figures in cents. Does not: any database, any call,
anything that the engine knows. Records go by the number that people know them by.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import TypeAlias

# A document as QuickBooks shows it: (entity, number, cents).
Shown: TypeAlias = tuple[str, str, int]


@dataclass
class Bill:
    """An invoice of AlgaPSA. `lacks` names the service that nobody has linked yet.

    `is_known` where both sides are linked or will be by the sync itself; an invoice from before the
    sync that stands in both books is not, until staff link it.
    """

    identity: str
    number: str
    client: int
    total: int
    lacks: str = ""
    is_known: bool = True
    is_void: bool = False
    # No amount comes up twice on an invoice, or staff would be asked whether it is the same money.
    seen: set[int] = field(default_factory=set)


@dataclass
class Note:
    """A credit note of AlgaPSA, over so many cents."""

    number: str
    cents: int


@dataclass
class Receipt:
    """Money that AlgaPSA recorded on an invoice, and what of it still stands."""

    identity: str
    bill: Bill
    cents: int


@dataclass
class Expected:
    """What people did so far, and what follows from it."""

    bills: list[Bill] = field(default_factory=list)
    notes: list[Note] = field(default_factory=list)
    receipts: list[Receipt] = field(default_factory=list)
    # QuickBooks' payments by id: what each gives to which bill, by its number.
    cheques: dict[str, dict[str, int]] = field(default_factory=dict)
    # What credit notes give to invoices: (note's number, invoice's number, cents).
    uses: list[tuple[str, str, int]] = field(default_factory=list)

    def bill(self, number: str) -> Bill:
        """The invoice of that number."""
        return next(each for each in self.bills if each.number == number)

    def open(self, bill: Bill) -> int:
        """What nobody has paid or credited yet, on either side."""
        receipts = sum(each.cents for each in self.receipts if each.bill is bill)
        cheques = sum(parts.get(bill.number, 0) for parts in self.cheques.values())
        credit = sum(cents for _, number, cents in self.uses if number == bill.number)
        return bill.total - receipts - cheques - credit

    def documents(self) -> Counter[Shown]:
        """The documents that stand in QuickBooks once everything has come over.

        Voided ones are left out: whether they ever came there is a matter of time.
        """
        found: Counter[Shown] = Counter()
        for bill in self.bills:
            if not bill.is_void and not bill.lacks:
                found["Invoice", bill.number, bill.total] += 1
        for note in self.notes:
            found["CreditMemo", note.number, note.cents] += 1
        return found

    def paid_in_quickbooks(self) -> Counter[tuple[str, int]]:
        """What payments give to invoices in QuickBooks: (number, cents)."""
        found = self._parts(only_known=False)
        for receipt in self.receipts:
            if receipt.cents and not receipt.bill.lacks:
                found[receipt.bill.number, receipt.cents] += 1
        return found

    def paid_in_algapsa(self) -> Counter[tuple[str, int]]:
        """What QuickBooks' payments give to invoices in AlgaPSA: (number, cents)."""
        return self._parts(only_known=True)

    def credited(self) -> Counter[tuple[str, str, int]]:
        """Uses of credit in QuickBooks: (note, invoice, cents), once each per use."""
        return Counter(use for use in self.uses if not self.bill(use[1]).lacks)

    def gaps(self) -> list[Bill]:
        """What waits for staff, and so explains an open exception."""
        cheques = {number for parts in self.cheques.values() for number in parts}
        return [
            bill
            for bill in self.bills
            if not bill.is_void and (bill.lacks or (not bill.is_known and bill.number in cheques))
        ]

    def _parts(self, *, only_known: bool) -> Counter[tuple[str, int]]:
        return Counter(
            (number, cents)
            for parts in self.cheques.values()
            for number, cents in parts.items()
            if cents and (self.bill(number).is_known or not only_known)
        )
