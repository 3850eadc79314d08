"""Which of AlgaPSA's receipts go to QuickBooks, and how much of them to the invoice."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta

import pytest

from qbo_sync_dagster.domain.eligibility import Standing
from qbo_sync_dagster.domain.own_money import Receipt
from qbo_sync_dagster.domain.payments_out import (
    OutgoingPayment,
    PaidDocument,
    PushScope,
    Verdict,
    judge_receipt,
    line_for,
    outgoing_payment,
    reduced_line,
    refunds_settled,
)
from qbo_sync_dagster.domain.sync_marker import markers_in, sync_marker

SCOPE = PushScope(date(2026, 3, 1), datetime(2026, 3, 1, 20, tzinfo=UTC))
RECEIPT = Receipt(
    "row",
    "invoice",
    4_000,
    date(2026, 3, 5),
    datetime(2026, 3, 5, tzinfo=UTC),
    "check",
    "a reference longer than 21 characters",
)
LINKED = PaidDocument("invoice", "INV-1", "client", "USD", quickbooks_id="130")
UNLINKED = replace(LINKED, quickbooks_id=None, standing=Standing.TO_EXPORT)


@pytest.mark.parametrize(
    ("document", "expected"),
    [
        (LINKED, Verdict.SEND),
        (UNLINKED, Verdict.WAIT),
        (replace(UNLINKED, export_failed=True), Verdict.NO_INVOICE),
        (replace(UNLINKED, standing=Standing.BEFORE_GO_LIVE), Verdict.NO_INVOICE),
        (replace(UNLINKED, standing=Standing.BOOKED_BY_ALGAPSA), Verdict.NO_INVOICE),
        (replace(UNLINKED, standing=Standing.CANCELLED), Verdict.NO_INVOICE),
        (replace(UNLINKED, standing=Standing.PREPAYMENT), Verdict.LEFT_OUT),
        (replace(UNLINKED, standing=Standing.ELSEWHERE), Verdict.LEFT_OUT),
        (replace(UNLINKED, standing=Standing.LINKED), Verdict.LEFT_OUT),
        (replace(LINKED, is_client_linked=False), Verdict.NO_CUSTOMER),
        (replace(LINKED, is_draft=True), Verdict.REOPENED),
        (replace(LINKED, is_gone_there=True), Verdict.GONE),
        (replace(LINKED, differs=True), Verdict.TOTAL_DIFFERENCE),
        (replace(LINKED, waiting=frozenset({"181"})), Verdict.SAME_MONEY),
    ],
)
def test_what_becomes_of_a_receipt_follows_from_its_invoice(
    document: PaidDocument, expected: Verdict
) -> None:
    assert judge_receipt(RECEIPT, document, SCOPE) is expected


def test_a_payment_that_staff_told_apart_holds_nothing() -> None:
    waits = replace(LINKED, waiting=frozenset({"181"}))

    assert judge_receipt(RECEIPT, waits, SCOPE, {"181"}) is Verdict.SEND
    assert judge_receipt(RECEIPT, waits, SCOPE, {"182"}) is Verdict.SAME_MONEY


def test_a_receipt_before_go_live_is_late_only_if_recorded_since_connecting() -> None:
    early = replace(RECEIPT, date=date(2026, 2, 28))
    long_ago = replace(early, created_at=datetime(2026, 2, 27, tzinfo=UTC))

    assert judge_receipt(early, LINKED, SCOPE) is Verdict.LATE
    assert judge_receipt(long_ago, LINKED, SCOPE) is Verdict.BEFORE_GO_LIVE


@pytest.mark.parametrize(
    ("seconds", "expected"), [(-1, Verdict.BEFORE_GO_LIVE), (0, Verdict.LATE), (1, Verdict.LATE)]
)
def test_recorded_since_connecting_is_judged_to_the_second(seconds: int, expected: Verdict) -> None:
    created_at = SCOPE.connected_at + timedelta(seconds=seconds)
    early = replace(RECEIPT, date=date(2026, 2, 28), created_at=created_at)

    assert judge_receipt(early, LINKED, SCOPE) is expected


def test_a_receipt_of_the_go_live_day_itself_is_sent() -> None:
    assert judge_receipt(replace(RECEIPT, date=SCOPE.go_live), LINKED, SCOPE) is Verdict.SEND


def test_refunds_are_settled_once_both_sides_hold_the_same_with_what_is_on_its_way() -> None:
    assert refunds_settled(7_500, 7_500, 0)
    assert refunds_settled(7_500, 3_500, 4_000)
    assert not refunds_settled(7_500, 7_500, 4_000)
    assert not refunds_settled(7_500, 10_000, 0)


def test_a_receipt_that_was_taken_back_is_never_sent() -> None:
    assert judge_receipt(replace(RECEIPT, taken_back=4_000), LINKED, SCOPE) is Verdict.TAKEN_BACK


@pytest.mark.parametrize(
    ("amount", "balance", "shortfall", "both_real", "expected"),
    [
        (4_000, 10_000, 0, False, 4_000),
        (4_000, 4_000, 0, False, 4_000),
        (4_000, 3_999, 0, False, None),
        (4_000, 3_995, 5, False, 3_995),
        (4_000, 3_994, 5, False, None),
        (4_000, 1_000, 0, True, 1_000),
        (4_000, 0, 0, True, 0),
        (4_000, -500, 0, True, 0),
    ],
)
def test_the_line_never_exceeds_what_is_open_and_less_is_held(
    amount: int, balance: int, shortfall: int, both_real: bool, expected: int | None
) -> None:
    line = line_for(amount, balance, accepted_shortfall=shortfall, are_both_real=both_real)

    assert line == expected


def test_a_shrinking_payment_gives_up_its_unapplied_rest_first() -> None:
    assert reduced_line(4_000, 6_000, 5_000) == 4_000
    assert reduced_line(4_000, 6_000, 3_000) == 3_000


def sent_as(receipt: Receipt = RECEIPT, day: date | None = None) -> OutgoingPayment:
    return outgoing_payment(
        "9341",
        receipt,
        LINKED,
        customer_id="7",
        line_minor=4_000,
        exchange_rate=None,
        deposit_account=None,
        day=day,
    )


def test_staffs_date_goes_before_the_receipts_own() -> None:
    assert sent_as(day=date(2026, 4, 1)).date == date(2026, 4, 1)


def test_a_note_too_long_for_quickbooks_keeps_its_marker() -> None:
    sent = sent_as(replace(RECEIPT, reference="x" * 5_000))

    assert len(sent.note) == 4_000
    assert markers_in(sent.note) == (sync_marker("9341", "payment", "row"),)


def test_a_reference_copied_from_another_payments_note_brings_no_second_marker() -> None:
    copied = sync_marker("9341", "payment", "another row")
    sent = sent_as(replace(RECEIPT, reference=f"see {copied}"))

    assert markers_in(sent.note) == (sync_marker("9341", "payment", "row"),)


def test_the_payment_carries_its_marker_its_date_and_21_characters() -> None:
    sent = sent_as()

    assert markers_in(sent.note) == (sync_marker("9341", "payment", "row"),)
    assert sent.reference == "a reference longer th"
    assert sent.date == RECEIPT.date


def test_a_marker_is_of_one_record_of_one_company() -> None:
    assert len({sync_marker(r, "payment", row) for r in "12" for row in ("a", "b")}) == 4
    assert sync_marker("1", "payment", "a") == sync_marker("1", "payment", "a")
