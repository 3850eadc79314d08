"""Amounts on random values: nothing is lost or made on the way to QuickBooks and back."""

from __future__ import annotations

from decimal import Decimal

from hypothesis import given
from hypothesis import strategies as st

from qbo_sync_dagster.domain.errors import MoneyError
from qbo_sync_dagster.domain.money import format_minor, to_decimal, to_minor

CENTS = st.integers(min_value=-(10**15) + 1, max_value=10**15 - 1)


@given(CENTS)
def test_cents_come_back_from_quickbooks_as_they_went(minor: int) -> None:
    assert to_minor(to_decimal(minor)) == minor


@given(CENTS)
def test_what_people_read_is_the_amount(minor: int) -> None:
    assert Decimal(format_minor(minor).replace(",", "")) == to_decimal(minor)


@given(st.decimals(allow_nan=True, allow_infinity=True))
def test_an_amount_is_taken_exactly_or_refused(amount: Decimal) -> None:
    try:
        minor = to_minor(amount)
    except MoneyError:
        return
    assert Decimal(minor) == amount * 100
