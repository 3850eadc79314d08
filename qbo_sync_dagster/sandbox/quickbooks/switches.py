"""How one sandbox company behaves: what Intuit leaves to settings, and what is not known of it.

Belongs here: the switches, their defaults and their meaning. Does not: who reads them.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields, replace
from typing import Any


class SwitchError(Exception):
    """A switch that does not exist, or a value of the wrong kind."""


@dataclass(frozen=True, slots=True)
class Switches:
    """One company's switches."""

    # Company settings, seen in Preferences and CompanyInfo.
    country: str = "US"
    home_currency: str = "USD"
    multicurrency: bool = False
    exchange_rates: dict[str, str] = field(default_factory=dict)
    using_sales_tax: bool = True
    automated_sales_tax: bool = False
    # Percent that automated sales tax, or a tax code without a stated amount, comes to.
    sales_tax_percent: str = "8.25"
    custom_txn_numbers: bool = False
    auto_apply_credits: bool = False
    book_close_date: str = ""
    book_close_needs_password: bool = False
    subscription_lapsed: bool = False

    # The service.
    latency_ms: int = 0
    enforce_limits: bool = False
    send_retry_after: bool = False
    read_quota_exhausted: bool = False
    rotate_always: bool = True
    requestid_retention_seconds: int = 30 * 24 * 3600
    replay_faults: bool = False
    cdc_cap: int = 1000
    empty_cdc_blocks: bool = False

    # Reports differ on these.
    reject_delete_of_paid_invoice: bool = False
    reject_reduction_below_applied: bool = False
    credit_memo_moves_when_applied: bool = True

    def changed(self, values: Mapping[str, Any]) -> Switches:
        """These switches with some values replaced. Raises SwitchError for what does not fit."""
        kinds = {each.name: type(getattr(self, each.name)) for each in fields(self)}
        for name, value in values.items():
            if name not in kinds:
                message = f"There is no switch {name!r}; there are {', '.join(sorted(kinds))}."
                raise SwitchError(message)
            if type(value) is not kinds[name]:
                message = f"The switch {name} takes {kinds[name].__name__}, not {value!r}."
                raise SwitchError(message)
        return replace(self, **dict(values))

    def as_json(self) -> dict[str, Any]:
        """All switches by name."""
        return asdict(self)
