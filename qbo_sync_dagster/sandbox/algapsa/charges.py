"""The lines of an AlgaPSA invoice and the arithmetic by which AlgaPSA totals them.

Amounts are integer cents. Writing the rows is in `invoices`.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from decimal import ROUND_HALF_UP, Decimal

from qbo_sync_dagster.sandbox.algapsa.rows import derived_id


@dataclass(frozen=True, slots=True)
class FixedPart:
    """One service inside a fixed-plan charge, with its share of the plan's price in cents."""

    service_id: str
    allocated: int
    quantity: Decimal = Decimal(1)


@dataclass(frozen=True, slots=True)
class Charge:
    """One invoice line. A discount has a negative `unit_price`; `parts` make a fixed-plan parent.

    `unit_price` is in cents, `tax_rate` in percent.
    """

    description: str
    unit_price: int
    quantity: Decimal = Decimal(1)
    service_id: str | None = None
    tax_region: str | None = None
    tax_rate: Decimal = Decimal(0)
    is_manual: bool = False
    is_discount: bool = False
    discount_percentage: Decimal | None = None
    parts: tuple[FixedPart, ...] = ()

    @property
    def net(self) -> int:
        """Cents without tax."""
        return _cents(self.quantity * self.unit_price)

    @property
    def tax(self) -> int:
        """Cents of tax on this line; negative on a discount."""
        return _cents(self.net * self.tax_rate / 100)

    @property
    def total(self) -> int:
        """Cents with tax."""
        return self.net + self.tax


def manual_charge(description: str, amount: int) -> Charge:
    """A line typed by hand: no service, no tax."""
    return Charge(description, amount, is_manual=True)


def percentage_discount(description: str, of: Charge, percent: Decimal) -> Charge:
    """A discount line on one charge, taxed as that charge is."""
    return Charge(
        description,
        -_cents(of.net * percent / 100),
        tax_region=of.tax_region,
        tax_rate=of.tax_rate,
        is_discount=True,
        discount_percentage=percent,
    )


def fixed_plan(
    description: str,
    parts: Iterable[FixedPart],
    *,
    tax_region: str | None = None,
    tax_rate: Decimal = Decimal(0),
) -> Charge:
    """The parent line of a fixed plan: it names no service, its parts do."""
    held = tuple(parts)
    price = sum(part.allocated for part in held)
    return Charge(description, price, tax_region=tax_region, tax_rate=tax_rate, parts=held)


def charge_row(tenant: str, invoice_id: str, item_id: str, charge: Charge) -> dict[str, object]:
    """The `invoice_charges` row of a line."""
    return {
        "tenant": tenant,
        "item_id": item_id,
        "invoice_id": invoice_id,
        "service_id": charge.service_id,
        "description": charge.description,
        "quantity": charge.quantity,
        "unit_price": charge.unit_price,
        "net_amount": charge.net,
        "tax_amount": charge.tax,
        "total_price": charge.total,
        "tax_region": charge.tax_region,
        "tax_rate": charge.tax_rate,
        "is_manual": charge.is_manual,
        "is_discount": charge.is_discount,
        "discount_type": "percentage" if charge.is_discount else None,
        "discount_percentage": charge.discount_percentage,
        "is_taxable": charge.tax_rate != 0,
    }


def detail_rows(
    tenant: str, item_id: str, charge: Charge
) -> list[tuple[dict[str, object], dict[str, object]]]:
    """Per part of a fixed plan its `invoice_charge_details` and `..._fixed_details` rows.

    The last part takes the cent that rounding the tax leaves over, so the parts add up.
    """
    taxes = [_cents(part.allocated * charge.tax_rate / 100) for part in charge.parts]
    if taxes:
        taxes[-1] += charge.tax - sum(taxes)
    return [
        _part_rows(tenant, item_id, place, part, tax, charge.tax_rate)
        for place, (part, tax) in enumerate(zip(charge.parts, taxes, strict=True))
    ]


def _part_rows(
    tenant: str, item_id: str, place: int, part: FixedPart, tax: int, tax_rate: Decimal
) -> tuple[dict[str, object], dict[str, object]]:
    detail_id = derived_id(item_id, f"detail {place}")
    detail: dict[str, object] = {
        "item_detail_id": detail_id,
        "item_id": item_id,
        "tenant": tenant,
        "service_id": part.service_id,
        "config_id": derived_id(detail_id, "config"),
        "quantity": part.quantity,
        "rate": part.allocated,
    }
    fixed: dict[str, object] = {
        "item_detail_id": detail_id,
        "tenant": tenant,
        "base_rate": Decimal(part.allocated) / 100,
        "allocated_amount": part.allocated,
        "tax_amount": tax,
        "tax_rate": tax_rate,
    }
    return detail, fixed


def _cents(amount: Decimal) -> int:
    return int(amount.quantize(Decimal(1), ROUND_HALF_UP))
