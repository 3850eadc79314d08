"""Stage 2, payments: each QuickBooks payment brought into AlgaPSA in its own transaction.

What to write is decided in `domain.payments_in`. A payment that has to wait is parked under its
exception and planned anew every cycle; the others go on.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace

import sqlalchemy as sa

from qbo_sync_dagster.algapsa.errors import AlgaPsaBusyError, AlgaPsaRejectedError
from qbo_sync_dagster.algapsa.payments_write import PaymentWriter
from qbo_sync_dagster.domain.payment_plan import PaymentPlan, StalePlan
from qbo_sync_dagster.domain.payments_in import plan_payment
from qbo_sync_dagster.ledger import leases
from qbo_sync_dagster.sync.context import CycleContext
from qbo_sync_dagster.sync.payment_intake import DuePayment, load_payments
from qbo_sync_dagster.sync.payment_results import PaymentResult, record_intake, record_results

# The ledger learns of this many payments at once: after a crash they are planned anew and found.
_CHUNK = 200
# Payments that make room for one another settle within two passes; more would go in circles.
_MOST_PASSES = 3


@dataclass(slots=True)
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
    done = PaymentsApplied(foreign=len(intake.foreign), parked=len(intake.unreadable))
    record_intake(ctx, intake)
    if intake.due:
        with ctx.algapsa.payment_writer() as writer, ctx.engine.ledger.connect() as fence:
            stage = _Stage(ctx, writer, fence)
            for results in stage.run(intake.due):
                record_results(ctx, results, intake.numbers or {})
                _count(done, results)
    ctx.tally.algapsa_writes += done.rows_written
    return done


class _Stage:
    """Applies due payments over the connections of one stage."""

    def __init__(self, ctx: CycleContext, writer: PaymentWriter, fence: sa.Connection) -> None:
        self._ctx = ctx
        self._writer = writer
        self._fence = fence

    def run(self, due: Sequence[DuePayment]) -> Iterator[list[PaymentResult]]:
        """Results in portions; what a later payment may make room for comes last."""
        for final in (*[False] * (_MOST_PASSES - 1), True):
            held_back: list[DuePayment] = []
            made_room = False
            for portion in self._portions(due):
                results = [self._apply(each) for each in portion]
                made_room |= any(result.reversals for result in results)
                full = [] if final else [each for each in results if each.waits_for_room]
                held_back += [each.due for each in full]
                yield [each for each in results if each not in full]
            yield from self._strays(due)
            if not held_back:
                return
            due = held_back
            if not made_room:
                break
        for portion in self._portions(due):
            yield [self._apply(each) for each in portion]

    def _portions(self, due: Sequence[DuePayment]) -> Iterator[Sequence[DuePayment]]:
        for start in range(0, len(due), _CHUNK):
            leases.renew(self._ctx.engine.ledger, self._ctx.lease)
            yield due[start : start + _CHUNK]
