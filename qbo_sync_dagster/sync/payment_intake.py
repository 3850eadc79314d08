"""Stage 2, payments: the inbox's payment changes, read in bulk and recognised. Local, no calls."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date
from itertools import chain

import sqlalchemy as sa

from qbo_sync_dagster.domain.errors import DomainError
from qbo_sync_dagster.domain.money import to_minor
from qbo_sync_dagster.domain.payment_exceptions import payment_record
from qbo_sync_dagster.domain.payment_intake import InboundPayment, KnownRecords, recognise
from qbo_sync_dagster.domain.payment_order import application_order
from qbo_sync_dagster.domain.payment_standing import PaymentDecisions
from qbo_sync_dagster.domain.payment_wanted import PaymentEnd, WantedPayment
from qbo_sync_dagster.domain.sync_marker import markers_in
from qbo_sync_dagster.ledger import decisions, inbox, links, payment_links
from qbo_sync_dagster.ledger.payment_links import PaymentLink
from qbo_sync_dagster.quickbooks.objects import Payment, parse_payment
from qbo_sync_dagster.sync.context import CycleContext
from qbo_sync_dagster.sync.credits_in import read_credits
from qbo_sync_dagster.sync.followed import load_followed
from qbo_sync_dagster.sync.unsettled import unsettled_pages

# How a decision names a QuickBooks invoice that is not from AlgaPSA.
NOT_OURS = "quickbooks_invoice:"


@dataclass(frozen=True, slots=True)
class DuePayment:
    """A change to plan: `invoice_ids` are all invoices it pays or ever paid, by AlgaPSA id.

    The change comes without its payload, of which `wanted` has taken what counts.
    """

    change: inbox.Change
    wanted: WantedPayment
    invoice_ids: frozenset[str]
    decisions: PaymentDecisions


@dataclass(frozen=True, slots=True)
class Intake:
    """The payment changes of a cycle: `due` in the order in which they are applied.

    `numbers` are the document numbers of QuickBooks invoices that are not linked, where known.
    """

    due: tuple[DuePayment, ...] = ()
    foreign: tuple[inbox.Change, ...] = ()
    unreadable: tuple[tuple[inbox.Change, str], ...] = ()
    numbers: Mapping[str, str] = field(default_factory=dict)

    @property
    def is_empty(self) -> bool:
        """Whether no payment change waits at all."""
        return not (self.due or self.foreign or self.unreadable)


@dataclass(frozen=True, slots=True)
class _Links:
    """The links that payments meet."""

    invoices: Mapping[str, links.PaidInvoice]
    customers: Collection[str]
    # Payments that we sent: whatever became of them, they are never applied.
    pushed: frozenset[str]
    # AlgaPSA's payments that were matched with one of QuickBooks, by that one's id.
    matched: Mapping[str, Sequence[PaymentLink]]
    # AlgaPSA's payments on these invoices with a payment that still stands in QuickBooks.
    answered: frozenset[str]
    # What staff decided, by QuickBooks payment: invoices where both are real, accepted versions.
    both_real: Mapping[str, frozenset[str]]
    accepted: Mapping[str, int]
    followed: Mapping[str, int]
    not_ours: frozenset[str]


def load_payments(ctx: CycleContext) -> Intake:
    """Every received and parked payment change of the company, newest versions only."""
    read, unreadable = _read(ctx)
    if not (read or unreadable):
        return Intake()
    invoice_ids = {invoice for _, payment in read for invoice, _ in payment.invoice_lines}
    followed = load_followed(ctx, {payment.payment_id for _, payment in read})
    with ctx.reading() as connection:
        found = _load_links(connection, ctx.realm, [payment for _, payment in read], followed)
        numbers = _numbers(connection, ctx.realm, invoice_ids - set(found.invoices))
    ours = ctx.algapsa.numbers_in_use(numbers.values())
    invoices = {quickbooks_id: link.algapsa_id for quickbooks_id, link in found.invoices.items()}
    credit = read_credits(ctx, [payment for _, payment in read], invoices)
    known = KnownRecords(
        invoices,
        found.customers,
        {invoice for invoice, number in numbers.items() if number in ours},
        credit.verdicts,
        found.not_ours,
    )
    standing = ctx.algapsa.standing_payments(ctx.realm, [payment.payment_id for _, payment in read])
    due, foreign, absurd = _recognised(
        ctx.realm, read, known, standing, found, credit.with_counterpart
    )
    return Intake(_ordered(due, standing), tuple(foreign), (*unreadable, *absurd), numbers)


_Read = list[tuple[inbox.Change, InboundPayment]]
_Unreadable = list[tuple[inbox.Change, str]]


def _read(ctx: CycleContext) -> tuple[_Read, _Unreadable]:
    """Each payment's newest change, read page by page: payloads are large and there may be many."""
    newest: dict[str, tuple[inbox.Change, InboundPayment | str]] = {}
    for change in chain.from_iterable(unsettled_pages(ctx, "Payment")):
        known = newest.get(change.object_id)
        if known is None or _age(known[0]) < _age(change):
            found = _content(change, ctx.started_at.date())
            newest[change.object_id] = replace(change, payload={}), found
    read: _Read = []
    unreadable: _Unreadable = []
    for change, found in newest.values():
        if isinstance(found, str):
            unreadable.append((change, found))
        else:
            read.append((change, found))
    return read, unreadable


def _age(change: inbox.Change) -> tuple[bool, int]:
    # A deletion is always the last.
    return change.deleted, change.version


def _content(change: inbox.Change, today: date) -> InboundPayment | str:
    """What the change says, or why it cannot be read."""
    try:
        return inbound_payment(change, today)
    except DomainError as error:
        return str(error)


def inbound_payment(change: inbox.Change, today: date) -> InboundPayment:
    """The payment of a change. A deletion brings no content; `today` is when it was seen.

    Raises MalformedObjectError or MoneyError for a payload that is no payment.
    """
    if change.deleted:
        return InboundPayment(
            change.object_id, change.version, today, None, "", None, (), gone=PaymentEnd.DELETED
        )
    payment = parse_payment(change.payload)
    return InboundPayment(
        payment_id=change.object_id,
        version=change.version,
        date=payment.date,
        currency=payment.currency,
        reference=payment.reference or payment.id,
        customer_id=payment.customer_id,
        invoice_lines=tuple((invoice, to_minor(it)) for invoice, it in payment.invoice_lines),
        is_credit=payment.total == 0 and bool(payment.credit_lines),
        gone=_end(payment),
        credit_lines=tuple((memo, to_minor(it)) for memo, it in payment.credit_lines),
        markers=markers_in(payment.private_note),
    )


def _end(payment: Payment) -> PaymentEnd | None:
    if payment.is_void:
        return PaymentEnd.VOIDED
    return None if payment.invoice_lines else PaymentEnd.UNAPPLIED


def _load_links(
    connection: sa.Connection,
    realm: str,
    payments: Sequence[InboundPayment],
    followed: Mapping[str, int],
) -> _Links:
    invoices = links.paid_invoices(
        connection, realm, {invoice for each in payments for invoice, _ in each.invoice_lines}
    )
    gone = {each.payment_id for each in payments if each.gone}
    ids = {each.payment_id for each in payments}
    own = payment_links.of_payments(connection, realm, ids)
    on_invoices = payment_links.of_invoices(
        connection, realm, [link.algapsa_id for link in invoices.values()]
    )
    matched: defaultdict[str, list[PaymentLink]] = defaultdict(list)
    for link in own:
        if not link.is_pushed:
            matched[link.quickbooks_id].append(link)
    return _Links(
        invoices,
        set(links.ids(connection, realm, "client").values()),
        frozenset(link.quickbooks_id for link in own if link.is_pushed),
        dict(matched),
        frozenset(
            link.algapsa_id
            for link in (*own, *on_invoices)
            if link.is_live_there and link.quickbooks_id not in gone
        ),
        *_decided(connection, realm, ids),
        followed,
        frozenset(
            each.record.removeprefix(NOT_OURS)
            for each in decisions.of_kind(connection, realm, "not_from_algapsa")
        ),
    )


def _decided(
    connection: sa.Connection, realm: str, payment_ids: Collection[str]
) -> tuple[dict[str, frozenset[str]], dict[str, int]]:
    """Per payment: invoices where it is other money than AlgaPSA's, and the version accepted."""
    records = [payment_record(each) for each in payment_ids]
    both: defaultdict[str, set[str]] = defaultdict(set)
    for each in decisions.of_kind(connection, realm, "both_real", records):
        both[each.record.partition(":")[2]].add(str(each.detail["invoice_id"]))
    accepted = {
        each.record.partition(":")[2]: int(each.detail["version"])
        for each in decisions.of_kind(connection, realm, "accepted", records)
        if "version" in each.detail
    }
    return {payment: frozenset(found) for payment, found in both.items()}, accepted


def _numbers(connection: sa.Connection, realm: str, invoice_ids: Collection[str]) -> dict[str, str]:
    """Numbers of unlinked invoices: paying an invoice changes it, so the poll brought it too."""
    found = inbox.newest(connection, realm, "Invoice", invoice_ids) if invoice_ids else {}
    numbers = {key: change.payload.get("DocNumber") for key, change in found.items()}
    return {key: number for key, number in numbers.items() if isinstance(number, str) and number}


def _recognised(
    realm: str,
    read: Iterable[tuple[inbox.Change, InboundPayment]],
    known: KnownRecords,
    standing: Mapping[str, Mapping[str, int]],
    found: _Links,
    with_counterpart: Collection[str],
) -> tuple[list[DuePayment], list[inbox.Change], list[tuple[inbox.Change, str]]]:
    answered = found.answered | set(with_counterpart)
    due, foreign, absurd = [], [], []
    for change, payment in read:
        if payment.payment_id in found.pushed:
            continue
        own = found.matched.get(payment.payment_id, ())
        if own and found.accepted.get(payment.payment_id) == change.version:
            foreign.append(change)  # staff accepted what stands on either side
            continue
        stands = payment.payment_id in standing or bool(own)
        try:
            wanted = recognise(realm, payment, known, stands=stands)
        except DomainError as error:
            absurd.append((change, str(error)))
            continue
        if wanted is None:
            foreign.append(change)
            continue
        # What was matched is looked at even where QuickBooks' payment is gone from it.
        entered = {link.invoice_id for link in own if link.invoice_id}
        touched = {*wanted.per_invoice(), *standing.get(payment.payment_id, ()), *entered}
        lines = {invoice for invoice, _ in payment.invoice_lines}
        invoices = [found.invoices[each] for each in lines if each in found.invoices]
        both_real = found.both_real.get(payment.payment_id, frozenset())
        judged = replace(
            _decisions(invoices, answered, both_real),
            matched_rows=frozenset(link.algapsa_id for link in own),
            taken_before={link.algapsa_id: link.taken_before for link in own},
            follows=found.followed.get(payment.payment_id) == change.version,
        )
        due.append(DuePayment(change, wanted, frozenset(touched), judged))
    return due, foreign, absurd


def _decisions(
    invoices: Sequence[links.PaidInvoice],
    answered: Collection[str],
    both_real: Collection[str],
) -> PaymentDecisions:
    return PaymentDecisions(
        accepted_difference={
            link.algapsa_id: link.accepted_minor for link in invoices if link.accepted_minor > 0
        },
        open_difference={link.algapsa_id for link in invoices if _is_open(link)},
        both_real=both_real,
        with_counterpart=answered,
    )


def _is_open(link: links.PaidInvoice) -> bool:
    # Until an imported link's object was read, what differs is not known yet.
    return not link.is_read or link.difference_minor != link.accepted_minor


def _ordered(
    due: Iterable[DuePayment], standing: Mapping[str, Mapping[str, int]]
) -> tuple[DuePayment, ...]:
    return tuple(
        sorted(
            due,
            key=lambda each: application_order(
                each.wanted, standing.get(each.wanted.payment_id, {})
            ),
        )
    )
