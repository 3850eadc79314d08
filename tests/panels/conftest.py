"""A company that is well, to be varied by each test."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from qbo_sync_dagster.ledger.exceptions import StoredException
from qbo_sync_dagster.sync.outcome import SyncHealth

NOW = datetime(2026, 11, 22, 14, 16, tzinfo=UTC)

HealthOf = Callable[..., SyncHealth]
ExceptionOf = Callable[..., StoredException]


@pytest.fixture
def now() -> datetime:
    return NOW


@pytest.fixture
def health_of() -> HealthOf:
    well = SyncHealth(
        realm="9341453000000001",
        company="slate-bay-it-9341453000000001",
        company_name="Slate Bay IT",
        outcome="succeeded",
        started_at=NOW - timedelta(minutes=1),
        finished_at=NOW - timedelta(seconds=50),
        summary="2 payments applied",
        problem=None,
        pending=0,
        errored=0,
        held=0,
        drift=0,
        parked=0,
        open_exceptions=0,
        token_expires_at=NOW + timedelta(days=71),
        auto_sync=True,
        state="connected",
        cursor=NOW - timedelta(minutes=1),
        next_cycle_at=NOW + timedelta(minutes=14),
        last_success_at=NOW - timedelta(seconds=50),
        quickbooks_writes=3,
        algapsa_writes=2,
        metered_calls=1,
        http_calls=4,
    )
    return lambda **changes: replace(well, **changes)


@pytest.fixture
def exception_of() -> ExceptionOf:
    def build(**changes: Any) -> StoredException:
        stored = StoredException(
            number=7,
            realm="9341453000000001",
            kind="already_settled",
            record="payment:145",
            state="open",
            title="QuickBooks payment targets an already-settled invoice",
            what_happened="Payment 145 of 120.00 USD goes to invoice INV-0042, which is paid.",
            how_to_resolve="Review the payment in QuickBooks.",
            records=[
                {"side": "quickbooks", "kind": "Payment", "id": "145", "label": "Payment 145"},
                {"side": "algapsa", "kind": "invoice", "id": "a-1", "label": "Invoice INV-0042"},
            ],
            amounts={"payment": 12000, "open": 0},
            actions=["retry", "dismiss"],
            version="0",
            first_seen=NOW - timedelta(days=2),
            last_seen=NOW,
            count=3,
            assignee="accounting administrator",
            closed_at=None,
            closed_by=None,
            close_reason=None,
        )
        return replace(stored, **changes)

    return build
