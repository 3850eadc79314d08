"""One exception as it is raised: what happened, to which records, about which amounts."""

from __future__ import annotations

from dataclasses import dataclass, field

from qbo_sync_dagster.domain.catalogue import CATALOGUE, ExceptionKind


@dataclass(frozen=True, slots=True)
class RecordReference:
    """A record an exception concerns: `kind` is its type, `label` what people call it."""

    side: str
    kind: str
    record_id: str
    label: str

    def as_json(self) -> dict[str, str]:
        """The reference as the ledger stores it."""
        return {
            "side": self.side,
            "kind": self.kind,
            "id": self.record_id,
            "label": self.label[:200],
        }


@dataclass(frozen=True, slots=True)
class ExceptionRecord:
    """An exception to raise. `version` is the token or fingerprint that it judges.

    `record` keys it: at most one is open per realm, kind and record. `amounts` are minor units by
    the name people read.
    """

    kind: ExceptionKind
    record: str
    what_happened: str
    references: tuple[RecordReference, ...] = ()
    amounts: dict[str, int] = field(default_factory=dict)
    version: str = ""
    title_values: dict[str, str] = field(default_factory=dict)

    @property
    def title(self) -> str:
        """The title in the guide's words."""
        return CATALOGUE[self.kind].title.format(**self.title_values)

    @property
    def how_to_resolve(self) -> str:
        """The cure in the guide's words."""
        return CATALOGUE[self.kind].cure
