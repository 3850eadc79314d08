"""What each stage of a cycle shows: a sentence, its figures, and a page where there is more.

One name means the same figure wherever it stands, so that plots of stages compare.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from qbo_sync_dagster.panels import words
from qbo_sync_dagster.panels.drift import drift_page, drift_table
from qbo_sync_dagster.panels.exceptions import Addresses, exceptions_page, exceptions_table
from qbo_sync_dagster.panels.health import Curve, health_panel
from qbo_sync_dagster.panels.values import Markdown, Panel
from qbo_sync_dagster.sync.outcome import (
    AppliedChanges,
    DriftReport,
    InboundChanges,
    OutboundOperations,
    PostedOperations,
    StageOutcome,
    SyncExceptions,
    SyncHealth,
)


@dataclass(frozen=True, slots=True)
class Reading:
    """What a reader of the panels brings along: whose cycle it is, when, and where links open.

    `app` is QuickBooks' web app, `job` the page of the job that settles exceptions.
    """

    company_name: str
    now: datetime
    app: str | None = None
    curve: Curve = field(default_factory=Curve)
    job: str | None = None


def stage_panel(outcome: StageOutcome, reading: Reading) -> Panel:
    """The panel of one finished stage; the company stands first, the wall time last."""
    shown = _PANELS[type(outcome.result)](outcome.result, reading)
    return {"company": reading.company_name} | shown | {"seconds": round(outcome.seconds, 2)}


def _inbound(result: InboundChanges, reading: Reading) -> Panel:
    panel: Panel = {
        "summary": _received(result),
        "received": result.received,
        "doubt_settled": result.doubt_settled,
        "asked_from": words.instant(result.polled_from),
        "answered_at": words.instant(result.polled_at, "no answer"),
    }
    if result.sweep:
        panel["read_in_full_because"] = result.sweep
    if result.problem:
        panel["problem"] = result.problem
    return panel


def _received(result: InboundChanges) -> str:
    if result.problem:
        return f"QuickBooks was not read: {result.problem}"
    if not result.received:
        return "Nothing changed in QuickBooks since the last cycle."
    kinds = [
        words.counted(number, _SPOKEN.get(entity, entity.lower()))
        for entity, number in sorted(result.by_entity.items())
        if number
    ]
    told = f": {words.listed(kinds)}" if kinds else ""
    return f"{words.counted(result.received, 'change')} received from QuickBooks{told}."


_SPOKEN = {"CreditMemo": "credit memo", "SalesReceipt": "sales receipt", "TaxCode": "tax code"}


def _applied(result: AppliedChanges, reading: Reading) -> Panel:
    return {
        "summary": _sentence(
            [
                (result.payments_applied, "payment", "applied"),
                (result.payments_reversed, "payment", "taken back"),
                (result.customers, "customer", "noted"),
                (result.documents, "document", "noted"),
                (result.parked, "change", "waiting under an exception"),
                (result.waiting, "payment", "waiting for invoices that are locked in AlgaPSA"),
            ],
            "Nothing to apply to AlgaPSA.",
        ),
        "payments_applied": result.payments_applied,
        "payments_reversed": result.payments_reversed,
        "parked_changes": result.parked,
        "waiting_payments": result.waiting,
        "foreign_changes": result.foreign,
        "known_changes": result.known,
        "customers": result.customers,
        "documents": result.documents,
        "algapsa_writes": result.rows_written,
        "changes_known_up_to": words.instant(result.cursor, "unchanged"),
    }


def _drift(result: DriftReport, reading: Reading) -> Panel:
    panel: Panel = {
        "summary": _sentence(
            [
                (result.documents - result.payments, "exported document", "changed in QuickBooks"),
                (result.payments, "exported payment", "changed in QuickBooks"),
                (result.changed_in_algapsa, "exported document", "changed in AlgaPSA"),
            ],
            "No drift. Every exported document still is as it was sent.",
        ),
        "drift": result.documents,
        "changed_in_algapsa": result.changed_in_algapsa,
    }
    if result.lines:
        panel["open_this"] = Markdown(drift_page(result.lines, reading.app))
        panel["differences"] = drift_table(result.lines)
    return panel


def _outbound(result: OutboundOperations, reading: Reading) -> Panel:
    return {
        "summary": _sentence(
            [
                (result.queued, "operation", "queued for QuickBooks"),
                (result.cancelled, "operation", "withdrawn"),
                (result.held, "operation", "held for a decision"),
                (result.errored, "operation", "in need of attention"),
            ],
            "QuickBooks lacks nothing.",
        ),
        "queued": result.queued,
        "cancelled": result.cancelled,
        "pending_ops": result.pending + result.held,
        "held_ops": result.held,
        "errored_ops": result.errored,
    }


def _posted(result: PostedOperations, reading: Reading) -> Panel:
    panel: Panel = {
        "summary": _sentence(
            [
                (result.done, "operation", "done in QuickBooks"),
                (result.refused, "operation", "refused"),
                (result.in_doubt, "operation", "sent without an answer"),
                (result.waiting, "operation", "waiting"),
            ],
            "Nothing to send to QuickBooks.",
        ),
        "done": result.done,
        "refused": result.refused,
        "in_doubt": result.in_doubt,
        "waiting": result.waiting,
    }
    if result.stopped_reason:
        panel["stopped_because"] = result.stopped_reason
    return panel


def _exceptions(result: SyncExceptions, reading: Reading) -> Panel:
    number = len(result.open)
    panel: Panel = {
        "summary": f"{words.counted(number, 'open exception')}; open_this says what to do."
        if number
        else "No open exceptions. Nothing needs your attention.",
        "open_exceptions": number,
    }
    # The page stands before the table, which is longer than a screen when there is much to do.
    if number or result.closed:
        addresses = Addresses(reading.app, reading.job)
        panel["open_this"] = Markdown(exceptions_page(result.open, result.closed, addresses))
    if number:
        panel["exceptions"] = exceptions_table(result.open, reading.now)
    return panel


def _health(result: SyncHealth, reading: Reading) -> Panel:
    return health_panel(result, reading.curve, reading.now)


_PANELS: dict[type, Callable[[Any, Reading], Panel]] = {
    InboundChanges: _inbound,
    AppliedChanges: _applied,
    DriftReport: _drift,
    OutboundOperations: _outbound,
    PostedOperations: _posted,
    SyncExceptions: _exceptions,
    SyncHealth: _health,
}


def _sentence(parts: list[tuple[int, str, str]], otherwise: str) -> str:
    told = [f"{words.counted(number, noun)} {became}" for number, noun, became in parts if number]
    if not told:
        return otherwise
    sentence = words.listed(told)
    return f"{sentence[0].upper()}{sentence[1:]}."
