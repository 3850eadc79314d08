"""What AlgaPSA itself took and gave back on an invoice: receipts, reversals and refunds.

A reversal says that the receipt never was (a cheque bounced), a refund that its money went back:
the first changes the receipt in QuickBooks, the second never does.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime

from qbo_sync_dagster.domain.algapsa_payments import PaymentRecord

_OF_QUICKBOOKS = "quickbooks"


@dataclass(frozen=True, slots=True)
class Receipt:
    """Money that AlgaPSA received on an invoice, in minor units.

    `reversals` are the rows that took `taken_back` of it back, oldest first, each with its part.
    `followed` is what rows of ours took back of it, once staff had matched it with a payment of
    QuickBooks and followed what became of that.
    """

    row_id: str
    invoice_id: str
    minor: int
    date: date
    created_at: datetime
    method: str
    reference: str
    taken_back: int = 0
    reversals: tuple[tuple[str, int], ...] = ()
    followed: int = 0

    @property
    def net(self) -> int:
        """What stands of it."""
        return self.minor - self.taken_back

    @property
    def unanswered(self) -> int:
        """What QuickBooks lacks of it while no payment there is linked to it.

        What was followed is settled, also for a ledger from a backup that knows of no match.
        """
        return max(0, self.net - self.followed)

    def newest_reversals(self, minor: int) -> dict[str, int]:
        """The newest reversals that took back `minor` together: each row with its part."""
        found: dict[str, int] = {}
        for row_id, taken in reversed(self.reversals):
            if sum(found.values()) < minor:
                found[row_id] = taken
        return found


@dataclass(frozen=True, slots=True)
class OwnMoney:
    """The own money of one invoice. `refunds` are its negative rows, oldest first."""

    receipts: tuple[Receipt, ...] = ()
    refunds: tuple[PaymentRecord, ...] = ()

    @property
    def refunded_minor(self) -> int:
        """The sum of the refunds, positive."""
        return -sum(row.minor for row in self.refunds)


def own_money(rows: Iterable[PaymentRecord], recorded: Collection[str] = ()) -> OwnMoney:
    """The own money among an invoice's rows.

    `recorded` are reversals and refunds that staff recorded in QuickBooks in another way: they
    change nothing there any more.
    """
    rows = sorted(rows, key=lambda row: (row.created_at, row.row_id))
    own = [row for row in rows if is_own(row)]
    followed: Counter[str] = Counter()
    for row in rows:
        if row.key is not None and row.reverses:
            followed[row.reverses] -= row.minor
    receipts = [_receipt(row, followed[row.row_id]) for row in own if row.minor > 0]
    for row in own:
        if row.minor < 0 and not is_refund(row) and row.row_id not in recorded:
            receipts = _taken_back(receipts, row)
    refunds = tuple(row for row in own if is_refund(row) and row.row_id not in recorded)
    return OwnMoney(tuple(receipts), refunds)


def is_own(row: PaymentRecord) -> bool:
    """Whether the row was born in AlgaPSA. What came from QuickBooks never goes back there."""
    return row.key is None and (row.method or "").lower() != _OF_QUICKBOOKS


def is_refund(row: PaymentRecord) -> bool:
    """Whether the row gives money back to the client, as against a payment that never was."""
    method = (row.method or "").lower()
    gives_back = method == "refund" or method.endswith("_refund")
    return row.minor < 0 and (row.status == "refunded" or gives_back)


def _receipt(row: PaymentRecord, followed: int) -> Receipt:
    return Receipt(
        row.row_id,
        row.invoice_id,
        row.minor,
        row.date,
        row.created_at,
        row.method or "",
        row.reference or "",
        followed=followed,
    )


def _taken_back(receipts: Sequence[Receipt], reversal: PaymentRecord) -> list[Receipt]:
    """AlgaPSA stores no link between the two rows: the reference names it, else the amount."""
    left = -reversal.minor
    found = {receipt.row_id: receipt for receipt in receipts}
    for receipt in sorted(receipts, key=lambda each: _likeness(each, reversal), reverse=True):
        taken = min(left, receipt.net)
        if taken:
            found[receipt.row_id] = replace(
                receipt,
                taken_back=receipt.taken_back + taken,
                reversals=(*receipt.reversals, (reversal.row_id, taken)),
            )
            left -= taken
    return list(found.values())


def _likeness(receipt: Receipt, reversal: PaymentRecord) -> tuple[bool, bool, datetime, str]:
    named = {f"reversal:{receipt.row_id}"}
    if receipt.reference:
        named.add(f"reversal:{receipt.reference}")
    is_named = (reversal.reference or "") in named
    return is_named, receipt.net == -reversal.minor, receipt.created_at, receipt.row_id
