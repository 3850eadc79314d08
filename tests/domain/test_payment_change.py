"""What a pushed payment becomes: a reversal only takes away, a re-export needs room."""

from __future__ import annotations

import pytest

from qbo_sync_dagster.domain.payment_change import (
    lacking_room,
    plan_re_export,
    plan_reversal,
    refund_allowance,
)
from qbo_sync_dagster.domain.payment_view import PaymentView


def paid(total: int, **lines: int) -> PaymentView:
    return PaymentView("live", "58", "2026-03-02", "USD", total, lines or {"inv": total})


def test_a_reversal_leaves_what_algapsa_holds() -> None:
    plan = plan_reversal(paid(10_000), 6_000, 0)

    assert (plan.wanted, plan.settled, plan.accepted_minor) == (paid(6_000), paid(6_000), 0)
    assert not plan.is_removal


@pytest.mark.parametrize("net", [0, -500])
def test_a_payment_taken_back_whole_is_removed(net: int) -> None:
    plan = plan_reversal(paid(10_000), net, 0)

    assert plan.is_removal
    assert (plan.settled.total_minor, plan.accepted_minor) == (0, 0)


def test_what_was_taken_for_a_refund_stays_away_and_is_still_agreed_on() -> None:
    plan = plan_reversal(paid(10_000), 8_000, 2_500)

    assert (plan.wanted, plan.settled) == (paid(5_500), paid(8_000))


def test_a_refund_as_large_as_what_is_left_removes_the_payment() -> None:
    assert plan_reversal(paid(10_000), 2_500, 2_500).is_removal
    assert not plan_reversal(paid(10_000), 2_501, 2_500).is_removal


def test_what_was_accepted_to_be_less_never_comes_back_with_a_reversal() -> None:
    plan = plan_reversal(paid(3_000), 3_500, 0)

    assert (plan.wanted, plan.accepted_minor) == (paid(3_000), 500)


def test_what_was_accepted_to_be_more_stays_with_a_reversal() -> None:
    plan = plan_reversal(paid(4_000), 2_500, 0, 1_000)

    assert (plan.wanted, plan.settled, plan.accepted_minor) == (paid(3_500), paid(3_500), -1_000)


def test_a_payment_taken_back_whole_stays_by_what_was_accepted_to_be_more() -> None:
    plan = plan_reversal(paid(4_000), 0, 0, 1_000)

    assert (plan.wanted.total_minor, plan.accepted_minor) == (1_000, -1_000)
    assert not plan.is_removal


def test_what_was_accepted_to_be_more_is_over_once_algapsa_holds_it_again() -> None:
    plan = plan_reversal(paid(4_000), 4_000, 0, 1_000)

    assert (plan.wanted, plan.accepted_minor) == (paid(4_000), 0)


def test_a_reversal_takes_the_unapplied_rest_first() -> None:
    assert plan_reversal(paid(10_000, inv=6_000), 7_000, 0).wanted.lines == {"inv": 6_000}
    assert plan_reversal(paid(10_000, inv=6_000), 5_000, 0).wanted.lines == {"inv": 5_000}


def test_a_re_export_is_the_whole_of_what_algapsa_holds() -> None:
    plan = plan_re_export(paid(10_000), 10_000)

    assert (plan.wanted, plan.settled, plan.accepted_minor) == (paid(10_000), paid(10_000), 0)


def test_a_re_export_brings_what_was_accepted_to_be_less_back_onto_the_invoice() -> None:
    assert plan_re_export(paid(3_000), 4_000).wanted == paid(4_000)
    assert plan_re_export(paid(3_000, inv=2_000), 4_000).wanted.lines == {"inv": 3_000}
    assert plan_re_export(paid(3_000), 2_000).wanted == paid(2_000)


def test_refunds_are_allowed_for_once() -> None:
    assert refund_allowance(2_500, []) == 2_500
    assert refund_allowance(2_500, [(paid(5_000), paid(4_000))]) == 1_500
    assert refund_allowance(2_500, [(paid(5_000), paid(1_000))]) == 0


def test_a_payment_fits_where_enough_is_open_beside_its_own_part() -> None:
    assert lacking_room(paid(10_000), paid(1_000), {"inv": 9_000}) is None
    assert lacking_room(paid(10_000), paid(10_000), {"inv": 0}) is None


def test_a_payment_that_does_not_fit_says_what_is_open() -> None:
    assert lacking_room(paid(10_000), paid(1_000), {"inv": 8_999}) == (
        "Its invoice has only 89.99 open in QuickBooks, and 90.00 of the payment would have to go "
        "there."
    )
    assert lacking_room(paid(100), paid(0), {}) is not None
    assert lacking_room(paid(100), paid(0), {"inv": -50}) is not None
