"""Receipts, reversals and refunds: which row took back which."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta

import pytest

from qbo_sync_dagster.domain.algapsa_payments import PaymentKey, PaymentRecord
from qbo_sync_dagster.domain.own_money import is_own, is_refund, own_money

START = datetime(2026, 3, 1, tzinfo=UTC)


def row(row_id: str, minor: int, **changes: object) -> PaymentRecord:
    fields = {
        "row_id": row_id,
        "invoice_id": "invoice",
        "minor": minor,
        "method": "check",
        "date": date(2026, 3, 1),
        "status": "completed" if minor > 0 else "reversed",
        "reference": None,
        "key": None,
        "created_at": START + timedelta(minutes=ord(row_id[0])),
    }
    return PaymentRecord(**(fields | changes))


def nets(*rows: PaymentRecord, recorded: tuple[str, ...] = ()) -> dict[str, int]:
    return {each.row_id: each.net for each in own_money(rows, recorded).receipts}


def test_a_reversal_takes_back_the_receipt_that_its_reference_names() -> None:
    rows = row("a", 4_000, reference="17"), row("b", 4_000, reference="18")

    assert nets(*rows, row("c", -4_000, reference="reversal:17")) == {"a": 0, "b": 4_000}
    assert nets(*rows, row("c", -4_000, reference="reversal:b")) == {"a": 4_000, "b": 0}


def test_without_a_name_the_amount_decides_and_then_the_newest() -> None:
    assert nets(row("a", 4_000), row("b", 3_000), row("c", -4_000)) == {"a": 0, "b": 3_000}
    assert nets(row("a", 4_000), row("b", 4_000), row("c", -4_000)) == {"a": 4_000, "b": 0}


def test_a_larger_reversal_goes_on_to_the_next_receipt() -> None:
    assert nets(row("a", 4_000), row("b", 3_000), row("c", -5_000)) == {"a": 2_000, "b": 0}


def test_a_reversal_never_takes_back_more_than_there_was() -> None:
    assert nets(row("a", 4_000), row("b", -9_000)) == {"a": 0}


def test_a_name_counts_before_an_equal_amount() -> None:
    rows = row("a", 4_000), row("b", 1_500)

    assert nets(*rows, row("c", -1_500, reference="reversal:a")) == {"a": 2_500, "b": 1_500}


def test_a_second_reversal_finds_only_what_the_first_one_left() -> None:
    reversals = row("c", -4_000, reference="reversal:a"), row("d", -3_000, reference="reversal:a")

    assert nets(row("a", 4_000), row("b", 3_000), *reversals) == {"a": 0, "b": 0}


@pytest.mark.parametrize(
    ("status", "method", "expected"),
    [
        ("refunded", "check", True),
        ("completed", "refund", True),
        ("completed", "stripe_refund", True),
        ("reversed", "check", False),
    ],
)
def test_a_refund_is_told_by_status_or_method(status: str, method: str, expected: bool) -> None:
    assert is_refund(row("a", -100, status=status, method=method)) is expected


def test_a_refund_leaves_its_receipt_as_it_is() -> None:
    money = own_money([row("a", 4_000), row("b", -1_000, status="refunded")])

    assert [each.net for each in money.receipts] == [4_000]
    assert money.refunded_minor == 1_000


def test_what_staff_recorded_in_another_form_counts_no_more() -> None:
    rows = row("a", 4_000), row("b", -4_000), row("c", -500, status="refunded")

    assert nets(*rows, recorded=("b",)) == {"a": 4_000}
    assert own_money(rows, ("c",)).refunds == ()


def test_what_came_from_quickbooks_is_not_own_money() -> None:
    assert not is_own(row("a", 4_000, key=PaymentKey("1", "2", 0)))
    assert not is_own(row("a", 4_000, method="quickbooks"))
    assert is_own(row("a", 4_000, method="stripe"))


def test_what_was_followed_to_quickbooks_answers_a_receipt_without_taking_it_back() -> None:
    ours = row("b", -4_000, key=PaymentKey("1", "2", 1), method="quickbooks", reverses="a")

    [receipt] = own_money([row("a", 4_000), ours]).receipts

    assert (receipt.net, receipt.unanswered) == (4_000, 0)


def test_what_algapsa_took_back_itself_leaves_the_rest_unanswered() -> None:
    [receipt] = own_money([row("a", 4_000), row("b", -1_000, reference="reversal:a")]).receipts

    assert (receipt.net, receipt.unanswered) == (3_000, 3_000)
