"""Money as integer minor units with its currency, and its edge to QuickBooks' Decimal amounts.

What belongs here: units and conversion. What does not: any rule about documents or payments.
"""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal, InvalidOperation

from qbo_sync_dagster.domain.errors import MoneyError

MINOR_UNITS_PER_UNIT = 100

# ISO 4217 currencies whose exponent is not 2. AlgaPSA stores 1/100 of any currency, so an amount
# in one of these would be wrong by a factor of 10 or 100 on one of the two sides.
_WITHOUT_DECIMALS = "BIF CLP DJF GNF ISK JPY KMF KRW PYG RWF UGX UYI VND VUV XAF XOF XPF"
_WITH_THREE_OR_FOUR = "BHD CLF IQD JOD KWD LYD OMR TND UYW"
_OTHER_EXPONENTS = frozenset(f"{_WITHOUT_DECIMALS} {_WITH_THREE_OR_FOUR}".split())

# 15 digits is what Intuit documents for an amount; beyond it an answer is damaged, not large.
_LARGEST_MINOR = 10**15


@dataclass(frozen=True, slots=True, order=True)
class Money:
    """An amount in minor units (1/100) of one ISO 4217 currency. Negative amounts are allowed."""

    minor: int
    currency: str

    def __add__(self, other: Money) -> Money:
        return Money(self.minor + self._same(other).minor, self.currency)

    def __sub__(self, other: Money) -> Money:
        return Money(self.minor - self._same(other).minor, self.currency)

    def __neg__(self) -> Money:
        return Money(-self.minor, self.currency)

    def _same(self, other: Money) -> Money:
        if self.currency != other.currency:
            raise MoneyError(f"{self.currency} and {other.currency} amounts cannot be combined.")
        return other

    def __str__(self) -> str:
        return f"{format_minor(self.minor)} {self.currency}"


def has_cents(currency: str) -> bool:
    """Whether one minor unit is 1/100 of the currency, as AlgaPSA takes it to be for all."""
    return len(currency) == 3 and currency.upper() not in _OTHER_EXPONENTS


def to_minor(amount: Decimal | int | str) -> int:
    """Minor units of a QuickBooks amount.

    Raises MoneyError for anything that is not a finite number of whole cents within 15 digits:
    rounding here would hide a cent.
    """
    try:
        exact = Decimal(amount) * MINOR_UNITS_PER_UNIT
    except (InvalidOperation, TypeError, ValueError) as error:
        raise MoneyError(f"{str(amount)[:40]!r} is not an amount.") from error
    if not exact.is_finite() or abs(exact) >= _LARGEST_MINOR:
        raise MoneyError(f"{str(amount)[:40]!r} is not an amount that books can hold.")
    if exact != exact.to_integral_value():
        raise MoneyError(f"{str(amount)[:40]!r} has fractions of a cent.")
    return int(exact)


def to_decimal(minor: int) -> Decimal:
    """The QuickBooks amount, with two places, of minor units."""
    return Decimal(minor) / MINOR_UNITS_PER_UNIT


def format_minor(minor: int) -> str:
    """`1,234.50` for 123450: for people, never for parsing."""
    return f"{to_decimal(minor):,.2f}"
