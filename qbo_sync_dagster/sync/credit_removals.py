"""Stage 5, level removals: credit that AlgaPSA took back leaves the invoice in QuickBooks, too.

Only payments that we made are deleted, and only while they are what we made.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date

import sqlalchemy as sa

from qbo_sync_dagster.domain.catalogue import ExceptionKind
from qbo_sync_dagster.domain.closing_date import is_closed
from qbo_sync_dagster.domain.credit_exceptions import WAITING_KINDS, cannot_be_removed
from qbo_sync_dagster.domain.credits import credit_record
from qbo_sync_dagster.domain.errors import DomainError
from qbo_sync_dagster.domain.exception_record import ExceptionRecord
from qbo_sync_dagster.domain.money import to_minor
from qbo_sync_dagster.domain.operation_kinds import REMOVE_CREDIT
from qbo_sync_dagster.ledger import audit, credit_links, exceptions, links, operations, postings
from qbo_sync_dagster.ledger.credit_links import CreditLink
from qbo_sync_dagster.quickbooks.answers import RawObject
from qbo_sync_dagster.quickbooks.errors import (
    ClosedPeriodError,
    FaultError,
    ObjectNotFoundError,
    StaleObjectError,
)
from qbo_sync_dagster.quickbooks.objects import Payment, parse_payment
from qbo_sync_dagster.sync.context import CycleContext
from qbo_sync_dagster.sync.credit_items import CLOSED, LOOK_AGAIN
from qbo_sync_dagster.sync.levels import Terms
from qbo_sync_dagster.sync.sending import Outgoing, Written

CHANGED = "changed in QuickBooks"


class CreditRemovalLevel:
    """The credit applications of one cycle that are to leave QuickBooks."""

    def __init__(self, ctx: CycleContext, terms: Terms) -> None:
        self._ctx = ctx
        self._closing_date: date | None = terms.rules.closing_date
        self._links: dict[str, CreditLink] = {}

    def prepare(self, due: Sequence[operations.Operation]) -> list[Outgoing]:
        """Those whose payment stands there as we made it, with the token that was read."""
        live = {
            each.key for each in self._ctx.algapsa.credit_applications() if not each.is_reversed
        }
        with self._ctx.reading() as connection:
            stands = credit_links.of_keys(
                connection, self._ctx.realm, [each.record_id for each in due]
            )
        self._links |= stands
        wanted = {link.payment_id for link in stands.values()}
        found = self._payments(sorted(wanted))
        outgoing = []
        with self._ctx.ledger() as connection:
            for operation in due:
                link = stands.get(operation.record_id)
                if link is None or operation.record_id in live:
                    operations.change(connection, [operation.operation_id], "cancelled")
                    continue
                item = self._judged(connection, operation, link, found.get(link.payment_id))
                if item is not None:
                    outgoing.append(item)
        return outgoing

    def _payments(self, ids: Sequence[str]) -> Mapping[str, RawObject]:
        found = self._ctx.quickbooks.query_in("Payment", "Id", ids) if ids else ()
        return {raw.id: raw for raw in found}

    def _judged(
        self,
        connection: sa.Connection,
        operation: operations.Operation,
        link: CreditLink,
        raw: RawObject | None,
    ) -> Outgoing | None:
        try:
            payment = parse_payment(raw.payload) if raw else None
        except DomainError as error:
            # One that stands there and can't be read is not gone.
            record = cannot_be_removed(link.key, operation.label, str(error))
            self._hold(connection, operation, CHANGED, record)
            return None
        if payment is None or not payment.lines:
            self._gone(connection, operation, link)
        elif self._is_free(connection, operation, link, payment):
            body = {"Id": payment.id, "SyncToken": payment.sync_token}
            return Outgoing(operation, "Payment", body, {}, verb="delete")
        return None

    def _gone(
        self, connection: sa.Connection, operation: operations.Operation, link: CreditLink
    ) -> None:
        operations.change(
            connection, [operation.operation_id], "done", reason="gone from QuickBooks already"
        )
        _forget(connection, self._ctx, [link])

    def _is_free(
        self,
        connection: sa.Connection,
        operation: operations.Operation,
        link: CreditLink,
        payment: Payment,
    ) -> bool:
        if not self._is_ours(connection, link, payment):
            why = "somebody changed the payment there. Take the credit off the invoice there."
            self._hold(
                connection, operation, CHANGED, cannot_be_removed(link.key, operation.label, why)
            )
            return False
        if is_closed(payment.date, self._closing_date):
            self._hold_closed(connection, operation)
            return False
        return True

    def _is_ours(self, connection: sa.Connection, link: CreditLink, payment: Payment) -> bool:
        """Whether it still brings this amount of this note to this invoice and nothing else."""
        parts = link.in_quickbooks
        if parts is None or payment.total or len(payment.lines) != 2:
            return False
        realm = self._ctx.realm
        memo = links.by_algapsa_id(connection, realm, "credit_memo", [parts.note_id])
        invoice = links.by_algapsa_id(connection, realm, "invoice", [parts.invoice_id])
        shown = (
            [(each, to_minor(minor)) for each, minor in payment.credit_lines],
            [(each, to_minor(minor)) for each, minor in payment.invoice_lines],
        )
        return shown == (
            [(each.quickbooks_id, parts.minor) for each in memo.values()],
            [(each.quickbooks_id, parts.minor) for each in invoice.values()],
        )

    def _hold_closed(self, connection: sa.Connection, operation: operations.Operation) -> None:
        until = f" through {self._closing_date}" if self._closing_date else ""
        why = f"QuickBooks has closed its period{until}."
        record = cannot_be_removed(
            operation.record_id, operation.label, why, ExceptionKind.CLOSED_PERIOD
        )
        self._hold(connection, operation, CLOSED, record)

    def _hold(
        self,
        connection: sa.Connection,
        operation: operations.Operation,
        code: str,
        record: ExceptionRecord,
    ) -> None:
        operations.change(
            connection,
            [operation.operation_id],
            "held",
            reason=record.what_happened,
            reason_code=code,
            next_attempt_at=None if code == CLOSED else self._ctx.engine.now() + LOOK_AGAIN,
        )
        exceptions.raise_all(connection, self._ctx.realm, [record])

    def still_current(self, outgoing: Sequence[Outgoing]) -> list[Outgoing]:
        """All of them: what AlgaPSA took back it never gives again under the same key."""
        return list(outgoing)

    def unchanged(self, sent: Sequence[postings.Posting]) -> bool:
        """Never asked: a deletion without an answer is settled from its object."""
        return False

    def done(self, connection: sa.Connection, written: Sequence[Written]) -> None:
        """The payments are gone, and with them the links."""
        _forget(connection, self._ctx, [self._links[each.record_id] for each in written])

    def refused(
        self,
        connection: sa.Connection,
        operation: operations.Operation,
        error: FaultError,
        *,
        is_final: bool,
    ) -> bool:
        """One that is gone is as wanted; one that moved is read again."""
        if isinstance(error, ObjectNotFoundError):
            operations.bump(connection, operation.operation_id)
            self._gone(connection, operation, self._links[operation.record_id])
            return True
        if isinstance(error, StaleObjectError | ClosedPeriodError):
            if isinstance(error, ClosedPeriodError):
                self._hold_closed(connection, operation)
            else:
                operations.change(connection, [operation.operation_id], "queued")
            operations.bump(connection, operation.operation_id)
            return True
        if is_final:
            record = cannot_be_removed(operation.record_id, operation.label, str(error))
            exceptions.raise_all(connection, self._ctx.realm, [record])
        return False


class CreditRemovalSettler:
    """Removals whose answer never came, settled from their payment."""

    kinds = (REMOVE_CREDIT,)

    def __init__(self, ctx: CycleContext) -> None:
        self._ctx = ctx

    def reached(self, posting: postings.Posting, now: RawObject | None) -> bool:
        """Whether the payment is gone."""
        return now is None

    def done(
        self, connection: sa.Connection, posting: postings.Posting, now: RawObject | None
    ) -> None:
        """Forget the link, as if the answer had come."""
        found = credit_links.of_keys(connection, self._ctx.realm, [posting.record_id])
        _forget(connection, self._ctx, list(found.values()))

    def moved(
        self, connection: sa.Connection, posting: postings.Posting, now: RawObject | None
    ) -> None:
        """Nothing to note: the next cycle queues the removal anew and looks at the payment."""


def _forget(connection: sa.Connection, ctx: CycleContext, gone: Sequence[CreditLink]) -> None:
    credit_links.close(connection, [link.link_id for link in gone])
    effects = [
        audit.Effect(
            "quickbooks",
            "remove credit",
            credit_record(link.key),
            {"quickbooks_id": link.payment_id},
            None,
        )
        for link in gone
    ]
    audit.append(connection, ctx.realm, effects)
    exceptions.resolve(
        connection,
        ctx.realm,
        WAITING_KINDS,
        [credit_record(link.key) for link in gone],
        "The application is gone on both sides.",
    )
