"""Payments from before the sync, paired or listed."""

from __future__ import annotations

from datetime import date, timedelta

from qbo_sync_dagster.domain.history_pairing import (
    HistoricMoney,
    pair_history,
    without_taken_back,
)

MARCH = date(2026, 3, 2)


def money(
    record: str, minor: int = 10_000, days: int = 0, *, invoice: str = "i1", credit: bool = False
) -> HistoricMoney:
    return HistoricMoney(record, invoice, minor, MARCH + timedelta(days=days), credit)


def paired(ours: list[HistoricMoney], theirs: list[HistoricMoney]) -> list[tuple[str, str]]:
    found = pair_history(ours, theirs)
    return [(each.ours.record_id, each.theirs.record_id) for each in found.pairs]


def test_the_same_amount_on_the_same_invoice_within_a_week_is_a_pair() -> None:
    assert paired([money("a")], [money("q", days=7)]) == [("a", "q")]


def test_more_than_a_week_apart_is_listed_on_both_sides() -> None:
    found = pair_history([money("a")], [money("q", days=8)])

    assert found.pairs == ()
    assert "dated 8 days apart" in found.ours[0].reason
    assert "dated 8 days apart" in found.theirs[0].reason


def test_another_amount_or_another_invoice_is_no_pair() -> None:
    assert paired([money("a", 10_000)], [money("q", 10_001)]) == []
    assert paired([money("a")], [money("q", invoice="i2")]) == []


def test_a_credit_never_pairs_with_a_payment() -> None:
    assert paired([money("a")], [money("q", credit=True)]) == []
    assert paired([money("a", credit=True)], [money("q", credit=True)]) == [("a", "q")]


def test_two_equal_payments_are_not_guessed() -> None:
    found = pair_history([money("a")], [money("q", days=1), money("r", days=2)])

    assert found.pairs == ()
    assert "several of this amount" in found.ours[0].reason
    assert [each.money.record_id for each in found.theirs] == ["q", "r"]


def test_equal_instalments_pair_by_their_day() -> None:
    ours = [money("a"), money("b", days=5)]

    assert paired(ours, [money("q", days=5), money("r")]) == [("a", "r"), ("b", "q")]


def test_one_cheque_over_two_invoices_pairs_on_each() -> None:
    theirs = [money("q"), money("q", invoice="i2")]

    assert paired([money("a"), money("b", invoice="i2")], theirs) == [("a", "q"), ("b", "q")]


def test_nothing_on_the_other_side_is_listed() -> None:
    [left] = pair_history([], [money("q")]).theirs

    assert "AlgaPSA has no payment of this amount" in left.reason


def test_what_was_taken_back_no_longer_counts() -> None:
    rows = [money("a"), money("b", -10_000, days=1), money("c", 5_000)]

    assert [each.record_id for each in without_taken_back(rows)] == ["c"]
