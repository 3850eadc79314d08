"""How a tenant's services, tax regions and terms stand to a company's items, tax codes and terms.

What belongs here: the state of each mapping and which object its name suggests. What does not:
reading either side, and making the links.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from enum import StrEnum

from qbo_sync_dagster.domain.export import NOT_TAXABLE, TAXABLE
from qbo_sync_dagster.domain.names import NameIndex, Suggestion

_CERTAIN = 100


class MappingKind(StrEnum):
    """What is mapped, named as its links are."""

    SERVICE = "service"
    TAX_REGION = "tax_region"
    PAYMENT_TERM = "payment_term"


class MappingState(StrEnum):
    """How one record stands. GONE: its object is inactive or deleted in QuickBooks."""

    LINKED = "linked"
    DEFAULT = "by default"
    MISSING = "missing"
    GONE = "gone"


@dataclass(frozen=True, slots=True)
class MappedRecord:
    """One AlgaPSA record and the object it is linked to, or those it could be."""

    kind: MappingKind
    algapsa_id: str
    algapsa_name: str
    state: MappingState
    quickbooks_id: str | None = None
    quickbooks_name: str | None = None
    suggestions: tuple[Suggestion, ...] = ()

    @property
    def is_open(self) -> bool:
        """Whether documents with it can't be exported: neither an object nor a default serves."""
        return self.state in (MappingState.MISSING, MappingState.GONE)

    @property
    def certain(self) -> Suggestion | None:
        """The one object of the same name, if exactly one bears it."""
        sure = [each for each in self.suggestions if each.score == _CERTAIN]
        return sure[0] if len(sure) == 1 else None


def map_records(
    kind: MappingKind,
    records: Mapping[str, str],
    linked: Mapping[str, str],
    objects: Mapping[str, str],
    default: str | None = None,
) -> list[MappedRecord]:
    """Every record (id to name) with its state, by name.

    `linked` are AlgaPSA id to QuickBooks id, `objects` the active ones of the company, id to name.
    """
    index = NameIndex(objects)
    mapped = [
        _mapped(kind, record_id, name, linked.get(record_id), objects, index, default)
        for record_id, name in records.items()
    ]
    return sorted(mapped, key=lambda each: (each.algapsa_name.casefold(), each.algapsa_id))


def _mapped(
    kind: MappingKind,
    record_id: str,
    name: str,
    quickbooks_id: str | None,
    objects: Mapping[str, str],
    index: NameIndex,
    default: str | None,
) -> MappedRecord:
    if quickbooks_id is not None and quickbooks_id in objects:
        return MappedRecord(
            kind, record_id, name, MappingState.LINKED, quickbooks_id, objects[quickbooks_id]
        )
    suggested = _suggested(kind, record_id, name, objects, index)
    if quickbooks_id is not None:
        return MappedRecord(
            kind, record_id, name, MappingState.GONE, quickbooks_id, None, suggested
        )
    state = MappingState.DEFAULT if default in objects else MappingState.MISSING
    return MappedRecord(kind, record_id, name, state, None, None, suggested)


def _suggested(
    kind: MappingKind, record_id: str, name: str, objects: Mapping[str, str], index: NameIndex
) -> tuple[Suggestion, ...]:
    if is_united_states(objects):
        # A region with tax is taxable; which tax that is, QuickBooks itself decides.
        return (Suggestion(TAXABLE, objects[TAXABLE], _CERTAIN),)
    by_name = index.suggestions(name)
    if kind is MappingKind.SERVICE or any(each.score == _CERTAIN for each in by_name):
        return by_name
    # Regions and terms are often called by their code: net_30 is Net 30.
    return index.suggestions(record_id) or by_name


def is_united_states(tax_codes: Collection[str]) -> bool:
    """Whether these are the two codes that Intuit has for lines in the United States."""
    return set(tax_codes) == {TAXABLE, NOT_TAXABLE}
