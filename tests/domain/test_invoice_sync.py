"""The state on an invoice's row: what needs a person comes before what goes by itself."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime

import pytest

from qbo_sync_dagster.domain.eligibility import Standing
from qbo_sync_dagster.domain.invoice_sync import (
    LinkStanding,
    QueueStanding,
    SyncState,
    sync_state,
    why_not_synced,
)

from .test_history_matching import HEADER

NOW = datetime(2026, 11, 22, 14, 15, tzinfo=UTC)
LINK = LinkStanding("invoice", "145", "INV-1", "live", False, False, NOW)
DRIFTED = replace(LINK, has_drift=True)
ERRORED = QueueStanding("errored", "the item is inactive", NOW)
QUEUED = QueueStanding("queued", "", NOW)
CANCELLED = replace(HEADER, status="cancelled")


@pytest.mark.parametrize(
    ("link", "queue", "state"),
    [
        (None, [], SyncState.NOT_SYNCED),
        (None, [QUEUED], SyncState.QUEUED),
        (None, [QUEUED, ERRORED], SyncState.ERROR),
        (LINK, [], SyncState.SYNCED),
        (DRIFTED, [], SyncState.DRIFT),
        (DRIFTED, [QUEUED], SyncState.DRIFT),
        (DRIFTED, [ERRORED], SyncState.ERROR),
        (replace(LINK, has_difference=True), [], SyncState.DRIFT),
        (replace(LINK, shown_state="voided"), [], SyncState.VOIDED),
        (replace(LINK, shown_state="deleted", has_difference=True), [], SyncState.VOIDED),
    ],
)
def test_where_a_document_stands(
    link: LinkStanding | None, queue: list[QueueStanding], state: SyncState
) -> None:
    assert sync_state(HEADER, link, queue) is state


def test_a_cancelled_document_is_voided_once_nothing_waits() -> None:
    assert sync_state(CANCELLED, None, []) is SyncState.VOIDED
    assert sync_state(CANCELLED, LINK, [QUEUED]) is SyncState.QUEUED
    assert sync_state(CANCELLED, DRIFTED, []) is SyncState.DRIFT


@pytest.mark.parametrize(
    ("found", "dismissed", "connected", "told"),
    [
        (Standing.TO_EXPORT, False, True, "the next cycle sends it"),
        (Standing.TO_EXPORT, False, False, "the company is not connected"),
        (Standing.TO_EXPORT, True, True, "dismissed"),
        (Standing.BEFORE_GO_LIVE, False, True, "before go-live"),
        (Standing.BOOKED_BY_CSV, False, True, "a file took it"),
        (Standing.BOOKED_BY_ALGAPSA, True, True, "AlgaPSA itself"),
        (Standing.PREPAYMENT, False, True, "prepayment"),
    ],
)
def test_why_a_document_is_not_synced(
    found: Standing, dismissed: bool, connected: bool, told: str
) -> None:
    assert told in why_not_synced(found, is_dismissed=dismissed, is_connected=connected)
