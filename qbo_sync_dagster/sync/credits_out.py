"""Stage 5, level credit applications: link credit memos with invoices as AlgaPSA applied them.

Each chunk reads AlgaPSA again right before it is sent, and QuickBooks' credit and open amounts in
one query each. What QuickBooks applied by itself meanwhile is taken for ours, never doubled.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence

import sqlalchemy as sa

from qbo_sync_dagster.domain.algapsa_payments import CreditApplication
from qbo_sync_dagster.domain.closing_date import is_closed
from qbo_sync_dagster.domain.credit_exceptions import (
    WAITING_KINDS,
    closed_for_credit,
    consumed,
    disputed,
    keeps_failing,
)
from qbo_sync_dagster.domain.credit_identity import CreditIdentity
from qbo_sync_dagster.domain.credit_room import CreditRoom, Shortage
from qbo_sync_dagster.domain.credits import CreditParts, credit_record
from qbo_sync_dagster.domain.credits_in import CreditUse, Dispute
from qbo_sync_dagster.domain.credits_out import ExportCredit
from qbo_sync_dagster.domain.exception_record import ExceptionRecord
from qbo_sync_dagster.domain.money import format_minor, to_minor
from qbo_sync_dagster.domain.operation_kinds import APPLY_CREDIT
from qbo_sync_dagster.domain.sync_marker import sync_marker
from qbo_sync_dagster.ledger import audit, credit_links, exceptions, links, operations, postings
from qbo_sync_dagster.ledger.credit_links import NewCreditLink
from qbo_sync_dagster.quickbooks.bodies import credit_body
from qbo_sync_dagster.quickbooks.errors import ClosedPeriodError, FaultError
from qbo_sync_dagster.quickbooks.objects import Invoice
from qbo_sync_dagster.quickbooks.wire import encode_body
from qbo_sync_dagster.sync.context import CycleContext
from qbo_sync_dagster.sync.credit_items import (
    CLOSED,
    DISPUTED,
    LOOK_AGAIN,
    SHORT,
    CreditDocuments,
    CreditItem,
    read_documents,
)
from qbo_sync_dagster.sync.credits_found import found_since_poll, unseen_payments
from qbo_sync_dagster.sync.levels import Terms
from qbo_sync_dagster.sync.sending import Outgoing, Written


class CreditLevel:
    """The credit applications of one cycle."""

    def __init__(self, ctx: CycleContext, terms: Terms) -> None:
        self._ctx = ctx
        self._closing_date = terms.rules.closing_date
        self._items: dict[str, CreditItem] = {}

    def prepare(self, due: Sequence[operations.Operation]) -> list[Outgoing]:
        """Those that QuickBooks can take now; all others get their state and reason."""
        items = self._sendable(due)
        if not items:
            return []
        shown = read_documents(self._ctx, items)
        items = self._without_found(items, shown)
        return [
            self._outgoing(item, shown.invoices[item.invoice.quickbooks_id])
            for item in self._with_room(items, shown)
        ]

    def _sendable(self, due: Sequence[operations.Operation]) -> list[CreditItem]:
        applications = self._live()
        with self._ctx.ledger() as connection:
            gone = [each for each in due if each.record_id not in applications]
            operations.change(
                connection,
                [operation.operation_id for operation in gone],
                "cancelled",
                reason="AlgaPSA took the application back",
            )
            found = self._linked(connection, due, applications)
            return [item for item in found if not self._is_held(connection, item)]

    def _live(self) -> dict[str, CreditApplication]:
        found = self._ctx.algapsa.credit_applications()
        return {each.key: each for each in found if not each.is_reversed}

    def _linked(
        self,
        connection: sa.Connection,
        due: Sequence[operations.Operation],
        applications: Mapping[str, CreditApplication],
    ) -> list[CreditItem]:
        wanted = [each for each in due if each.record_id in applications]
        of = {each.record_id: applications[each.record_id] for each in wanted}
        notes = {each.source_invoice_id or "" for each in of.values()}
        memos = links.by_algapsa_id(connection, self._ctx.realm, "credit_memo", notes)
        invoices = links.by_algapsa_id(
            connection, self._ctx.realm, "invoice", {each.invoice_id for each in of.values()}
        )
        items = []
        for operation in wanted:
            application = of[operation.record_id]
            memo = memos.get(application.source_invoice_id or "")
            invoice = invoices.get(application.invoice_id)
            if memo is not None and invoice is not None:
                items.append(CreditItem(operation, application, memo, invoice))
        self._items |= {item.application.key: item for item in items}
        return items

    def _is_held(self, connection: sa.Connection, item: CreditItem) -> bool:
        if not is_closed(item.day, self._closing_date):
            return False
        self._hold_closed(connection, item)
        return True

    def _hold_closed(self, connection: sa.Connection, item: CreditItem) -> None:
        record = closed_for_credit(item.application, item.day, self._closing_date)
        self._set_aside(connection, item, record, CLOSED)

    def _set_aside(
        self, connection: sa.Connection, item: CreditItem, record: ExceptionRecord, code: str
    ) -> None:
        operations.change(
            connection,
            [item.operation.operation_id],
            "held",
            reason=record.what_happened,
            reason_code=code,
            next_attempt_at=self._ctx.engine.now() + LOOK_AGAIN,
            fingerprint=item.fingerprint,
        )
        exceptions.raise_all(connection, self._ctx.realm, [record])

    def _without_found(
        self, items: Sequence[CreditItem], shown: CreditDocuments
    ) -> list[CreditItem]:
        """Those that QuickBooks has not applied by itself since the poll, in whatever way."""
        uses = found_since_poll(self._ctx, items, shown)
        keys = [item.application.key for item in items]
        with self._ctx.ledger() as connection:
            linked = credit_links.of_keys(connection, self._ctx.realm, keys)
            left = [item for item in items if item.application.key not in linked]
            return [item for item in left if not self._is_disputed(connection, item, uses)]

    def _is_disputed(
        self, connection: sa.Connection, item: CreditItem, uses: Collection[CreditUse]
    ) -> bool:
        note_id = item.application.source_invoice_id or ""
        of_note = tuple(use for use in uses if note_id in use.from_notes)
        if not of_note:
            return False
        record = disputed(Dispute(note_id, of_note, (item.application,)))
        self._set_aside(connection, item, record, DISPUTED)
        return True

    def _with_room(self, items: Sequence[CreditItem], shown: CreditDocuments) -> list[CreditItem]:
        """Those for which credit and open amount suffice, all of the plan taken together."""
        room = CreditRoom(
            {key: to_minor(memo.remaining) for key, memo in shown.memos.items()},
            {key: to_minor(invoice.balance) for key, invoice in shown.invoices.items()},
        )
        in_doubt = self._in_doubt()
        for each in in_doubt:
            room.reserve(each.memo_id, each.invoice_id, each.minor)
        fitting = []
        with self._ctx.ledger() as connection:
            for item in items:
                memo_id, invoice_id = item.memo.quickbooks_id, item.invoice.quickbooks_id
                short = room.reserve(memo_id, invoice_id, item.application.minor)
                if short is None:
                    fitting.append(item)
                elif not any(
                    each.memo_id == memo_id or each.invoice_id == invoice_id for each in in_doubt
                ):
                    self._set_aside(connection, item, _shortage(item, short), SHORT)
        return fitting

    def _in_doubt(self) -> list[CreditIdentity]:
        """Applications sent earlier that may arrive yet: their credit is spoken for."""
        with self._ctx.reading() as connection:
            return [
                CreditIdentity.from_json(posting.identity)
                for posting in postings.unanswered(connection, self._ctx.realm)
                if posting.kind == APPLY_CREDIT
            ]

    def _outgoing(self, item: CreditItem, invoice: Invoice) -> Outgoing:
        identity = CreditIdentity(
            sync_marker(self._ctx.realm, "credit_application", item.application.key),
            item.memo.quickbooks_id,
            item.invoice.quickbooks_id,
            item.application.minor,
        )
        credit = ExportCredit(
            customer_id=invoice.customer_id,
            memo_id=identity.memo_id,
            invoice_id=identity.invoice_id,
            minor=identity.minor,
            date=item.day,
            marker=identity.marker,
            currency=invoice.currency,
            exchange_rate=invoice.exchange_rate,
        )
        return Outgoing(item.operation, "Payment", credit_body(credit), identity.as_json())

    def still_current(self, outgoing: Sequence[Outgoing]) -> list[Outgoing]:
        """Those that AlgaPSA has not taken back since they were prepared."""
        applications = self._live()
        return [item for item in outgoing if item.operation.record_id in applications]

    def unchanged(self, sent: Sequence[postings.Posting]) -> bool:
        """Whether applications sent earlier are, all of them, what would be sent now."""
        applications = self._live()
        with self._ctx.reading() as connection:
            by_id = {
                operation.operation_id: operation
                for operation in operations.open_ones(connection, self._ctx.realm, APPLY_CREDIT)
            }
            due = [by_id[each.operation_id] for each in sent if each.operation_id in by_id]
            items = self._linked(connection, due, applications)
        if len(items) != len(sent) or any(is_closed(it.day, self._closing_date) for it in items):
            return False
        shown = read_documents(self._ctx, items)
        if unseen_payments(self._ctx, shown.invoices.values()):
            return False
        bodies = {posting.operation_id: posting.body for posting in sent}
        return all(
            (invoice := shown.invoices.get(item.invoice.quickbooks_id)) is not None
            and encode_body(self._outgoing(item, invoice).body)
            == bodies[item.operation.operation_id]
            for item in items
        )

    def done(self, connection: sa.Connection, written: Sequence[Written]) -> None:
        """Link the applications with the payments they became."""
        new = [self._new_link(each) for each in written]
        credit_links.add(connection, self._ctx.realm, new)
        effects = [
            audit.Effect(
                side="quickbooks",
                effect="apply credit",
                record=credit_record(link.key),
                after={"quickbooks_id": link.payment_id, **link.in_algapsa.as_json()},
                request_id=each.request_id,
                intuit_tid=each.answer.intuit_tid,
            )
            for each, link in zip(written, new, strict=True)
        ]
        audit.append(connection, self._ctx.realm, effects)
        exceptions.resolve(
            connection,
            self._ctx.realm,
            WAITING_KINDS,
            [credit_record(each.record_id) for each in written],
            "The credit is applied in QuickBooks.",
        )

    def _new_link(self, written: Written) -> NewCreditLink:
        item = self._items[written.record_id]
        parts = CreditParts.of(item.application)
        return NewCreditLink(
            item.application.key,
            written.answer.object.id,
            "exported",
            parts,
            parts,
            generation=written.operation.generation,
        )

    def refused(
        self,
        connection: sa.Connection,
        operation: operations.Operation,
        error: FaultError,
        *,
        is_final: bool,
    ) -> bool:
        """Tell people; a closed period has a state of its own."""
        item = self._items[operation.record_id]
        if isinstance(error, ClosedPeriodError):
            self._hold_closed(connection, item)
            operations.bump(connection, operation.operation_id)
            return True
        if is_final:
            record = keeps_failing(item.application, str(error))
            exceptions.raise_all(connection, self._ctx.realm, [record])
            operations.remember(connection, operation.operation_id, item.fingerprint)
        return False


def _shortage(item: CreditItem, short: Shortage) -> ExceptionRecord:
    if short.is_of_credit:
        return consumed(item.application, short.left_minor)
    why = f"the invoice has only {format_minor(short.left_minor)} open there. Nothing was sent."
    return keeps_failing(item.application, why)
