"""How one document of AlgaPSA stands with QuickBooks, in the words that staff see on its row."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from qbo_sync_dagster.domain.algapsa_records import DocumentHeader
from qbo_sync_dagster.domain.document_view import LIVE
from qbo_sync_dagster.domain.eligibility import CANCELLED_STATUSES, Standing


class SyncState(StrEnum):
    """The state of a finalized document."""

    NOT_SYNCED = "not synced"
    QUEUED = "queued"
    SYNCED = "synced"
    DRIFT = "drift"
    ERROR = "error"
    VOIDED = "voided"


@dataclass(frozen=True, slots=True)
class LinkStanding:
    """What of a document's link counts here; `shown_state` is how QuickBooks shows the object.

    `has_difference`: the two totals differ by an amount that nobody has accepted.
    """

    link_kind: str
    quickbooks_id: str
    number: str
    shown_state: str
    has_drift: bool
    has_difference: bool
    seen_at: datetime


@dataclass(frozen=True, slots=True)
class QueueStanding:
    """An open operation on the document, with why it waits, if it does."""

    state: str
    reason: str
    changed_at: datetime


def sync_state(
    header: DocumentHeader, link: LinkStanding | None, queue: Sequence[QueueStanding]
) -> SyncState:
    """Where the document stands; what needs a person comes before what goes by itself."""
    if any(operation.state == "errored" for operation in queue):
        return SyncState.ERROR
    if link is not None and link.has_drift:
        return SyncState.DRIFT
    if queue:
        return SyncState.QUEUED
    if header.status in CANCELLED_STATUSES:
        return SyncState.VOIDED
    if link is None:
        return SyncState.NOT_SYNCED
    if link.shown_state != LIVE:
        return SyncState.VOIDED
    return SyncState.DRIFT if link.has_difference else SyncState.SYNCED


_WHY_NOT_SYNCED = {
    Standing.BEFORE_GO_LIVE: "dated before go-live: linked if QuickBooks has it, never sent",
    Standing.BOOKED_BY_CSV: "a file took it to QuickBooks; it is linked, not sent",
    Standing.BOOKED_BY_ALGAPSA: "AlgaPSA itself has it as booked; it is not created again",
    Standing.LINKED: "its link was given up; it is not sent again",
    Standing.TO_EXPORT: "the next cycle sends it",
}


def why_not_synced(found: Standing, *, is_dismissed: bool, is_connected: bool) -> str:
    """Why a document without an object, an operation and an exception has none."""
    if found is not Standing.TO_EXPORT:
        return _WHY_NOT_SYNCED.get(found, str(found.value))
    if is_dismissed:
        return "its exception was dismissed, so it is not sent"
    return _WHY_NOT_SYNCED[found] if is_connected else "the company is not connected"
