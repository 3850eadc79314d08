"""Stage 2, payments: each QuickBooks payment brought into AlgaPSA in its own transaction.

What to write is decided in `domain.payments_in`. A payment that has to wait is parked under its
exception and planned anew every cycle; the others go on.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import sqlalchemy as sa

from qbo_sync_dagster.algapsa.errors import AlgaPsaBusyError, AlgaPsaRejectedError
from qbo_sync_dagster.algapsa.payments_write import PaymentWriter
from qbo_sync_dagster.domain.payment_plan import PaymentPlan, StalePlan
from qbo_sync_dagster.domain.payment_standing import StandingRow
from qbo_sync_dagster.domain.payments_in import plan_payment
from qbo_sync_dagster.ledger import leases
from qbo_sync_dagster.sync.context import CycleContext
from qbo_sync_dagster.sync.payable_online import warn_of_double_payment
from qbo_sync_dagster.sync.payment_intake import DuePayment, Intake, load_payments
from qbo_sync_dagster.sync.payment_results import (
    PaymentResult,
    record_intake,
    record_results,
)

# The ledger learns of this many payments at once: after a crash they are planned anew and found.
_CHUNK = 100
# Each wait for AlgaPSA's rows may take 5 seconds: with all of them held a cycle would never end.
_MOST_WAITS_IN_A_ROW = 3


@dataclass(frozen=True, slots=True)
class PaymentsApplied:
    """What became of the payment changes.

    `waiting` are those whose AlgaPSA rows somebody held: they stay in the inbox as they are.
    """

    applied: int = 0
    reversed: int = 0
    known: int = 0
    foreign: int = 0
    parked: int = 0
    waiting: int = 0
    rows_written: int = 0


def apply_payments(ctx: CycleContext) -> PaymentsApplied:
    """Apply the inbox's payment changes and plan parked ones anew; no QuickBooks calls.

    Raises AlgaPsaUnreachableError or AlgaPsaMismatchError, and LeaseLostError when another run took
    the company over; what was written by then is found again by the next cycle.
    """
    intake = load_payments(ctx)
    if not intake.is_empty:
        record_intake(ctx, intake)
    counts: Counter[str] = Counter()
    settled: set[str] = set()
    if intake.due:
        for results in _applied(ctx, intake):
            for result in results:
                counts.update(result.counts())
                settled.update(result.still_payable_online)
    warn_of_double_payment(ctx, settled)
    ctx.tally.algapsa_writes += counts["rows_written"]
    return _summary(intake, counts)


def _applied(ctx: CycleContext, intake: Intake) -> Iterator[list[PaymentResult]]:
    with ctx.algapsa.payment_writer() as writer, ctx.engine.ledger.connect() as fence:
        stage = _Stage(ctx, writer, fence)
        for results in stage.run(intake.due):
            record_results(ctx, results, intake.numbers)
            yield results


def _summary(intake: Intake, counts: Counter[str]) -> PaymentsApplied:
    return PaymentsApplied(
        applied=counts["applied"],
        reversed=counts["reversed"],
        known=counts["known"],
        foreign=len(intake.foreign),
        parked=counts["parked"] + len(intake.unreadable),
        waiting=counts["waiting"],
        rows_written=counts["rows_written"],
    )


class _Stage:
    """Applies due payments over the two connections that the stage holds."""

    def __init__(self, ctx: CycleContext, writer: PaymentWriter, fence: sa.Connection) -> None:
        self._ctx = ctx
        self._writer = writer
        self._fence = fence
        self._waits_in_a_row = 0

    def run(self, due: Sequence[DuePayment]) -> Iterator[list[PaymentResult]]:
        """Results in portions, each payment once in its last state."""
        yield from self._passes(due)
        yield from self._passes(self._strays(due))

    def _passes(self, due: Sequence[DuePayment]) -> Iterator[list[PaymentResult]]:
        """A payment that met a full invoice is planned again once later ones have made room."""
        earlier: dict[str, PaymentResult] = {}
        for is_last in (False, False, True):
            held_back: dict[str, PaymentResult] = {}
            made_room = False
            for portion in self._portions(due):
                results = [
                    result.following(earlier.get(result.due.wanted.payment_id))
                    for result in self._applied(portion)
                ]
                made_room |= any(result.reversals for result in results)
                waiting = [each for each in results if each.waits_for_room and not is_last]
                held_back |= {each.due.wanted.payment_id: each for each in waiting}
                yield [each for each in results if each.due.wanted.payment_id not in held_back]
            if not made_room or not held_back:
                yield list(held_back.values())
                return
            earlier, due = held_back, [each.due for each in held_back.values()]

    def _portions(self, due: Sequence[DuePayment]) -> Iterator[Sequence[DuePayment]]:
        for start in range(0, len(due), _CHUNK):
            leases.renew(self._ctx.engine.ledger, self._ctx.lease)
            yield due[start : start + _CHUNK]

    def _strays(self, due: Sequence[DuePayment]) -> list[DuePayment]:
        """Payments that stand on invoices we did not look at.

        A run whose lease was taken over may have committed its last payment after we asked where
        payments stand. Its locks have let it finish by now.
        """
        ids = [each.wanted.payment_id for each in due]
        standing = self._ctx.algapsa.standing_payments(self._ctx.realm, ids) if ids else {}
        found = ((each, frozenset(standing.get(each.wanted.payment_id, ()))) for each in due)
        return [
            replace(each, invoice_ids=each.invoice_ids | invoices)
            for each, invoices in found
            if not invoices <= each.invoice_ids
        ]

    def _applied(self, portion: Sequence[DuePayment]) -> list[PaymentResult]:
        # One ledger transaction holds the lease's row for the whole portion, so that nobody can
        # take the company over between a check and its commit; a commit per check costs a flush.
        with self._fence.begin():
            return [self._apply(each) for each in portion]

    def _apply(self, due: DuePayment) -> PaymentResult:
        if not due.invoice_ids and not due.decisions.matched_rows:
            return PaymentResult(due, plan_payment(due.wanted, (), {}, due.decisions))
        if self._waits_in_a_row == _MOST_WAITS_IN_A_ROW:
            return PaymentResult(due, None)
        try:
            result = self._written(due)
        except AlgaPsaBusyError:
            self._waits_in_a_row += 1
            return PaymentResult(due, None)
        except AlgaPsaRejectedError as error:
            result = PaymentResult(due, None, problem=str(error))
        self._waits_in_a_row = 0
        return result

    def _written(self, due: DuePayment) -> PaymentResult:
        with self._writer.transaction(
            due.wanted.realm,
            due.wanted.payment_id,
            due.invoice_ids,
            due.decisions.matched_rows,
        ) as transaction:
            outcome = plan_payment(
                due.wanted, transaction.standing, transaction.invoices, due.decisions
            )
            if isinstance(outcome, PaymentPlan) and not outcome.is_empty:
                # After the locks: while we waited for them the ledger may have dropped us.
                leases.require(self._fence, self._ctx.lease)
                transaction.write(due.wanted, outcome)
            return _result(due, outcome, transaction.standing)


def _result(
    due: DuePayment, outcome: PaymentPlan | StalePlan, standing: Sequence[StandingRow]
) -> PaymentResult:
    before: Counter[str] = Counter()
    for row in standing:
        before[row.invoice_id] += 0 if row.takes_own else row.minor
    stood_already = any(
        row.records_deletion if due.wanted.is_deleted else row.version == due.wanted.version
        for row in standing
    )
    return PaymentResult(due, outcome, before, stood_already=stood_already)
