"""Which documents an export batch takes, by date, client, status and number."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from datetime import date
from typing import Any

from qbo_sync_dagster.domain.algapsa_records import DocumentHeader


@dataclass(frozen=True, slots=True)
class BatchSelection:
    """What somebody asked for; each part that is left empty takes everything.

    `first` and `last` are inclusive invoice dates, `clients` ids, `statuses` AlgaPSA's own words.
    """

    first: date | None = None
    last: date | None = None
    clients: Collection[str] = ()
    statuses: Collection[str] = ()
    numbers: Collection[str] = ()

    @property
    def is_empty(self) -> bool:
        """Whether nothing narrows it: every document would be taken."""
        return not (self.first or self.last or self.clients or self.statuses or self.numbers)

    def takes(self, header: DocumentHeader) -> bool:
        """Whether the document is among those asked for."""
        return (
            (self.first is None or header.invoice_date >= self.first)
            and (self.last is None or header.invoice_date <= self.last)
            and (not self.clients or header.client_id in self.clients)
            and (not self.statuses or header.status in self.statuses)
            and (not self.numbers or header.number in self.numbers)
        )

    def as_json(self) -> dict[str, Any]:
        """The selection as the ledger keeps it."""
        return {
            "first": self.first.isoformat() if self.first else None,
            "last": self.last.isoformat() if self.last else None,
            "clients": sorted(self.clients),
            "statuses": sorted(self.statuses),
            "numbers": sorted(self.numbers),
        }
