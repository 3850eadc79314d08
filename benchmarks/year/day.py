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
_EVER_LINKED = """
    SELECT quickbooks_id FROM links WHERE realm = :realm AND kind IN ('invoice', 'payment')
"""
_OURS = ("INV-", "CM-")
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
    refused: Counter[str] = field(default_factory=Counter)
    # QuickBooks invoices by id that were sent, and changed before their answer was missed.
    altered: list[str] = field(default_factory=list)

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

    def unlinked(self, company: Company, entity: str) -> list[dict[str, Any]]:
        """What was sent to QuickBooks and is not linked: its answer was lost."""
        rows = self.provider.ledger_rows(_EVER_LINKED, realm=company.realm)
        known = {row.quickbooks_id for row in rows}
        return [
            each
            for identity, each in self.provider.objects(company, entity).items()
            if identity not in known and str(each.get("DocNumber", "")).startswith(_OURS)
        ]

    def payment(
        self,
        company: Company,
        fits: Callable[[dict[str, Any]], bool],
        *,
        is_applied: bool = True,
    ) -> dict[str, Any] | None:
        """A recent QuickBooks payment that fits; `is_applied`: only one that has lines."""
        found = [
            each
            for each in self.provider.objects(company, "Payment").values()
            if (each["Line"] or not is_applied) and fits(each)
        ]
        return self.chance.choice(found[-RECENT:]) if found else None


Act: TypeAlias = Callable[[Day], bool]
