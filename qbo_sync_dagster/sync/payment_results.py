"""What became of planned payments, written into the ledger: states, exceptions, the audit log."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace

import sqlalchemy as sa

from qbo_sync_dagster.domain.catalogue import ExceptionKind
from qbo_sync_dagster.domain.exception_record import ExceptionRecord, RecordReference
from qbo_sync_dagster.domain.payment_exceptions import (
    LONGEST_WAIT_UNTOLD,
    PAYMENT_KINDS,
    invoice_locked,
    payment_record,
    refusal_exception,
)
from qbo_sync_dagster.domain.payment_plan import PaymentPlan, PaymentRow, StalePlan
from qbo_sync_dagster.domain.payment_refusals import Refusal
from qbo_sync_dagster.domain.payment_standing import RowKind
from qbo_sync_dagster.ledger import audit, exceptions, inbox
from qbo_sync_dagster.sync.context import CycleContext
from qbo_sync_dagster.sync.parking import Parking
from qbo_sync_dagster.sync.payment_intake import DuePayment, Intake


@dataclass(frozen=True, slots=True)
class PaymentResult:
    """One payment after its AlgaPSA transaction.

    Without `outcome` nothing was written: AlgaPSA was busy, or refused the rows with `problem`.
    `before` are the nets per invoice, in minor units, that stood until then; `stood_already` says
    that they are this very version's, written by a cycle that crashed before it could say so.
    `earlier_rows` were written in an earlier pass of this stage.
    """

    due: DuePayment
    outcome: PaymentPlan | StalePlan | None
    before: Mapping[str, int] = field(default_factory=dict)
    problem: str | None = None
    stood_already: bool = False
    earlier_rows: tuple[PaymentRow, ...] = ()

    @property
    def rows(self) -> tuple[PaymentRow, ...]:
        """What was written."""
        written = self.outcome.rows if isinstance(self.outcome, PaymentPlan) else ()
        return self.earlier_rows + written

    @property
    def is_unlogged(self) -> bool:
        """Whether the audit log lacks what stands in AlgaPSA for this change."""
        return bool(self.rows) or (self.stood_already and self.due.change.state == "received")

    def following(self, earlier: PaymentResult | None) -> PaymentResult:
        """The same result, with what an earlier pass of this stage wrote."""
        if earlier is None:
            return self
        return replace(self, before=earlier.before, earlier_rows=earlier.rows)

    @property
    def still_payable_online(self) -> tuple[str, ...]:
        """Invoices that it settled and that their clients can still pay online."""
        return self.outcome.still_payable_online if isinstance(self.outcome, PaymentPlan) else ()

    @property
    def reversals(self) -> int:
        """How many rows took money back."""
        return sum(row.kind is RowKind.REVERSAL for row in self.rows)

    @property
    def refusal(self) -> Refusal | None:
        """Why the payment waits, if it does."""
        return self.outcome.refusal if isinstance(self.outcome, PaymentPlan) else None

    @property
    def waits_for_room(self) -> bool:
        """Whether only full invoices stand in its way."""
        return self.refusal is not None and self.refusal.is_settled_by_others

    @property
    def state(self) -> str | None:
        """The change's state in the inbox; None leaves it as it is, for the next cycle."""
        if self.refusal or self.problem:
            return "parked"
        if self.outcome is None:
            return None
        return "applied" if self.is_unlogged else "known"

    def counts(self) -> Counter[str]:
        """Its part of the stage's figures."""
        counts: Counter[str] = Counter({self.state or "waiting": 1})
        counts["rows_written"] = len(self.rows)
        counts["reversed"] = 1 if self.reversals else 0
        return counts


def record_intake(ctx: CycleContext, intake: Intake) -> None:
    """Settle what needs no plan: foreign payments, and changes that cannot be read."""
    with ctx.ledger() as connection:
        foreign = [change.change_id for change in intake.foreign]
        inbox.settle(connection, ctx.realm, foreign, "foreign")
        _resolve(connection, ctx.realm, [change.object_id for change in intake.foreign], ())
        parking = Parking(connection, ctx)
        for change, problem in intake.unreadable:
            parking.park(change, problem)
        readable = [*intake.foreign, *(each.change for each in intake.due)]
        parking.close([f"Payment:{change.object_id}" for change in readable])


def record_results(
    ctx: CycleContext, results: Sequence[PaymentResult], numbers: Mapping[str, str]
) -> None:
    """Give changes their state, raise and resolve their exceptions, log what was written."""
    _tell_of_long_waits(ctx, [result for result in results if result.state is None])
    settled = [result for result in results if result.state]
    if not settled:
        return
    raised = [record for result in settled if (record := _exception(result, numbers))]
    with ctx.ledger() as connection:
        for state in ("applied", "known", "parked"):
            ids = [each.due.change.change_id for each in settled if each.state == state]
            inbox.settle(connection, ctx.realm, ids, state)
        ctx.tally.opened_exceptions += exceptions.raise_all(connection, ctx.realm, raised)
        payment_ids = [result.due.wanted.payment_id for result in settled]
        _resolve(connection, ctx.realm, payment_ids, raised)
        audit.append(connection, ctx.realm, [_effect(each) for each in settled if each.is_unlogged])


def _tell_of_long_waits(ctx: CycleContext, waiting: Sequence[PaymentResult]) -> None:
    """A payment stays in the inbox while AlgaPSA is busy with its invoices, but not in silence."""
    if not waiting:
        return
    ids = [each.due.change.change_id for each in waiting]
    with ctx.ledger() as connection:
        long = inbox.received_before(connection, ids, LONGEST_WAIT_UNTOLD)
        told = [
            invoice_locked(each.due.wanted) for each in waiting if each.due.change.change_id in long
        ]
        exceptions.raise_all(connection, ctx.realm, told)


def _exception(result: PaymentResult, numbers: Mapping[str, str]) -> ExceptionRecord | None:
    wanted = result.due.wanted
    if result.refusal:
        return refusal_exception(wanted, result.refusal, numbers)
    if result.problem is None:
        return None
    label = f"Payment {wanted.reference}"
    return ExceptionRecord(
        kind=ExceptionKind.PAYMENT_DRIFT,
        record=payment_record(wanted.payment_id),
        what_happened=result.problem,
        references=(RecordReference("quickbooks", "Payment", wanted.payment_id, label),),
        version=str(wanted.version),
    )


def _resolve(
    connection: sa.Connection,
    realm: str,
    payment_ids: Collection[str],
    raised: Collection[ExceptionRecord],
) -> None:
    """Close what no longer holds: a payment has at most one of these exceptions."""
    records = {payment_record(payment_id) for payment_id in payment_ids}
    reason = "The payment no longer waits for this."
    exceptions.resolve_unless_raised(
        connection, realm, PAYMENT_KINDS, raised, reason, records=records
    )


def _effect(result: PaymentResult) -> audit.Effect:
    after = Counter(result.before)
    for row in result.rows:
        after[row.invoice_id] += row.minor
    return audit.Effect(
        side="algapsa",
        effect="apply payment" if any(after.values()) else "reverse payment",
        record=payment_record(result.due.wanted.payment_id),
        before=dict(result.before),
        after={
            "version": result.due.wanted.version,
            "per_invoice": dict(after),
            "rows": [row.row_id for row in result.rows],
        },
    )
