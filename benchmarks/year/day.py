"""One day's stage: the provider, chance, and what the year remembers of what people did.

Belongs here: what acts of different people look up. Does not: the acts.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from random import Random
from typing import Any, TypeAlias

from benchmarks.year.provider import Company, Provider

RECENT = 60
_LINKED = """
    SELECT algapsa_id, quickbooks_id FROM links
    WHERE realm = :realm AND kind = :kind AND state = 'live'
    ORDER BY link_id DESC LIMIT :recent
"""


@dataclass
class Day:
    """One day's stage: the provider, chance, and what the year remembers."""

    provider: Provider
    chance: Random
    counter: int = 0
    gaps: list[tuple[str, str]] = field(default_factory=list)
    decided: Counter[str] = field(default_factory=Counter)

    def company(self) -> Company:
        """Any of the companies."""
        return self.chance.choice(self.provider.companies)

    def number(self) -> int:
        """The next number of the year."""
        self.counter += 1
        return self.counter

    def linked(self, company: Company, kind: str = "invoice") -> list[tuple[str, str]]:
        """Recently linked records (AlgaPSA id, QuickBooks id), in any order."""
        rows = self.provider.ledger_rows(_LINKED, realm=company.realm, kind=kind, recent=RECENT)
        found = [(row.algapsa_id, row.quickbooks_id) for row in rows]
        self.chance.shuffle(found)
        return found

    def open_invoice(self, company: Company) -> dict[str, Any] | None:
        """A linked QuickBooks invoice that has something open."""
        for _, quickbooks_id in self.linked(company)[:10]:
            found = self.provider.object(company, "Invoice", quickbooks_id)
            if found and found["Balance"] > 0:
                return found
        return None

    def money_in_quickbooks(self, company: Company) -> dict[str, Any] | None:
        """A payment that a bookkeeper recorded."""
        found = [
            each
            for each in self.provider.objects(company, "Payment").values()
            if each["Line"] and str(each.get("PaymentRefNum", "")).startswith("CHQ")
        ]
        return self.chance.choice(found[-RECENT:]) if found else None


Act: TypeAlias = Callable[[Day], bool]
