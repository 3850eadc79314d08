"""What people changed of a pushed payment, and what of that is no drift."""

from __future__ import annotations

from dataclasses import replace

import pytest

from qbo_sync_dagster.domain.payment_view import (
    PaymentView,
    applied_since,
    as_applied,
    payment_differences,
)

AGREED = PaymentView("live", "7", "2026-03-05", "USD", 10_000, {"130": 10_000})


def fields(shown: PaymentView, refunded: int = 0, agreed: PaymentView = AGREED) -> list[str]:
    return [each.field for each in payment_differences(agreed, shown, refunded)]


@pytest.mark.parametrize(
    ("shown", "expected"),
    [
        (AGREED, []),
        (replace(AGREED, date="2026-03-06"), ["date"]),
        (replace(AGREED, customer_id="8"), ["customer"]),
        (replace(AGREED, total_minor=9_000, lines={"130": 9_000}), ["total", "on invoice 130"]),
        (replace(AGREED, lines={"131": 10_000}), ["on invoice 130", "on invoice 131"]),
        (AGREED.gone(), ["state"]),
        (AGREED.gone("voided"), ["state"]),
    ],
)
def test_every_change_of_the_money_is_drift(shown: PaymentView, expected: list[str]) -> None:
    assert fields(shown) == expected


def test_a_rest_applied_to_its_own_invoice_later_is_no_drift() -> None:
    agreed = replace(AGREED, lines={"130": 4_000})

    assert fields(AGREED, agreed=agreed) == []


@pytest.mark.parametrize(("refunded", "is_drift"), [(2_500, False), (2_499, True), (9_000, False)])
def test_a_reduction_by_at_most_the_refund_is_the_refund(refunded: int, is_drift: bool) -> None:
    shown = replace(AGREED, total_minor=7_500, lines={"130": 7_500})

    assert bool(fields(shown, refunded)) is is_drift


def test_money_moved_elsewhere_is_drift_whatever_was_refunded() -> None:
    shown = replace(AGREED, total_minor=7_500, lines={"131": 7_500})

    assert fields(shown, 2_500)


def test_a_view_survives_the_ledger() -> None:
    assert PaymentView.from_json(AGREED.as_json()).as_json() == AGREED.as_json()


@pytest.mark.parametrize("line", [{"130": 4_000}, {}])
def test_what_was_never_applied_is_agreed_on_as_unapplied(line: dict[str, int]) -> None:
    agreed = as_applied(AGREED, replace(AGREED, lines=line))

    assert (agreed.total_minor, agreed.lines) == (10_000, {"130": line.get("130", 0)})


@pytest.mark.parametrize(
    "shown",
    [
        AGREED,
        replace(AGREED, lines={"131": 10_000}),
        replace(AGREED, lines={"130": 4_000, "131": 6_000}),
        replace(AGREED, date="2026-03-06", lines={"130": 4_000}),
        replace(AGREED, total_minor=4_000, lines={"130": 4_000}),
        AGREED.gone("voided"),
    ],
)
def test_anything_else_that_quickbooks_shows_leaves_what_was_sent_agreed_on(
    shown: PaymentView,
) -> None:
    assert as_applied(AGREED, shown) == AGREED


def test_a_rest_that_a_bookkeeper_applied_is_agreed_on_from_then() -> None:
    agreed = replace(AGREED, lines={"130": 4_000})

    assert applied_since(agreed, AGREED) == AGREED


@pytest.mark.parametrize(
    "shown",
    [
        replace(AGREED, lines={"130": 4_000}),
        replace(AGREED, lines={"130": 3_000}),
        replace(AGREED, lines={"130": 5_000, "131": 5_000}),
        replace(AGREED, date="2026-03-06"),
        replace(AGREED, total_minor=12_000, lines={"130": 12_000}),
        AGREED.gone(),
    ],
)
def test_no_other_change_is_agreed_on_by_itself(shown: PaymentView) -> None:
    assert applied_since(replace(AGREED, lines={"130": 4_000}), shown) is None
