"""Payments out: which of AlgaPSA's receipts go to QuickBooks, in which form, and which wait.

Judged on what was loaded. What is waiting told to staff is in `payments_out_exceptions`.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from enum import Enum

from qbo_sync_dagster.domain.eligibility import Standing
from qbo_sync_dagster.domain.own_money import Receipt
from qbo_sync_dagster.domain.sync_marker import sync_marker, without_markers

LONGEST_REFERENCE = 21
# Their invoice is on its way to QuickBooks.
_FOLLOWS = frozenset({Standing.TO_EXPORT})
# Their payments are nobody's business here: another company's, a draft's, a prepayment's.
_LEFT_OUT = frozenset({Standing.ELSEWHERE, Standing.NOT_FINAL, Standing.PREPAYMENT})


class Verdict(Enum):
    """What becomes of a receipt that QuickBooks does not have."""

    SEND = "send"
    WAIT = "its invoice is exported first"
    LEFT_OUT = "not ours to push"
    TAKEN_BACK = "taken back before it was pushed"
    BEFORE_GO_LIVE = "dated before go-live"
    LATE = "dated before go-live, recorded after the company was connected"
    NO_INVOICE = "its invoice is not in QuickBooks"
    NO_CUSTOMER = "its client is not linked"
    SAME_MONEY = "a payment of QuickBooks waits on its invoice"
    TOTAL_DIFFERENCE = "the totals of its invoice differ"
    REOPENED = "its invoice is a draft again"
    GONE = "its invoice was voided or deleted in QuickBooks"


HOLDS = frozenset({Verdict.SAME_MONEY, Verdict.TOTAL_DIFFERENCE, Verdict.REOPENED, Verdict.GONE})
NOT_MAPPED = frozenset({Verdict.NO_INVOICE, Verdict.NO_CUSTOMER})


@dataclass(frozen=True, slots=True)
class PushScope:
    """From when on the company's payments are pushed."""

    go_live: date
    connected_at: datetime

    def covers(self, receipt: Receipt) -> Verdict | None:
        """None if the receipt's date is ours to push."""
        if receipt.date >= self.go_live:
            return None
        # Instants and not days: east of UTC the day of connecting begins before it does in UTC.
        is_late = receipt.created_at >= self.connected_at
        return Verdict.LATE if is_late else Verdict.BEFORE_GO_LIVE


@dataclass(frozen=True, slots=True)
class PaidDocument:
    """The AlgaPSA invoice of a receipt, as pushes see it.

    `quickbooks_id` is its live link, `standing` what it is to the export without one;
    `export_failed` says that its export needs a person, `export_is_held` that it waits for one or
    for a date. `waiting` are QuickBooks' payments on it
    that AlgaPSA does not show yet. `differs`: its totals differ and nobody accepted that.
    """

    invoice_id: str
    number: str
    client_id: str
    currency: str
    quickbooks_id: str | None = None
    standing: Standing = Standing.LINKED
    is_draft: bool = False
    is_gone_there: bool = False
    export_failed: bool = False
    export_is_held: bool = False
    is_client_linked: bool = True
    differs: bool = False
    waiting: frozenset[str] = frozenset()


def judge_receipt(
    receipt: Receipt, document: PaidDocument, scope: PushScope, both_real: Collection[str] = ()
) -> Verdict:
    """What becomes of a receipt without a QuickBooks payment.

    `both_real` are QuickBooks payments that staff told apart from this receipt.
    """
    if not receipt.unanswered:
        return Verdict.TAKEN_BACK
    if outside := scope.covers(receipt):
        return outside
    if document.quickbooks_id is None:
        return _of_unlinked(document)
    if not document.is_client_linked:
        return Verdict.NO_CUSTOMER
    if document.is_draft:
        return Verdict.REOPENED
    if document.is_gone_there:
        return Verdict.GONE
    if document.differs:
        return Verdict.TOTAL_DIFFERENCE
    return Verdict.SAME_MONEY if document.waiting - set(both_real) else Verdict.SEND


def _of_unlinked(document: PaidDocument) -> Verdict:
    # A link that another company, or an accepted loss, holds: nothing is pushed to it.
    if document.standing in _LEFT_OUT or document.standing is Standing.LINKED:
        return Verdict.LEFT_OUT
    if document.standing in _FOLLOWS and not document.export_failed:
        return Verdict.WAIT
    return Verdict.NO_INVOICE


@dataclass(frozen=True, slots=True)
class OutgoingPayment:
    """A payment as it is sent; `line_minor` goes to the invoice, the rest stays unapplied.

    `exchange_rate` is what QuickBooks gave its invoice: AlgaPSA knows none of the payment's own
    day, and with the invoice's the receivable is cleared as it was booked.
    """

    customer_id: str
    quickbooks_invoice_id: str
    total_minor: int
    line_minor: int
    date: date
    currency: str
    exchange_rate: Decimal | None
    reference: str
    deposit_account: str | None
    note: str


def outgoing_payment(
    realm: str,
    receipt: Receipt,
    document: PaidDocument,
    *,
    customer_id: str,
    line_minor: int,
    exchange_rate: Decimal | None,
    deposit_account: str | None,
    day: date | None = None,
) -> OutgoingPayment:
    """The payment of a receipt: its own date (or the `day` that staff chose), reference, amount."""
    marker = sync_marker(realm, "payment", receipt.row_id)
    told = f"{receipt.method} {receipt.reference}".strip() or "payment"
    # A note with two markers would stand for two records.
    named = without_markers(f"AlgaPSA {told} for {document.number}")
    return OutgoingPayment(
        customer_id=customer_id,
        quickbooks_invoice_id=document.quickbooks_id or "",
        total_minor=receipt.net,
        line_minor=line_minor,
        date=day or receipt.date,
        currency=document.currency,
        exchange_rate=exchange_rate,
        reference=receipt.reference[:LONGEST_REFERENCE],
        deposit_account=deposit_account,
        note=f"{named} {marker}"[-4000:],
    )


def line_for(
    amount_minor: int, balance_minor: int, *, accepted_shortfall: int, are_both_real: bool
) -> int | None:
    """What of a payment goes to its invoice; None if QuickBooks has too little open: it is held.

    `accepted_shortfall` is what QuickBooks' total was accepted to be smaller by.
    """
    missing = amount_minor - max(0, balance_minor)
    if missing <= 0:
        return amount_minor
    may_be_missing = are_both_real or missing <= accepted_shortfall
    return amount_minor - missing if may_be_missing else None


def reduced_line(line_minor: int, before_minor: int, after_minor: int) -> int:
    """What stays on the invoice of a payment that shrinks: its unapplied rest goes first."""
    return min(line_minor, after_minor) if after_minor < before_minor else line_minor


def refunds_settled(own_net: int, in_quickbooks: int, still_to_push: int) -> bool:
    """Whether QuickBooks holds of AlgaPSA's own money what AlgaPSA does, refunds included."""
    return own_net == in_quickbooks + still_to_push


def is_own_row_known(markers: Collection[str], realm: str, row_id: str) -> bool:
    """Whether one of a QuickBooks payment's markers is this row's."""
    return sync_marker(realm, "payment", row_id) in markers
