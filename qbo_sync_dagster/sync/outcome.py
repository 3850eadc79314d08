"""What each stage of a cycle did, as plain values for panels, Dagster, the CLI and tests."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum

from qbo_sync_dagster.ledger.exceptions import StoredException


class Outcome(StrEnum):
    """How a cycle ended."""

    SUCCEEDED = "succeeded"
    FAILED = "failed"
    ABORTED = "aborted"
    SKIPPED = "skipped"


class Stage(StrEnum):
    """The seven stages, named as their assets."""

    INBOUND_CHANGES = "inbound_changes"
    APPLIED_CHANGES = "applied_changes"
    DRIFT_REPORT = "drift_report"
    OUTBOUND_OPERATIONS = "outbound_operations"
    POSTED_OPERATIONS = "posted_operations"
    SYNC_EXCEPTIONS = "sync_exceptions"
    SYNC_HEALTH = "sync_health"


@dataclass(frozen=True, slots=True)
class InboundChanges:
    """Stage 1. `received` counts versions not known before; `sweep` says why CDC did not serve."""

    polled_from: datetime
    polled_at: datetime | None = None
    received: int = 0
    by_entity: dict[str, int] = field(default_factory=dict)
    sweep: str | None = None
    doubt_settled: int = 0
    problem: str | None = None


@dataclass(frozen=True, slots=True)
class AppliedChanges:
    """Stage 2. Counts of changes by what became of them; `rows_written` in AlgaPSA.

    `waiting` are payments whose invoices somebody held locked in AlgaPSA: the next cycle applies
    them.
    """

    customers: int = 0
    payments_applied: int = 0
    payments_reversed: int = 0
    documents: int = 0
    known: int = 0
    foreign: int = 0
    parked: int = 0
    waiting: int = 0
    rows_written: int = 0
    cursor: datetime | None = None


@dataclass(frozen=True, slots=True)
class DriftLine:
    """One differing field of one linked document or payment, as text an accountant reads.

    `entity` is Intuit's word for it; `shown` is what QuickBooks has now.
    """

    document: str
    entity: str
    quickbooks_id: str
    field: str
    agreed: str
    in_algapsa: str
    shown: str


@dataclass(frozen=True, slots=True)
class DriftReport:
    """Stage 3. Documents that no longer match what was agreed, field by field.

    `documents` counts the pushed payments among them, which `payments` counts alone.
    """

    documents: int = 0
    payments: int = 0
    lines: tuple[DriftLine, ...] = ()
    changed_in_algapsa: int = 0


@dataclass(frozen=True, slots=True)
class OutboundOperations:
    """Stage 4. What was queued, withdrawn, and how the queue stands."""

    queued: int = 0
    cancelled: int = 0
    pending: int = 0
    held: int = 0
    errored: int = 0


@dataclass(frozen=True, slots=True)
class PostedOperations:
    """Stage 5. What was sent to QuickBooks; `stopped_reason` if the queue was not drained."""

    done: int = 0
    refused: int = 0
    in_doubt: int = 0
    waiting: int = 0
    stopped_reason: str | None = None


@dataclass(frozen=True, slots=True)
class SyncExceptions:
    """Stage 6. The realm's open exceptions, newest first, and those that were closed last."""

    open: tuple[StoredException, ...] = ()
    closed: tuple[StoredException, ...] = ()


@dataclass(frozen=True, slots=True)
class SyncHealth:
    """Stage 7. The Sync Health panel, row for row, with what a reader compares it with.

    `pending` counts queued, posting and held operations; `errored` those that need attention.
    `warnings` stop nothing, each a sentence with its cure.
    """

    realm: str
    company: str
    company_name: str
    outcome: str
    started_at: datetime | None
    finished_at: datetime | None
    summary: str
    problem: str | None
    pending: int
    errored: int
    held: int
    drift: int
    parked: int
    open_exceptions: int
    token_expires_at: datetime | None
    auto_sync: bool
    state: str
    cursor: datetime
    next_cycle_at: datetime | None
    last_success_at: datetime | None
    quickbooks_writes: int
    algapsa_writes: int
    metered_calls: int
    http_calls: int
    warnings: tuple[str, ...] = ()


StageResult = (
    InboundChanges
    | AppliedChanges
    | DriftReport
    | OutboundOperations
    | PostedOperations
    | SyncExceptions
    | SyncHealth
)


@dataclass(frozen=True, slots=True)
class StageOutcome:
    """One finished stage; `seconds` is wall time."""

    stage: Stage
    result: StageResult
    seconds: float


@dataclass(frozen=True, slots=True)
class CycleEnd:
    """The last thing a cycle yields: how it ended, in a sentence, with the health it left."""

    outcome: Outcome
    sentence: str
    health: SyncHealth
