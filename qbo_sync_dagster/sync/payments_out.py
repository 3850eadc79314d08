"""Stage 4, payments out: queue AlgaPSA's receipts and what was taken back of them. Local.

One that cannot go now waits in the queue with its reason and is judged anew in every cycle.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import replace

import sqlalchemy as sa

from qbo_sync_dagster.domain.catalogue import ExceptionKind
from qbo_sync_dagster.domain.exception_record import ExceptionRecord
from qbo_sync_dagster.domain.operation_kinds import CHANGE_PAYMENT, PUSH_PAYMENT
from qbo_sync_dagster.domain.own_money import OwnMoney, Receipt
from qbo_sync_dagster.domain.payment_exceptions import payment_record
from qbo_sync_dagster.domain.payment_view import PaymentView
from qbo_sync_dagster.domain.payments_out import (
    HOLDS,
    NOT_MAPPED,
    Verdict,
    refunds_settled,
)
from qbo_sync_dagster.domain.payments_out_exceptions import (
    HELD_BY,
    PUSH_KINDS,
    beside_left_unapplied,
    invoice_left_alone,
    label,
    matched_changed_in_algapsa,
    not_pushed,
    refund_to_record,
)
from qbo_sync_dagster.ledger import exceptions, operations, payment_links
from qbo_sync_dagster.ledger.links import Link
from qbo_sync_dagster.ledger.operations import RETRIED, NewOperation, Operation
from qbo_sync_dagster.ledger.payment_links import PaymentLink
from qbo_sync_dagster.sync.adoption import ORPHAN
from qbo_sync_dagster.sync.context import CycleContext
from qbo_sync_dagster.sync.left_unapplied import left_unapplied
from qbo_sync_dagster.sync.lost_applied import plan_lost
from qbo_sync_dagster.sync.lost_rows import let_go
from qbo_sync_dagster.sync.outcome import OutboundOperations
from qbo_sync_dagster.sync.payment_books import (
    PaymentBooks,
    agreed_minor,
    load_books,
    load_choices,
)

# Invoices judged at once: their payments are all that memory holds.
_PAGE = 1000
CLOSED = "closed period"
TOO_LITTLE_OPEN = "too little open"
TO_RECORD = "to record in QuickBooks"
_JUDGED_HERE = frozenset(str(each.name) for each in (*HOLDS, *NOT_MAPPED, Verdict.WAIT))
_PUSHABLE = frozenset({Verdict.SEND, Verdict.WAIT, *HOLDS, *NOT_MAPPED})
# Why an open operation stands still, and what is told of it meanwhile.
_TOLD_WHILE = {
    CLOSED: (ExceptionKind.CLOSED_PERIOD,),
    TOO_LITTLE_OPEN: (ExceptionKind.SAME_PAYMENT, ExceptionKind.ALREADY_SETTLED),
    ORPHAN: (ExceptionKind.ORPHAN,),
    TO_RECORD: (ExceptionKind.REVERSAL_TO_RECORD,),
    Verdict.NO_INVOICE.name: (ExceptionKind.PUSH_INVOICE_NOT_MAPPED,),
    Verdict.NO_CUSTOMER.name: (ExceptionKind.PUSH_CUSTOMER_NOT_MAPPED,),
}
_LEFT_OUT_BY = (
    ExceptionKind.PUSH_FAILING,
    ExceptionKind.SAME_PAYMENT,
    ExceptionKind.ALREADY_SETTLED,
    ExceptionKind.CLOSED_PERIOD,
    ExceptionKind.EXPORT_FAILING,
)
# Dismissed of a reversal, any of these leaves QuickBooks' payment as it is.
_NOT_TAKEN_BACK = (
    ExceptionKind.REVERSAL_TO_RECORD,
    ExceptionKind.CLOSED_PERIOD,
    ExceptionKind.PUSH_FAILING,
)
# A payment that staff had pushed after they dismissed one of these is pushed.
_NOT_MAPPED_KINDS = (
    ExceptionKind.PUSH_INVOICE_NOT_MAPPED,
    ExceptionKind.PUSH_CUSTOMER_NOT_MAPPED,
)
_SETTLED_HERE = (*PUSH_KINDS, ExceptionKind.REVERSAL_TO_RECORD, ExceptionKind.EXPORT_FAILING)
_RAISED_HERE = (ExceptionKind.REFUND_TO_RECORD, ExceptionKind.PAYMENT_DRIFT)


def queue_payments(ctx: CycleContext) -> int:
    """Bring the queue in line with AlgaPSA's own payments; returns how many were queued."""
    planner = _Planner(ctx)
    for books in _pages(ctx, planner):
        planner.judge(books)
    planner.finish()
    return planner.queued


def with_queued_payments(ctx: CycleContext, documents: OutboundOperations) -> OutboundOperations:
    """Queue payments after the documents that they pay; both counted together."""
    queued = queue_payments(ctx)
    with ctx.reading() as connection:
        counts = operations.counts(connection, ctx.realm)
    return replace(
        documents,
        queued=documents.queued + queued,
        pending=counts["queued"] + counts["posting"],
        held=counts["held"],
        errored=counts["errored"],
    )


def _pages(ctx: CycleContext, planner: _Planner) -> Iterator[PaymentBooks]:
    company = ctx.connection
    ids = ctx.algapsa.invoices_with_own_payments(company.go_live_date, company.connected_at)
    older = (
        ctx.algapsa.invoices_of_payments(planner.choices.history) if planner.choices.history else {}
    )
    ids = sorted({*ids, *older.values()})
    for start in range(0, len(ids), _PAGE):
        books = load_books(ctx, ids[start : start + _PAGE], planner.choices)
        if books.lost or books.lost_applied:
            with ctx.ledger() as connection:
                let_go(connection, ctx.realm, books.lost)
                plan_lost(connection, ctx.realm, books.lost_applied)
        yield books


class _Planner:
    """Judges page by page, then settles what no page wanted any more."""

    def __init__(self, ctx: CycleContext) -> None:
        self._ctx = ctx
        self.queued = 0
        self._raised: list[ExceptionRecord] = []
        self._wanted: set[tuple[str, str]] = set()
        self._taken_back: set[str] = set()
        with ctx.reading() as connection:
            self.choices = load_choices(connection, ctx.realm)
            self._left_unapplied = left_unapplied(connection, ctx.realm)
            self._told = {
                (each.kind, each.record) for each in exceptions.listed(connection, ctx.realm)
            }
            self._open = {
                (operation.kind, operation.record_id): operation
                for kind in (PUSH_PAYMENT, CHANGE_PAYMENT)
                for operation in operations.open_ones(connection, ctx.realm, kind)
            }
            self._dismissed = exceptions.dismissed_versions(
                connection, ctx.realm, [*_SETTLED_HERE, *_RAISED_HERE]
            )
        self._given_up = self._left_in_doubt()

    def _left_in_doubt(self) -> set[str]:
        """Whatever AlgaPSA takes back of it since: it may stand in QuickBooks, and would twice."""
        # One that turned up and was deleted there is proven gone: staff had it made again.
        made_again = {
            payment_record(row_id)
            for (kind, row_id), operation in self._open.items()
            if kind == PUSH_PAYMENT and operation.generation > 1
        }
        orphans = {record for kind, record, _ in self._dismissed if kind == ExceptionKind.ORPHAN}
        return orphans - made_again

    def judge(self, books: PaymentBooks) -> None:
        """Queue, hold and tell for the payments of one page."""
        new: list[tuple[NewOperation, str, str]] = []
        moves: defaultdict[tuple[str, str | None], list[int]] = defaultdict(list)
        for receipt in books.receipts():
            link = books.pushed.get(receipt.row_id)
            if link is None:
                self._judge_push(books, receipt, new, moves)
            elif receipt.invoice_id in books.documents:
                self._judge_change(books, receipt, link, new, moves)
        for invoice_id, money in books.money.items():
            self._judge_refunds(books, invoice_id, money)
        with self._ctx.ledger() as connection:
            self._commit(connection, new, moves)

    def _judge_push(
        self,
        books: PaymentBooks,
        receipt: Receipt,
        new: list[tuple[NewOperation, str, str]],
        moves: Mapping[tuple[str, str | None], list[int]],
    ) -> None:
        if receipt.net <= 0:
            self._taken_back.add(receipt.row_id)
        verdict = books.verdict(receipt)
        document = books.documents.get(receipt.invoice_id)
        if document is None or self._is_dismissed(receipt):
            return
        if verdict in NOT_MAPPED or verdict is Verdict.LATE:
            self._raised.append(not_pushed(receipt, document, verdict))
        left = document.waiting & self._left_unapplied
        if verdict is Verdict.SAME_MONEY and left:
            self._raised.append(beside_left_unapplied(receipt, document, left))
        holder = HELD_BY.get(verdict)
        if holder and (str(holder), f"invoice:{receipt.invoice_id}") not in self._told:
            self._raised.append(invoice_left_alone(receipt, document, verdict))
        if verdict not in _PUSHABLE:
            return
        key = (PUSH_PAYMENT, receipt.row_id)
        self._wanted.add(key)
        state, code = _wanted_state(verdict, is_export_held=document.export_is_held)
        found = self._open.get(key)
        if found is None:
            fresh = NewOperation(
                PUSH_PAYMENT, receipt.row_id, label(receipt, document.number), generation=1
            )
            new.append((fresh, state, code))
        elif move := _move(found, state, code, self._key(books, receipt)):
            moves[move].append(found.operation_id)

    def _judge_change(
        self,
        books: PaymentBooks,
        receipt: Receipt,
        link: PaymentLink,
        new: list[tuple[NewOperation, str, str]],
        moves: Mapping[tuple[str, str | None], list[int]],
    ) -> None:
        agreed = agreed_minor(link, receipt)
        if link.state != "live" or agreed == receipt.net:
            return
        document = books.documents[receipt.invoice_id]
        if not link.is_pushed:
            self._raised.append(
                matched_changed_in_algapsa(receipt, document.number, link.quickbooks_id, agreed)
            )
            return
        # Drift of that payment is decided first: a reversal on top of it would hide it.
        if link.drift is not None or any(
            self._is_left_alone(kind, receipt.row_id, str(receipt.net)) for kind in _NOT_TAKEN_BACK
        ):
            return
        key = (CHANGE_PAYMENT, receipt.row_id)
        self._wanted.add(key)
        found = self._open.get(key)
        if found is None:
            change = NewOperation(CHANGE_PAYMENT, receipt.row_id, label(receipt, document.number))
            new.append((change, "queued", ""))
        elif move := _move(found, "queued", "", f"{receipt.net}:{link.sync_token}"):
            moves[move].append(found.operation_id)

    def _judge_refunds(self, books: PaymentBooks, invoice_id: str, money: OwnMoney) -> None:
        document = books.documents.get(invoice_id)
        if not money.refunds or document is None or document.quickbooks_id is None:
            return
        waits = sum(
            receipt.net
            for receipt in money.receipts
            if receipt.row_id not in books.pushed and books.verdict(receipt) in _PUSHABLE
        )
        in_quickbooks = sum(
            _applied(books.pushed[receipt.row_id], receipt)
            for receipt in money.receipts
            if receipt.row_id in books.pushed
        )
        held = (
            receipt.net if receipt.row_id in books.pushed else receipt.unanswered
            for receipt in money.receipts
        )
        own_net = sum(held) - money.refunded_minor
        if not refunds_settled(own_net, in_quickbooks, waits):
            self._raised += [refund_to_record(row, document.number) for row in money.refunds]

    def _key(self, books: PaymentBooks, receipt: Receipt) -> str:
        return push_key(receipt, books.invoice_links.get(receipt.invoice_id))

    def _is_dismissed(self, receipt: Receipt) -> bool:
        """Whether staff left it out of QuickBooks: it stays out when what held it is gone."""
        kinds: tuple[ExceptionKind, ...] = _LEFT_OUT_BY
        if receipt.row_id not in self.choices.chosen:
            kinds = (*kinds, *_NOT_MAPPED_KINDS)
        version = str(receipt.net)
        return payment_record(receipt.row_id) in self._given_up or any(
            self._is_left_alone(kind, receipt.row_id, version) for kind in kinds
        )

    def _is_left_alone(self, kind: ExceptionKind, row_id: str, version: str) -> bool:
        return (str(kind), payment_record(row_id), version) in self._dismissed

    def _commit(
        self,
        connection: sa.Connection,
        new: Sequence[tuple[NewOperation, str, str]],
        moves: Mapping[tuple[str, str | None], Collection[int]],
    ) -> None:
        self.queued += operations.queue(connection, self._ctx.realm, [each for each, _, _ in new])
        for fresh, state, code in new:
            if state != "queued":
                made = operations.of_record(
                    connection, self._ctx.realm, fresh.kind, fresh.record_id
                )
                ids = [operation.operation_id for operation in made]
                operations.change(connection, ids, state, reason=_words(code), reason_code=code)
        for (state, why), moved in moves.items():
            if state == "queued" and why is None:
                operations.revive(connection, moved)
            else:
                operations.change(connection, moved, state, reason=_words(why), reason_code=why)

    def finish(self) -> None:
        """Withdraw what is no longer wanted; bring the exceptions in line with the queue."""
        with self._ctx.ledger() as connection:
            let_go_of = self._without_link(connection)
            outdated = [
                operation.operation_id
                for key, operation in self._open.items()
                if key not in self._wanted
                and not _must_stay(operation, is_linked=key not in let_go_of)
            ]
            operations.change(
                connection, outdated, "cancelled", reason="no longer to be sent to QuickBooks"
            )
            exceptions.raise_all(connection, self._ctx.realm, self._raised)
            self._resolve(connection)
            self._resolve_made_anew(connection)

    def _without_link(self, connection: sa.Connection) -> set[tuple[str, str]]:
        """Changes that staff filed of payments that AlgaPSA has lost: they concern it no more."""
        filed = {row_id for kind, row_id in self._open if kind == CHANGE_PAYMENT}
        if not filed:
            return set()
        linked = payment_links.of_rows(connection, self._ctx.realm, filed)
        lost = filed - {link.algapsa_id for link in linked}
        return {(CHANGE_PAYMENT, row_id) for row_id in lost}

    def _resolve_made_anew(self, connection: sa.Connection) -> None:
        """Close what is told of deleted payments that are not made again: AlgaPSA has none left."""
        drifted = [
            record.removeprefix("payment:")
            for kind, record in self._told
            if kind == ExceptionKind.PAYMENT_DRIFT and not is_row(record)
        ]
        gone = [
            payment_record(link.quickbooks_id)
            for link in payment_links.closed_of_payments(connection, self._ctx.realm, drifted)
            if link.algapsa_id in self._taken_back
        ]
        exceptions.resolve(
            connection,
            self._ctx.realm,
            [ExceptionKind.PAYMENT_DRIFT],
            gone,
            "AlgaPSA took the payment back, too.",
        )

    def _resolve(self, connection: sa.Connection) -> None:
        realm = self._ctx.realm
        still = {(str(record.kind), record.record) for record in self._raised}
        for kind in (PUSH_PAYMENT, CHANGE_PAYMENT):
            for operation in operations.open_ones(connection, realm, kind):
                still |= _told_of(operation)
        over: defaultdict[str, list[str]] = defaultdict(list)
        for found in exceptions.listed(connection, realm):
            is_ours = found.kind in (*_SETTLED_HERE, *_RAISED_HERE) and is_row(found.record)
            if is_ours and (found.kind, found.record) not in still:
                over[found.kind].append(found.record)
        for kind_name, records in over.items():
            exceptions.resolve(
                connection,
                realm,
                [ExceptionKind(kind_name)],
                records,
                "The cause no longer stands.",
            )


def is_row(record: str) -> bool:
    """Whether an exception's record is a payment row of AlgaPSA, whose ids are UUIDs."""
    return record.startswith("payment:") and record.count("-") == 4


def push_key(receipt: Receipt, link: Link | None) -> str:
    """What a push was held for: it is looked at again once one of these moves."""
    invoice = (link.sync_token, link.accepted_minor) if link else ()
    return ":".join(str(part) for part in (receipt.net, *invoice))


def _words(code: str | None) -> str | None:
    return str(Verdict[code].value) if code and code in Verdict.__members__ else code


def _wanted_state(verdict: Verdict, *, is_export_held: bool) -> tuple[str, str]:
    if verdict in NOT_MAPPED:
        return "errored", verdict.name
    if verdict in HOLDS or (verdict is Verdict.WAIT and is_export_held):
        return "held", verdict.name
    return "queued", ""


def _move(found: Operation, state: str, code: str, key: str) -> tuple[str, str | None] | None:
    """The state that an open operation goes to, with its code; None to leave it alone."""
    if found.state == "posting" or found.reason_code == ORPHAN:
        return None
    if state != "queued":
        return None if (found.state, found.reason_code) == (state, code) else (state, code)
    if found.state == "queued":
        return None
    if found.reason_code == CLOSED:
        # Only QuickBooks knows whether the period was reopened; its exception stays meanwhile.
        return "queued", CLOSED
    if found.reason_code in _JUDGED_HERE or found.fingerprint not in (None, key):
        return "queued", None
    return None


def _must_stay(operation: Operation, *, is_linked: bool) -> bool:
    # What may stand in QuickBooks is settled first, and what staff filed is carried out.
    in_doubt = operation.state == "posting" or operation.reason_code == ORPHAN
    return in_doubt or (is_linked and bool(operation.detail.get("re_export")))


def _told_of(operation: Operation) -> set[tuple[str, str]]:
    kinds = list(_TOLD_WHILE.get(operation.reason_code or "", ()))
    if operation.reason_code == RETRIED:
        # What staff have tried again stays told until that succeeds.
        kinds += _SETTLED_HERE
    kinds.append(ExceptionKind.EXPORT_FAILING)
    if operation.state == "errored":
        kinds.append(ExceptionKind.PUSH_FAILING)
    return {(str(kind), payment_record(operation.record_id)) for kind in kinds}


def _applied(link: PaymentLink, receipt: Receipt) -> int:
    """What QuickBooks shows of a pushed payment on its invoice; of a matched one, what agreed."""
    agreed = agreed_minor(link, receipt)
    if link.is_pushed and link.shown:
        # A reversal on its way, or one that staff record, is no refund.
        return PaymentView.from_json(link.shown).total_minor + receipt.net - agreed
    return agreed
