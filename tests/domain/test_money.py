"""Amounts: whole cents of one currency, or refused."""

from __future__ import annotations

from decimal import Decimal

import pytest

from qbo_sync_dagster.domain.errors import MoneyError
from qbo_sync_dagster.domain.money import Money, format_minor, has_cents, to_decimal, to_minor


@pytest.mark.parametrize(
    ("amount", "minor"),
    [
        (Decimal("10.50"), 1_050),
        (Decimal("10.5"), 1_050),
        (Decimal("-0.01"), -1),
        (Decimal("1E+2"), 10_000),
        (0, 0),
        (7, 700),
        ("12.34", 1_234),
        (Decimal("9999999999999.99"), 999_999_999_999_999),
    ],
)
def test_an_amount_becomes_whole_cents(amount: Decimal | int | str, minor: int) -> None:
    assert to_minor(amount) == minor


@pytest.mark.parametrize("amount", [Decimal("0.001"), Decimal("10.005"), "1e-3"])
def test_fractions_of_a_cent_are_refused_and_never_rounded(amount: Decimal | str) -> None:
    with pytest.raises(MoneyError, match="fractions of a cent"):
        to_minor(amount)


@pytest.mark.parametrize(
    "amount",
    [Decimal(10**13), Decimal(-(10**13)), Decimal("Infinity"), Decimal("NaN"), Decimal("1E+999")],
)
def test_amounts_that_no_books_hold_are_refused(amount: Decimal) -> None:
    with pytest.raises(MoneyError):
        to_minor(amount)


@pytest.mark.parametrize("amount", ["", "ten", "1,000.00", None, "x" * 100_000])
def test_what_is_no_amount_is_refused_with_a_short_message(amount: str) -> None:
    with pytest.raises(MoneyError) as caught:
        to_minor(amount)
    assert len(str(caught.value)) < 100


@pytest.mark.parametrize("currency", ["USD", "EUR", "gbp"])
def test_currencies_with_hundredths_can_be_kept(currency: str) -> None:
    assert has_cents(currency)


@pytest.mark.parametrize("currency", ["JPY", "jpy", "KRW", "KWD", "BHD", "CLF", "", "US", "EURO"])
def test_currencies_without_hundredths_cannot(currency: str) -> None:
    assert not has_cents(currency)


def test_amounts_of_one_currency_add_and_subtract() -> None:
    assert Money(1_050, "USD") + Money(50, "USD") == Money(1_100, "USD")
    assert Money(1_050, "USD") - Money(2_000, "USD") == Money(-950, "USD")
    assert -Money(1, "USD") == Money(-1, "USD")


def test_amounts_of_two_currencies_never_mix() -> None:
    with pytest.raises(MoneyError, match="USD and EUR"):
        Money(1, "USD") + Money(1, "EUR")
    with pytest.raises(MoneyError):
        Money(1, "USD") - Money(1, "EUR")


def test_people_read_amounts_with_separators_and_two_places() -> None:
    assert format_minor(123_450) == "1,234.50"
    assert format_minor(-5) == "-0.05"
    assert str(Money(123_450, "USD")) == "1,234.50 USD"


def test_an_amount_for_quickbooks_is_exact() -> None:
    assert to_decimal(999_999_999_999_999) == Decimal("9999999999999.99")
