"""The rules of payments in, one behaviour each, without any I/O."""

from __future__ import annotations

from datetime import date
from typing import Any

import pytest

from qbo_sync_dagster.domain.errors import MalformedObjectError
from qbo_sync_dagster.domain.payment_order import application_order
from qbo_sync_dagster.domain.payment_plan import (
    Capped,
    CapReason,
    PaymentPlan,
    StalePlan,
    StatusChange,
)
from qbo_sync_dagster.domain.payment_refusals import RefusalKind, Withheld
from qbo_sync_dagster.domain.payment_standing import (
    InvoiceState,
    PaymentDecisions,
    RowKind,
    StandingRow,
)
from qbo_sync_dagster.domain.payment_status import status_after
from qbo_sync_dagster.domain.payment_wanted import PaymentEnd, WantedLine, WantedPayment
from qbo_sync_dagster.domain.payments_in import plan_payment
from qbo_sync_dagster.domain.same_money import LocalKind, LocalMoney, live_money, twin

MARCH = date(2026, 3, 2)


def wanted(*lines: tuple[str, int], version: int = 0, **fields: Any) -> WantedPayment:
    described: dict[str, Any] = {
        "date": MARCH,
        "currency": "USD",
        "reference": "CHQ 17",
        "customer_id": "58",
    }
    return WantedPayment(
        "realm-1",
        "181",
        version,
        lines=tuple(WantedLine(*line) for line in lines),
        **(described | fields),
    )


def invoice(invoice_id: str, total: int = 10_000, **fields: Any) -> InvoiceState:
    described: dict[str, Any] = {
        "number": f"INV-{invoice_id}",
        "status": "sent",
        "currency": "USD",
        "total_minor": total,
        "credit_applied_minor": 0,
        "paid_minor": 0,
    }
    return InvoiceState(invoice_id, **(described | fields))


def states(*invoices: InvoiceState) -> dict[str, InvoiceState]:
    return {each.invoice_id: each for each in invoices}


def row(invoice_id: str, minor: int, version: int = 0, **fields: Any) -> StandingRow:
    described: dict[str, Any] = {
        "row_id": f"row-{invoice_id}",
        "kind": RowKind.PAYMENT,
        "date": MARCH,
    }
    return StandingRow(invoice_id=invoice_id, minor=minor, version=version, **(described | fields))


def plan(*args: Any) -> PaymentPlan:
    outcome = plan_payment(*args)
    assert isinstance(outcome, PaymentPlan)
    return outcome


def refused(*args: Any) -> RefusalKind:
    """The kind of a plan that writes nothing at all."""
    outcome = plan(*args)
    assert outcome.is_empty
    assert outcome.refusal
    return outcome.refusal.kind


def amounts(outcome: PaymentPlan) -> list[tuple[str, int]]:
    return [(each.invoice_id, each.minor) for each in outcome.rows]


def test_new_payment_is_recorded_with_quickbooks_date_and_settles_its_invoice() -> None:
    outcome = plan(wanted(("a", 10_000), version=3), (), states(invoice("a")))
    (payment,) = outcome.rows
    assert (payment.minor, payment.date, payment.version) == (10_000, MARCH, 3)
    assert outcome.statuses == (StatusChange("a", "paid"),)
    assert outcome.refusal is None


def test_part_payment_leaves_the_invoice_partly_paid() -> None:
    outcome = plan(wanted(("a", 4_000)), (), states(invoice("a")))
    assert outcome.statuses == (StatusChange("a", "partially_applied"),)


def test_several_lines_on_one_invoice_are_one_allocation() -> None:
    outcome = plan(wanted(("a", 4_000), ("a", 2_500)), (), states(invoice("a")))
    assert amounts(outcome) == [("a", 6_500)]


def test_one_cheque_over_three_invoices_is_one_plan() -> None:
    books = states(invoice("a"), invoice("b"), invoice("c"))
    outcome = plan(wanted(("c", 100), ("a", 200), ("b", 300)), (), books)
    assert amounts(outcome) == [("a", 200), ("b", 300), ("c", 100)]


def test_replay_of_an_applied_payment_writes_nothing() -> None:
    paid = states(invoice("a", paid_minor=10_000, status="paid"))
    assert plan(wanted(("a", 10_000)), (row("a", 10_000),), paid) == PaymentPlan()


def test_new_version_without_a_change_of_line_or_date_writes_nothing() -> None:
    paid = states(invoice("a", paid_minor=10_000, status="paid"))
    assert plan(wanted(("a", 10_000), version=4), (row("a", 10_000),), paid).is_empty


def test_raised_payment_is_reversed_and_recorded_anew() -> None:
    books = states(invoice("a", paid_minor=4_000, status="partially_applied"))
    outcome = plan(wanted(("a", 10_000), version=1), (row("a", 4_000),), books)
    assert amounts(outcome) == [("a", -4_000), ("a", 10_000)]
    assert outcome.rows[0].reverses == "row-a"
    assert outcome.statuses == (StatusChange("a", "paid"),)


def test_moved_date_is_reversed_on_the_old_date_and_recorded_on_the_new_one() -> None:
    books = states(invoice("a", paid_minor=4_000, status="partially_applied"))
    april = date(2026, 4, 1)
    outcome = plan(wanted(("a", 4_000), version=1, date=april), (row("a", 4_000),), books)
    assert [(each.minor, each.date) for each in outcome.rows] == [(-4_000, MARCH), (4_000, april)]


@pytest.mark.parametrize("end", list(PaymentEnd))
def test_void_unapply_and_deletion_take_everything_back(end: PaymentEnd) -> None:
    books = states(invoice("a", paid_minor=10_000, status="paid"))
    outcome = plan(wanted(("a", 10_000), version=1, gone=end), (row("a", 10_000),), books)
    assert amounts(outcome) == [("a", -10_000)]
    assert outcome.statuses == (StatusChange("a", "sent"),)


def test_payment_left_without_lines_takes_everything_back() -> None:
    books = states(invoice("a", paid_minor=10_000, status="paid"))
    assert amounts(plan(wanted(version=1), (row("a", 10_000),), books)) == [("a", -10_000)]


def test_older_version_is_overtaken_by_what_stands() -> None:
    books = states(invoice("a", paid_minor=10_000))
    outcome = plan_payment(wanted(("a", 5_000), version=1), (row("a", 10_000, 2),), books)
    assert outcome == StalePlan("181", 1, 2)


def test_no_version_comes_after_a_deletion() -> None:
    standing = (
        row("a", 5_000),
        row(
            "a", -5_000, row_id="r", kind=RowKind.REVERSAL, reverses="row-a", records_deletion=True
        ),
    )
    outcome = plan_payment(wanted(("a", 5_000), version=9), standing, states(invoice("a")))
    assert isinstance(outcome, StalePlan)


def test_deletion_is_never_overtaken() -> None:
    books = states(invoice("a", paid_minor=5_000))
    gone = wanted(version=-1, gone=PaymentEnd.DELETED)
    (reversal,) = plan(gone, (row("a", 5_000, 7),), books).rows
    assert (reversal.minor, reversal.version) == (-5_000, 7)


@pytest.mark.parametrize("status", ["draft", "cancelled", "void"])
def test_payment_waits_while_its_invoice_takes_none(status: str) -> None:
    books = states(invoice("a", status=status))
    assert refused(wanted(("a", 100)), (), books) is RefusalKind.NOT_PAYABLE


def test_payment_waits_when_algapsa_no_longer_has_the_invoice() -> None:
    assert refused(wanted(("a", 100)), (), {}) is RefusalKind.NOT_PAYABLE


def test_payment_in_another_currency_waits() -> None:
    books = states(invoice("a"))
    assert refused(wanted(("a", 100), currency="EUR"), (), books) is RefusalKind.CURRENCY


def test_currency_without_cents_waits() -> None:
    books = states(invoice("a", currency="JPY"))
    assert refused(wanted(("a", 100), currency="JPY"), (), books) is RefusalKind.CURRENCY


def test_payment_that_must_mint_prepaid_credit_waits() -> None:
    books = states(invoice("a", has_prepaid_replenishment=True))
    assert refused(wanted(("a", 100)), (), books) is RefusalKind.PREPAID_REPLENISHMENT


def test_payment_larger_than_the_balance_waits_and_names_the_amounts() -> None:
    books = states(invoice("a", paid_minor=4_000, credit_applied_minor=1_000))
    outcome = plan(wanted(("a", 5_001)), (), books)
    assert outcome.refusal
    (reason,) = outcome.refusal.reasons
    assert outcome.is_empty
    assert reason.kind is RefusalKind.SETTLED
    assert (reason.wanted_minor, reason.room_minor, reason.number) == (5_001, 5_000, "INV-a")
    assert outcome.refusal.withheld == (Withheld("a", 5_001),)


def test_payment_of_exactly_the_balance_is_taken() -> None:
    books = states(invoice("a", paid_minor=4_000, credit_applied_minor=1_000))
    assert amounts(plan(wanted(("a", 5_000)), (), books)) == [("a", 5_000)]


def test_two_lines_that_together_exceed_the_balance_wait() -> None:
    lines = (("a", 6_000), ("a", 6_000))
    assert refused(wanted(*lines), (), states(invoice("a"))) is RefusalKind.SETTLED


def test_one_settled_invoice_makes_the_whole_payment_wait() -> None:
    books = states(invoice("a"), invoice("b", paid_minor=10_000, status="paid"))
    outcome = plan(wanted(("a", 100), ("b", 200)), (), books)
    assert outcome.is_empty
    assert outcome.refusal
    assert outcome.refusal.withheld == (Withheld("a", 100), Withheld("b", 200))


def test_edit_takes_back_what_quickbooks_no_longer_holds_even_if_the_rest_waits() -> None:
    books = states(invoice("a", paid_minor=10_000, status="paid"), invoice("b", status="draft"))
    outcome = plan(wanted(("b", 10_000), version=1), (row("a", 10_000),), books)
    assert amounts(outcome) == [("a", -10_000)]
    assert outcome.refusal
    assert outcome.refusal.kind is RefusalKind.NOT_PAYABLE
    assert outcome.refusal.withheld == (Withheld("b", 10_000),)


def test_payment_moved_to_an_unknown_invoice_is_taken_back_and_waits() -> None:
    books = states(invoice("a", paid_minor=10_000, status="paid"))
    moved = wanted(version=1, unknown_lines=(WantedLine("977", 500),))
    outcome = plan(moved, (row("a", 10_000),), books)
    assert amounts(outcome) == [("a", -10_000)]
    assert outcome.refusal
    assert outcome.refusal.kind is RefusalKind.UNKNOWN_INVOICE


def test_reduction_on_a_cancelled_invoice_is_taken_back_without_reviving_it() -> None:
    books = states(invoice("a", paid_minor=10_000, status="cancelled"))
    outcome = plan(wanted(("a", 2_000), version=1), (row("a", 10_000),), books)
    assert amounts(outcome) == [("a", -10_000), ("a", 2_000)]
    assert outcome.statuses == ()


def test_open_total_difference_holds_the_payment_under_its_own_exception() -> None:
    decisions = PaymentDecisions(open_difference={"a"})
    outcome = refused(wanted(("a", 10_001)), (), states(invoice("a")), decisions)
    assert outcome is RefusalKind.TOTAL_DIFFERENCE


def test_accepted_difference_caps_the_allocation_and_names_the_rest() -> None:
    decisions = PaymentDecisions(accepted_difference={"a": 5})
    outcome = plan(wanted(("a", 10_005)), (), states(invoice("a")), decisions)
    assert amounts(outcome) == [("a", 10_000)]
    assert outcome.capped == (Capped("a", 5, CapReason.ACCEPTED_DIFFERENCE),)


def test_accepted_difference_lets_nothing_beyond_it_through() -> None:
    decisions = PaymentDecisions(accepted_difference={"a": 5})
    outcome = refused(wanted(("a", 10_006)), (), states(invoice("a")), decisions)
    assert outcome is RefusalKind.SETTLED


def test_capped_payment_is_stable_when_replayed() -> None:
    decisions = PaymentDecisions(accepted_difference={"a": 5})
    paid = states(invoice("a", paid_minor=10_000, status="paid"))
    assert plan(wanted(("a", 10_005)), (row("a", 10_000),), paid, decisions).is_empty


def test_both_are_real_applies_what_the_invoice_takes_and_names_the_overpayment() -> None:
    local = LocalMoney("stripe-1", LocalKind.PAYMENT, 8_000)
    books = states(invoice("a", paid_minor=8_000, local_money=(local,)))
    outcome = plan(wanted(("a", 8_000)), (), books, PaymentDecisions(both_real={"a"}))
    assert amounts(outcome) == [("a", 2_000)]
    assert outcome.capped == (Capped("a", 6_000, CapReason.OVERPAID),)


def test_same_amount_recorded_in_algapsa_holds_the_payment() -> None:
    local = LocalMoney("cheque-1", LocalKind.PAYMENT, 3_000)
    books = states(invoice("a", paid_minor=3_000, local_money=(local,)))
    outcome = plan(wanted(("a", 3_000)), (), books)
    assert outcome.is_empty
    assert outcome.refusal
    assert outcome.refusal.kind is RefusalKind.SAME_MONEY
    assert outcome.refusal.reasons[0].twin == local


def test_same_money_on_a_settled_invoice_carries_the_settled_title() -> None:
    local = LocalMoney("cheque-1", LocalKind.PAYMENT, 10_000)
    books = states(invoice("a", paid_minor=10_000, status="paid", local_money=(local,)))
    outcome = plan(wanted(("a", 10_000)), (), books)
    assert outcome.refusal
    assert outcome.refusal.kind is RefusalKind.SETTLED
    assert outcome.refusal.reasons[0].twin == local


def test_local_payment_that_has_its_own_quickbooks_payment_is_no_twin() -> None:
    local = LocalMoney("cheque-1", LocalKind.PAYMENT, 3_000)
    books = states(invoice("a", paid_minor=3_000, local_money=(local,)))
    decisions = PaymentDecisions(with_counterpart={"cheque-1"})
    assert amounts(plan(wanted(("a", 3_000)), (), books, decisions)) == [("a", 3_000)]


def test_raise_by_the_amount_of_a_local_payment_may_be_the_same_money() -> None:
    local = LocalMoney("cheque-2", LocalKind.PAYMENT, 3_000)
    books = states(invoice("a", paid_minor=5_000, local_money=(local,)))
    outcome = refused(wanted(("a", 5_000), version=1), (row("a", 2_000),), books)
    assert outcome is RefusalKind.SAME_MONEY


def test_refunded_local_payment_is_no_longer_money() -> None:
    paid = LocalMoney("p", LocalKind.PAYMENT, 3_000)
    refund = LocalMoney("r", LocalKind.PAYMENT, -3_000)
    assert live_money((paid, refund)) == ()
    assert twin({3_000}, (paid, refund), ()) is None


def test_credit_application_of_the_same_amount_is_a_twin() -> None:
    applied = LocalMoney("tx-1", LocalKind.CREDIT_APPLICATION, 3_000)
    assert twin({3_000}, (applied,), ()) == applied


def test_matched_payment_stands_for_the_quickbooks_payment() -> None:
    books = states(invoice("a", paid_minor=3_000))
    matched = row("a", 3_000, row_id="cheque-1", kind=RowKind.MATCHED)
    decisions = PaymentDecisions(matched_rows={"cheque-1"})
    assert plan(wanted(("a", 3_000), version=5), (matched,), books, decisions) == PaymentPlan()


def test_matched_payment_that_changes_in_quickbooks_moves_nothing_by_itself() -> None:
    books = states(invoice("a", paid_minor=3_000))
    matched = row("a", 3_000, row_id="cheque-1", kind=RowKind.MATCHED)
    decisions = PaymentDecisions(matched_rows={"cheque-1"})
    gone = wanted(version=5, gone=PaymentEnd.VOIDED)
    assert refused(gone, (matched,), books, decisions) is RefusalKind.MATCHED_CHANGED


def test_matched_payment_that_vanished_from_algapsa_moves_nothing_by_itself() -> None:
    decisions = PaymentDecisions(matched_rows={"cheque-1"})
    outcome = refused(wanted(("a", 3_000)), (), states(invoice("a")), decisions)
    assert outcome is RefusalKind.MATCHED_CHANGED


def test_settled_invoice_that_can_still_be_paid_online_is_named() -> None:
    books = states(invoice("a", has_active_payment_link=True))
    assert plan(wanted(("a", 10_000)), (), books).still_payable_online == ("a",)
    assert plan(wanted(("a", 9_999)), (), books).still_payable_online == ()


def test_reversal_whose_original_algapsa_lost_does_not_make_the_plan_grow() -> None:
    orphan = row("a", -4_000, kind=RowKind.REVERSAL, reverses="lost")
    books = states(invoice("a", paid_minor=-4_000))
    assert amounts(plan(wanted(("a", 1_000)), (orphan,), books)) == [("a", 5_000)]


def test_negative_line_is_refused_as_malformed() -> None:
    with pytest.raises(MalformedObjectError, match="181"):
        wanted(("a", -1))


def test_row_ids_differ_between_rows_and_repeat_for_a_replay() -> None:
    books = states(invoice("a", paid_minor=500), invoice("b"))
    change = wanted(("a", 700), ("b", 100), version=1)
    first, again = plan(change, (row("a", 500),), books), plan(change, (row("a", 500),), books)
    ids = [each.row_id for each in first.rows] + [each.transaction_id for each in first.rows]
    assert len(set(ids)) == 6
    assert first == again


def test_deletions_and_reductions_are_applied_before_new_payments() -> None:
    new, reduced = wanted(("a", 5)), wanted(("a", 5), version=2)
    deleted = wanted(gone=PaymentEnd.DELETED)
    turns = [
        application_order(deleted, {"a": 9}),
        application_order(reduced, {"a": 9}),
        application_order(new, {}),
    ]
    assert turns == sorted(turns)
    assert len({turn[0] for turn in turns}) == 3


@pytest.mark.parametrize(
    ("status", "paid", "written", "after"),
    [
        ("sent", 0, 10_000, "paid"),
        ("overdue", 0, 1, "partially_applied"),
        ("paid", 10_000, -10_000, "sent"),
        ("partially_applied", 500, -500, "sent"),
        ("overdue", 0, 0, "overdue"),
        ("cancelled", 500, -100, "cancelled"),
    ],
)
def test_status_follows_what_is_paid(status: str, paid: int, written: int, after: str) -> None:
    assert status_after(invoice("a", status=status, paid_minor=paid), written) == after


def test_a_reversal_of_algapsas_own_row_is_nothing_of_an_unmatched_payment() -> None:
    took_own = row("a", -4_000, 2, kind=RowKind.REVERSAL, row_id="r", reverses="o", takes_own=True)
    came = row("a", 3_000, 2)

    assert plan(wanted(("a", 3_000), version=2), (took_own, came), states(invoice("a"))).is_empty


def test_ids_of_new_rows_count_the_reversals_of_algapsas_own_rows_too() -> None:
    took_own = row("a", -4_000, 2, kind=RowKind.REVERSAL, row_id="r", reverses="o", takes_own=True)
    change = wanted(("a", 2_000), version=3)
    came = row("a", 3_000, 2)

    [without, _] = plan(change, (came,), states(invoice("a"))).rows
    [reversal, again] = plan(change, (took_own, came), states(invoice("a"))).rows

    assert (reversal.minor, again.minor) == (-3_000, 2_000)
    assert reversal.row_id != without.row_id
