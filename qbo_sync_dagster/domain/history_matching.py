"""Documents that may stand in QuickBooks already: matched by number, total and customer.

Confident matches are linked without exporting anything. All others are listed with the reason
and never guessed. How their payments pair stands in `history_pairing`.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum

from qbo_sync_dagster.domain.algapsa_records import DocumentHeader
from qbo_sync_dagster.domain.document_kinds import kind_of
from qbo_sync_dagster.domain.document_view import LIVE, DocumentView
from qbo_sync_dagster.domain.money import format_minor

# AlgaPSA and QuickBooks may each have rounded the tax of one document by half a cent.
_ROUNDING = 1


class HistoryState(StrEnum):
    """How sure a match is."""

    MATCHED = "matched"
    REVIEW = "review"
    NONE = "not in QuickBooks"


@dataclass(frozen=True, slots=True)
class BookedDocument:
    """A document of QuickBooks; `link_kind` says whether it is an invoice or a credit memo."""

    quickbooks_id: str
    link_kind: str
    view: DocumentView


@dataclass(frozen=True, slots=True)
class HistoryMatch:
    """One document of AlgaPSA with the document it is in QuickBooks, or why nobody can say."""

    invoice_id: str
    number: str
    link_kind: str
    total_minor: int
    currency: str
    state: HistoryState
    quickbooks_id: str = ""
    reason: str = ""


def match_history(
    headers: Iterable[DocumentHeader],
    booked: Sequence[BookedDocument],
    customers: Mapping[str, str],
    linked: Collection[tuple[str, str]],
) -> list[HistoryMatch]:
    """Each document with its place. `customers` gives the linked customer of each client.

    `linked` are the objects, as (link kind, QuickBooks id), that have their document already.
    """
    documents = list(headers)
    by_number: defaultdict[tuple[str, str], list[BookedDocument]] = defaultdict(list)
    for each in booked:
        by_number[each.link_kind, _number(each.view.number)].append(each)
    ours = Counter((kind_of(each).link_kind, _number(each.number)) for each in documents)
    found = []
    for header in documents:
        key = kind_of(header).link_kind, _number(header.number)
        candidates = by_number.get(key, [])
        reason = _reason(header, candidates, customers, linked, ours[key])
        found.append(_match(header, candidates, reason))
    return found


def _number(text: str) -> str:
    return text.strip().casefold()


def _match(
    header: DocumentHeader, candidates: Sequence[BookedDocument], reason: str
) -> HistoryMatch:
    state = HistoryState.REVIEW if reason else HistoryState.MATCHED
    if not candidates:
        state = HistoryState.NONE
    return HistoryMatch(
        header.invoice_id,
        header.number,
        kind_of(header).link_kind,
        abs(header.total_minor),
        header.currency,
        state,
        candidates[0].quickbooks_id if len(candidates) == 1 else "",
        reason,
    )


def _reason(
    header: DocumentHeader,
    candidates: Sequence[BookedDocument],
    customers: Mapping[str, str],
    linked: Collection[tuple[str, str]],
    of_this_number: int,
) -> str:
    """Why the document is not surely one of the candidates; empty if it is, or has none."""
    if not candidates:
        return ""
    if len(candidates) > 1:
        return f"QuickBooks has {len(candidates)} documents with this number"
    if of_this_number > 1:
        return f"AlgaPSA has {of_this_number} documents with this number"
    [booked] = candidates
    if (booked.link_kind, booked.quickbooks_id) in linked:
        return "it is linked to another document already"
    return _difference(header, booked.view, customers.get(header.client_id))


def _difference(header: DocumentHeader, view: DocumentView, customer_id: str | None) -> str:
    if view.state != LIVE:
        return "it is voided in QuickBooks"
    if customer_id is None:
        return "its client is not linked to a customer yet"
    if view.customer_id != customer_id:
        return "it is for another customer in QuickBooks"
    if view.currency and view.currency != header.currency:
        return f"it is in {view.currency} in QuickBooks"
    if abs(view.total_minor - abs(header.total_minor)) > _ROUNDING:
        return f"its total is {format_minor(view.total_minor)} in QuickBooks"
    return ""
