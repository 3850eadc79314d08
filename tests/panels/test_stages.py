"""What each stage tells: a sentence people understand, and the same figure by the same name."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime

import pytest

from qbo_sync_dagster.ledger.exceptions import StoredException
from qbo_sync_dagster.panels.stages import Reading, stage_panel
from qbo_sync_dagster.panels.values import Markdown, Panel, Table
from qbo_sync_dagster.sync.outcome import (
    AppliedChanges,
    DriftLine,
    DriftReport,
    InboundChanges,
    OutboundOperations,
    PostedOperations,
    Stage,
    StageOutcome,
    StageResult,
    SyncExceptions,
    SyncHealth,
)


@pytest.fixture
def shown(now: datetime) -> Callable[[Stage, StageResult], Panel]:
    reading = Reading("Slate Bay IT", now, "https://app.qbo.intuit.com/app")
    return lambda stage, result: stage_panel(StageOutcome(stage, result, 1.2345), reading)


Shown = Callable[[Stage, StageResult], Panel]


def test_every_stage_begins_with_the_company_and_ends_with_its_seconds(
    shown: Shown, now: datetime, health_of: Callable[..., SyncHealth]
) -> None:
    results: dict[Stage, StageResult] = {
        Stage.INBOUND_CHANGES: InboundChanges(now),
        Stage.APPLIED_CHANGES: AppliedChanges(),
        Stage.DRIFT_REPORT: DriftReport(),
        Stage.OUTBOUND_OPERATIONS: OutboundOperations(),
        Stage.POSTED_OPERATIONS: PostedOperations(),
        Stage.SYNC_EXCEPTIONS: SyncExceptions(),
        Stage.SYNC_HEALTH: health_of(),
    }

    for stage in Stage:
        panel = shown(stage, results[stage])
        assert next(iter(panel)) == "company"
        assert panel["company"] == "Slate Bay IT"
        assert list(panel)[-1] == "seconds"
        assert panel["seconds"] == 1.23


def test_changes_are_counted_by_what_they_are(shown: Shown, now: datetime) -> None:
    panel = shown(
        Stage.INBOUND_CHANGES,
        InboundChanges(now, now, 8, {"Payment": 7, "CreditMemo": 1, "Invoice": 0}),
    )

    assert panel["summary"] == ("8 changes received from QuickBooks: 1 credit memo and 7 payments.")


def test_a_failed_poll_says_why_and_a_sweep_says_so(shown: Shown, now: datetime) -> None:
    failed = shown(Stage.INBOUND_CHANGES, InboundChanges(now, problem="It answered HTTP 503."))
    swept = shown(
        Stage.INBOUND_CHANGES, InboundChanges(now, now, 1500, sweep="the cursor was 40 days old")
    )

    assert failed["summary"] == "QuickBooks was not read: It answered HTTP 503."
    assert failed["answered_at"] == "no answer"
    assert swept["read_in_full_because"] == "the cursor was 40 days old"


def test_what_was_applied_is_one_sentence(shown: Shown) -> None:
    panel = shown(
        Stage.APPLIED_CHANGES,
        AppliedChanges(payments_applied=3, payments_reversed=1, parked=1, rows_written=5),
    )

    assert panel["summary"] == (
        "3 payments applied, 1 payment taken back and 1 change waiting under an exception."
    )
    assert panel["algapsa_writes"] == 5


def test_drift_stands_field_by_field_with_links(shown: Shown) -> None:
    lines = (
        DriftLine("Invoice INV-1", "Invoice", "31", "total", "100.00", "unchanged", "90.00"),
        DriftLine("Invoice INV-1", "Invoice", "31", "tax", "0.00", "1.00", "unchanged"),
        DriftLine("Credit note CN-2", "CreditMemo", "32", "state", "live", "unchanged", "voided"),
        DriftLine("Payment 33", "Payment", "33", "total", "5.00", "unchanged", "4.00"),
    )

    panel = shown(Stage.DRIFT_REPORT, DriftReport(3, 1, lines))

    assert panel["summary"] == (
        "2 exported documents changed in QuickBooks and 1 exported payment changed in QuickBooks."
    )
    assert panel["drift"] == 3
    assert panel["differences"] == Table(
        ("document", "field", "agreed on", "AlgaPSA now", "QuickBooks now"),
        (
            ("Invoice INV-1", "total", "100.00", "unchanged", "90.00"),
            ("Invoice INV-1", "tax", "0.00", "1.00", "unchanged"),
            ("Credit note CN-2", "state", "live", "unchanged", "voided"),
            ("Payment 33", "total", "5.00", "unchanged", "4.00"),
        ),
    )
    page = panel["open_this"]
    assert isinstance(page, Markdown)
    assert page.text.count("View in QuickBooks") == 3
    for path in ("invoice?txnId=31", "creditmemo?txnId=32", "recvpayment?txnId=33"):
        assert f"/{path})" in page.text
    assert "| total | 100.00 | unchanged | 90.00 |" in page.text


def test_a_stage_with_nothing_to_tell_has_no_page(shown: Shown) -> None:
    assert "open_this" not in shown(Stage.DRIFT_REPORT, DriftReport())
    assert "open_this" not in shown(Stage.SYNC_EXCEPTIONS, SyncExceptions())


def test_a_queue_that_stopped_says_why(shown: Shown) -> None:
    panel = shown(
        Stage.POSTED_OPERATIONS,
        PostedOperations(done=30, waiting=4, stopped_reason="The time of this cycle was up."),
    )

    assert panel["summary"] == "30 operations done in QuickBooks and 4 operations waiting."
    assert panel["stopped_because"] == "The time of this cycle was up."


def test_exceptions_come_as_a_table_and_a_page(
    shown: Shown, exception_of: Callable[..., StoredException]
) -> None:
    panel = shown(Stage.SYNC_EXCEPTIONS, SyncExceptions((exception_of(),)))

    assert panel["open_exceptions"] == 1
    assert isinstance(panel["exceptions"], Table)
    assert isinstance(panel["open_this"], Markdown)


def test_a_figure_has_one_name_wherever_it_stands(
    shown: Shown, health_of: Callable[..., SyncHealth]
) -> None:
    queue = shown(Stage.OUTBOUND_OPERATIONS, OutboundOperations(pending=3, held=1, errored=2))
    health = shown(Stage.SYNC_HEALTH, health_of(pending=4, held=1, errored=2, drift=3))
    drift = shown(Stage.DRIFT_REPORT, DriftReport(3))

    for name in ("pending_ops", "held_ops", "errored_ops"):
        assert queue[name] == health[name]
    assert drift["drift"] == health["drift"] == 3
