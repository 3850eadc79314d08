"""One cycle of one company: seven stages under one lease, each yielded as it ends.

The order, and what a failure of one stage means for the next, is decided here and nowhere else.
"""

from __future__ import annotations

import logging
import uuid
from collections.abc import Iterable, Iterator
from contextlib import suppress

import sqlalchemy as sa
from sqlalchemy.exc import OperationalError

from qbo_sync_dagster.algapsa.errors import AlgaPsaError
from qbo_sync_dagster.domain.catalogue import ExceptionKind
from qbo_sync_dagster.domain.connection_notices import (
    connection_expires,
    connection_failed,
    not_connected,
    not_ready,
)
from qbo_sync_dagster.domain.exception_record import ExceptionRecord
from qbo_sync_dagster.ledger import (
    connections,
    cycles,
    exceptions,
    leases,
    payment_links,
    postings,
    tokens,
)
from qbo_sync_dagster.ledger.errors import LeaseLostError
from qbo_sync_dagster.ledger.outages import outage, translated_outages
from qbo_sync_dagster.quickbooks.errors import ConnectionDeadError, QuickBooksError
from qbo_sync_dagster.quickbooks.oauth import APP_REFUSED
from qbo_sync_dagster.sync.context import CycleContext, Tally
from qbo_sync_dagster.sync.customers import apply_customers
from qbo_sync_dagster.sync.documents import (
    adopt_documents,
    apply_documents,
    read_payments,
    unlinked_payments,
)
from qbo_sync_dagster.sync.doubts import settle_doubt
from qbo_sync_dagster.sync.drift import report_drift
from qbo_sync_dagster.sync.engine import SyncEngine
from qbo_sync_dagster.sync.health import realm_health
from qbo_sync_dagster.sync.history import settle_history
from qbo_sync_dagster.sync.imported_links import read_imported_links
from qbo_sync_dagster.sync.mapped_documents import import_mappings
from qbo_sync_dagster.sync.mirror import mirror_links
from qbo_sync_dagster.sync.outbound import queue_operations
from qbo_sync_dagster.sync.outcome import (
    AppliedChanges,
    CycleEnd,
    InboundChanges,
    OutboundOperations,
    Outcome,
    Stage,
    StageOutcome,
    StageResult,
    SyncExceptions,
)
from qbo_sync_dagster.sync.payments import apply_payments
from qbo_sync_dagster.sync.payments_out import with_queued_payments
from qbo_sync_dagster.sync.poll import Polled, poll, poll_since
from qbo_sync_dagster.sync.posting import post_operations
from qbo_sync_dagster.sync.preferences import auto_apply_warnings
from qbo_sync_dagster.sync.pushed_payments import (
    recognise_pushed,
    report_payment_drift,
    with_payments,
)
from qbo_sync_dagster.sync.reconsider import reconsider
from qbo_sync_dagster.sync.stands_twice import close_stood_twice
from qbo_sync_dagster.sync.summary import summarize
from qbo_sync_dagster.sync.total_differences import accept_small_differences

_LOG = logging.getLogger(__name__)
_CLOSED_SHOWN = 10


def run_cycle(
    engine: SyncEngine,
    realm: str,
    *,
    trigger: str,
    run_id: str | None = None,
    parent_run_id: str | None = None,
) -> Iterator[StageOutcome | CycleEnd]:
    """Run one cycle, yielding each stage as it ends and last how the cycle ended.

    `realm` is a realm id or company key. `run_id` names the holder of the lease; a run whose
    `parent_run_id` holds it takes it over. Raises UnknownRealmError, and LedgerUnreachableError
    where nothing can be recorded any more; every other fault becomes the cycle's outcome.
    """
    started = engine.monotonic()
    with translated_outages():
        with engine.ledger.connect() as connection:
            company = connections.get(connection, realm)
        lease = leases.take(
            engine.ledger,
            company.realm,
            run_id or f"cycle-{uuid.uuid4()}",
            parent_holder=parent_run_id,
        )
        if lease is None:
            yield _skipped(engine, company)
            return
        try:
            yield from _Cycle(engine, lease, trigger, run_id, started).run()
        finally:
            _give_back(engine, lease)


def _give_back(engine: SyncEngine, lease: leases.Lease) -> None:
    # A ledger that is down keeps the lease until it expires; what brought it down is told instead.
    with suppress(OperationalError):
        leases.release(engine.ledger, lease)


def last_end(events: Iterable[StageOutcome | CycleEnd]) -> CycleEnd:
    """Run a cycle to its end, for callers that want nothing else."""
    for event in events:
        if isinstance(event, CycleEnd):
            return event
    raise RuntimeError("A cycle ended without saying how.")


def _skipped(engine: SyncEngine, company: connections.Connection) -> CycleEnd:
    return CycleEnd(
        Outcome.SKIPPED,
        f"Another cycle of {company.company_name} is running; this one did nothing.",
        realm_health(engine, company.realm),
    )


class _Cycle:
    """The stages of one cycle and what became of them."""

    def __init__(
        self,
        engine: SyncEngine,
        lease: leases.Lease,
        trigger: str,
        run_id: str | None,
        started: float,
    ) -> None:
        self._engine = engine
        self._tally = Tally()
        with leases.fenced(engine.ledger, lease) as connection:
            # Read again under the lease: settings may have changed while it was awaited.
            company = connections.get(connection, lease.realm)
            self._row = cycles.start(
                connection,
                lease.realm,
                epoch=lease.epoch,
                trigger=trigger,
                run_id=run_id,
                cursor=company.cursor,
            )
        self._ctx = CycleContext(
            engine=engine,
            connection=company,
            lease=lease,
            cycle_id=self._row.cycle_id,
            started_at=self._row.started_at,
            started_monotonic=started,
            quickbooks=engine.open_quickbooks(
                lease.realm,
                before_call=lambda _: leases.renew(engine.ledger, lease),
                meter=self._tally.count_call,
                wait_budget=self._may_wait,
            ),
            algapsa=engine.open_algapsa(company),
            tally=self._tally,
        )
        self._outcome = Outcome.SUCCEEDED
        self._problem: str | None = None
        self._warnings: list[str] = []
        self._results: dict[Stage, StageResult] = {}

    def _may_wait(self, seconds: float) -> bool:
        return seconds < self._ctx.seconds_left()

    def run(self) -> Iterator[StageOutcome | CycleEnd]:
        """All stages; exceptions and health always, the others as far as they may run."""
        try:
            yield from self._working_stages()
            yield self._timed(Stage.SYNC_EXCEPTIONS, self._exceptions())
            self._close()
        except LeaseLostError as error:
            # The run that took over closes the cycle row; this one may write nothing any more.
            health = realm_health(self._engine, self._ctx.realm)
            yield CycleEnd(Outcome.FAILED, str(error), health)
            return
        health = realm_health(self._engine, self._ctx.realm)
        yield StageOutcome(Stage.SYNC_HEALTH, health, self._seconds())
        yield CycleEnd(self._outcome, self._problem or health.summary, health)

    def _working_stages(self) -> Iterator[StageOutcome]:
        try:
            if self._is_ready():
                yield from self._stages()
        except LeaseLostError:
            raise
        except ConnectionDeadError as error:
            self._abort(error)
        except (QuickBooksError, AlgaPsaError) as error:
            self._fail(str(error))
        except OperationalError as error:
            self._fail(str(outage(error)))
        except Exception as error:  # noqa: BLE001 - the reason follows
            # One faulty cycle must end closed and told, not as a stuck lease.
            _LOG.exception("The cycle of realm %s met an unexpected fault.", self._ctx.realm)
            self._fail(
                f"An unexpected fault ({type(error).__name__}) stopped the cycle; the log has the "
                "details. The next cycle tries again."
            )

    def _stages(self) -> Iterator[StageOutcome]:
        polled, again, inbound = self._poll()
        yield self._timed(Stage.INBOUND_CHANGES, inbound)
        yield self._timed(Stage.APPLIED_CHANGES, self._apply(polled))
        drift = with_payments(report_drift(self._ctx), report_payment_drift(self._ctx))
        yield self._timed(Stage.DRIFT_REPORT, drift)
        if polled is not None:
            import_mappings(self._ctx)
        yield self._timed(Stage.OUTBOUND_OPERATIONS, self._queue())
        posted = post_operations(self._ctx, again, polled=polled is not None)
        mirror_links(self._ctx)
        yield self._timed(Stage.POSTED_OPERATIONS, posted)

    def _is_ready(self) -> bool:
        """The preflight, and no call at all for a company that must be reconnected first."""
        company = self._ctx.connection
        if company.state != "connected":
            self._outcome = Outcome.ABORTED
            self._problem = not_connected(company.state, company.company_name, company.company)
            return False
        fatal, self._warnings = self._preflight()
        self._tell(
            [ExceptionKind.ALGAPSA_NOT_READY],
            not_ready(company.realm, fatal) if fatal else None,
            "AlgaPSA passed the preflight.",
        )
        if fatal:
            self._fail(" ".join(fatal))
        return not fatal

    def _preflight(self) -> tuple[list[str], list[str]]:
        """What stops the company, and what only should be known; each a sentence with its cure."""
        try:
            problems = self._ctx.algapsa.preflight(self._engine.clock.server_now())
        except AlgaPsaError as error:
            return [str(error)], []
        fatal = [problem.message for problem in problems if problem.is_fatal]
        return fatal, [problem.message for problem in problems if not problem.is_fatal]

    def _poll(self) -> tuple[Polled | None, list[postings.Posting], InboundChanges]:
        with self._ctx.reading() as connection:
            unanswered = postings.unanswered(connection, self._ctx.realm)
        since = poll_since(self._ctx, unanswered)
        try:
            polled = poll(self._ctx, unanswered)
        except ConnectionDeadError:
            raise
        except QuickBooksError as error:
            self._fail(str(error))
            return None, [], InboundChanges(polled_from=since, problem=str(error))
        self._tell([ExceptionKind.CONNECTION_FAILED], None, "QuickBooks answers again.")
        settled, again = settle_doubt(self._ctx, polled, unanswered)
        by_entity: dict[str, int] = {}
        for item in polled.objects:
            by_entity[item.entity] = by_entity.get(item.entity, 0) + 1
        return (
            polled,
            again,
            InboundChanges(
                polled_from=since,
                polled_at=polled.server_time,
                received=polled.received,
                by_entity=by_entity,
                sweep=polled.sweep,
                doubt_settled=settled,
            ),
        )

    def _apply(self, polled: Polled | None) -> AppliedChanges:
        lost = unlinked_payments(self._ctx)
        if polled is not None:
            read_imported_links(self._ctx)
            read_payments(self._ctx, self._unread().union(*lost.values()))
            lost = {}
        accept_small_differences(self._ctx)
        customers = apply_customers(self._ctx)
        adopted = adopt_documents(self._ctx)
        pushed = recognise_pushed(self._ctx)
        if polled is not None:
            settle_history(self._ctx)
        payments = apply_payments(self._ctx)
        documents = apply_documents(self._ctx, lost)
        close_stood_twice(self._ctx)
        cursor = self._ctx.connection.cursor
        if polled is not None:
            cursor = max(cursor, polled.server_time)
            with self._ctx.ledger() as connection:
                connections.advance_cursor(connection, self._ctx.realm, polled.server_time)
        return AppliedChanges(
            customers=customers.applied,
            payments_applied=payments.applied,
            payments_reversed=payments.reversed,
            documents=adopted + documents.applied,
            known=documents.known + payments.known + pushed,
            foreign=customers.foreign + documents.foreign + payments.foreign,
            parked=customers.parked + documents.parked + payments.parked,
            waiting=payments.waiting,
            rows_written=payments.rows_written,
            cursor=cursor,
        )

    def _unread(self) -> set[str]:
        with self._ctx.reading() as connection:
            return payment_links.let_go_unread(connection, self._ctx.realm)

    def _queue(self) -> OutboundOperations:
        reconsider(self._ctx)
        return with_queued_payments(self._ctx, queue_operations(self._ctx))

    def _exceptions(self) -> SyncExceptions:
        company = self._ctx.connection
        with self._ctx.reading() as connection:
            expiry = tokens.refresh_expiry(connection, company.realm)
        warning = connection_expires(
            company.realm, company.company_name, expiry, self._engine.now()
        )
        self._tell(
            [ExceptionKind.CONNECTION_EXPIRES], warning, "The authorization was renewed or is over."
        )
        with self._ctx.reading() as connection:
            return SyncExceptions(
                tuple(exceptions.listed(connection, company.realm)),
                tuple(exceptions.recently_closed(connection, company.realm, _CLOSED_SHOWN)),
            )

    def _tell(
        self, kinds: list[ExceptionKind], record: ExceptionRecord | None, resolved: str
    ) -> None:
        """Raise a notice about the connection, or resolve the one that no longer holds."""
        realm = self._ctx.realm
        with self._ctx.ledger() as connection:
            if record is not None:
                exceptions.raise_all(connection, realm, [record])
            else:
                exceptions.resolve(connection, realm, kinds, [f"connection:{realm}"], resolved)

    def _fail(self, sentence: str) -> None:
        self._outcome = Outcome.FAILED
        self._problem = self._problem or sentence

    def _abort(self, error: ConnectionDeadError) -> None:
        company = self._ctx.connection
        self._outcome, self._problem = Outcome.ABORTED, str(error)
        record = connection_failed(company.realm, company.company_name, str(error))
        with self._ctx.ledger() as connection:
            if self._was_replaced(connection):
                self._problem = (
                    f"{company.company_name} was connected again or disconnected while this cycle "
                    "ran, so it stopped. The next cycle goes on from where this one began."
                )
                return
            if error.code != APP_REFUSED:
                connections.update(connection, company.realm, state="reconnect")
            exceptions.raise_all(connection, company.realm, [record])

    def _was_replaced(self, connection: sa.Connection) -> bool:
        """Whether staff changed the connection since: then the refused tokens are not its own."""
        company = connections.locked(connection, self._ctx.realm)
        if company.state != "connected":
            return True
        tried = self._engine.tokens.last_tried(company.realm)
        stored = tokens.load(connection, company.realm, self._engine.cipher)
        return tried is not None and tried.refresh_token != stored.refresh_token

    def _close(self) -> None:
        counts = {
            "quickbooks_writes": self._tally.quickbooks_writes,
            "algapsa_writes": self._tally.algapsa_writes,
        }
        with self._ctx.ledger() as connection:
            company = connections.get(connection, self._ctx.realm)
            cycles.close(
                connection,
                self._row.cycle_id,
                outcome=str(self._outcome),
                counts=counts,
                calls=dict(self._tally.calls),
                summary=summarize(self._results),
                problem=self._problem,
                warnings=[*self._warnings, *auto_apply_warnings(company)],
                cursor=company.cursor,
            )

    def _timed(self, stage: Stage, result: StageResult) -> StageOutcome:
        self._results[stage] = result
        return StageOutcome(stage, result, self._seconds())

    def _seconds(self) -> float:
        now = self._engine.monotonic()
        spent = now - getattr(self, "_since", self._ctx.started_monotonic)
        self._since = now
        return spent
