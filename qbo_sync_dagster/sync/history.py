"""Stage 2, history: the payments that an invoice had on both sides before it was linked.

They are paired before any payment is applied to that invoice. What is left over waits for staff,
remembered beside the invoice until it is settled. Pairing writes to neither side.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date

import sqlalchemy as sa

from qbo_sync_dagster.domain.catalogue import ExceptionKind
from qbo_sync_dagster.domain.errors import DomainError
from qbo_sync_dagster.domain.history_leftovers import Choice, StoredLeftover, history_exception
from qbo_sync_dagster.domain.history_pairing import (
    HistoricMoney,
    Leftover,
    Pair,
    pair_history,
    without_taken_back,
)
from qbo_sync_dagster.domain.payment_intake import InboundPayment
from qbo_sync_dagster.ledger import audit, decisions, exceptions, inbox, links
from qbo_sync_dagster.quickbooks.answers import RawObject
from qbo_sync_dagster.sync.context import CycleContext
from qbo_sync_dagster.sync.documents import read_payments
from qbo_sync_dagster.sync.payment_intake import inbound_payment
from qbo_sync_dagster.sync.poll import OVERLAP
from qbo_sync_dagster.sync.translate import delivered

HISTORY = "history"
_SYNC = "sync"


def settle_history(ctx: CycleContext) -> None:
    """Pair the payments of newly linked invoices, and do what staff chose for older leftovers.

    Raises the gateways' errors; what was not paired by then is paired in the next cycle, and its
    invoices take no payments until then.
    """
    while True:
        with ctx.reading() as connection:
            linked = links.unpaired(connection, ctx.realm)
        if not linked:
            break
        _pair(ctx, linked)
    _follow_choices(ctx)
    _tell(ctx)


def leftovers(connection: sa.Connection, realm: str) -> list[StoredLeftover]:
    """Every payment from before the sync that is still left over in a company."""
    return [_stored(each) for each in decisions.of_kind(connection, realm, HISTORY)]


def waiting_rows(connection: sa.Connection, realm: str) -> dict[str, Choice]:
    """AlgaPSA's payment rows from before the sync, with what staff chose: a row that waits is not
    pushed, and one to push is, however old it is."""
    return {each.record_id: each.choice for each in leftovers(connection, realm) if each.is_ours}


# Pairing


@dataclass(slots=True)
class _Found:
    """QuickBooks' payments of the invoices: where they put money, and which a poll brings."""

    theirs: list[HistoricMoney] = field(default_factory=list)
    delivered: set[str] = field(default_factory=set)


def _pair(ctx: CycleContext, linked: Sequence[links.Link]) -> None:
    found = _their_money(ctx, linked)
    ours = _our_money(ctx, linked)
    with ctx.ledger() as connection:
        answered = _answered(connection, ctx.realm)
        for link in linked:
            pairing = pair_history(
                [it for it in ours.get(link.algapsa_id, ()) if it.record_id not in answered],
                [it for it in found.theirs if it.invoice_id == link.algapsa_id],
            )
            _link_pairs(connection, ctx, pairing.pairs)
            older = [each for each in pairing.theirs if each.money.record_id not in found.delivered]
            # A link that we lost and found again has payments that the queue still owes.
            mine = pairing.ours if link.origin == "imported" else ()
            _remember(connection, ctx.realm, [*_listed(mine, True), *_listed(older, False)])
        links.mark_paired(connection, [link.link_id for link in linked])


def _their_money(ctx: CycleContext, linked: Sequence[links.Link]) -> _Found:
    ids = {payment for link in linked for payment in link.payment_ids}
    with ctx.reading() as connection:
        known = inbox.newest(connection, ctx.realm, "Payment", ids) if ids else {}
        answered = set(links.ids(connection, ctx.realm, "payment").values())
        answered |= set(links.ids(connection, ctx.realm, "credit_application").values())
    standing = ctx.algapsa.standing_payments(ctx.realm, ids) if ids else {}
    unknown = sorted(ids - known.keys() - answered - standing.keys())
    found = _Found(delivered=set(known))
    payments = [_readable(each.payload) for each in known.values() if not each.deleted]
    for raw in ctx.quickbooks.query_in("Payment", "Id", unknown) if unknown else ():
        if _is_recent(ctx, raw):
            _deliver(ctx, raw)
            found.delivered.add(raw.id)
        payments.append(_readable(raw.payload))
    invoices = {link.quickbooks_id: link.algapsa_id for link in linked}
    for payment in payments:
        if payment and payment.payment_id not in answered | standing.keys():
            found.theirs += _on_invoices(payment, invoices)
    return found


def _is_recent(ctx: CycleContext, raw: RawObject) -> bool:
    # What changed since the company was connected, a poll brings, or has brought.
    return raw.updated_at is None or raw.updated_at >= ctx.connection.connected_at - OVERLAP


def _deliver(ctx: CycleContext, raw: RawObject) -> None:
    with ctx.ledger() as connection:
        inbox.refresh(connection, ctx.realm, [delivered(raw)])


def _readable(payload: Mapping[str, object]) -> InboundPayment | None:
    change = inbox.Change(
        0, "Payment", str(payload.get("Id", "")), 0, False, "", None, dict(payload)
    )
    try:
        return inbound_payment(change, date.min)
    except DomainError:
        return None  # parked with its cause if a poll brought it, and told as unreadable


def _on_invoices(payment: InboundPayment, invoices: Mapping[str, str]) -> Iterator[HistoricMoney]:
    nets: defaultdict[str, int] = defaultdict(int)
    for invoice, minor in () if payment.gone else payment.invoice_lines:
        if invoice in invoices:
            nets[invoices[invoice]] += minor
    for invoice_id, minor in nets.items():
        if minor > 0:
            yield HistoricMoney(
                payment.payment_id, invoice_id, minor, payment.date, payment.is_credit
            )


def _our_money(ctx: CycleContext, linked: Sequence[links.Link]) -> dict[str, list[HistoricMoney]]:
    ids = [link.algapsa_id for link in linked]
    linked_at = {link.algapsa_id: link.linked_at for link in linked}
    rows = [
        HistoricMoney(row.row_id, row.invoice_id, row.minor, row.date)
        for row in ctx.algapsa.payments(ids)
        if row.key is None and row.created_at <= linked_at[row.invoice_id]
    ]
    credits_ = [
        HistoricMoney(each.key, each.invoice_id, each.minor, each.date, is_credit=True)
        for each in ctx.algapsa.credit_applications(ids)
        if not each.is_reversed
    ]
    by_invoice: defaultdict[str, list[HistoricMoney]] = defaultdict(list)
    for money in (*without_taken_back(rows), *credits_):
        by_invoice[money.invoice_id].append(money)
    return by_invoice


def _answered(connection: sa.Connection, realm: str) -> set[str]:
    """AlgaPSA's payments and credit applications that have their object in QuickBooks."""
    return {
        *links.ids(connection, realm, "payment"),
        *links.ids(connection, realm, "credit_application"),
    }


def _link_pairs(connection: sa.Connection, ctx: CycleContext, pairs: Sequence[Pair]) -> None:
    new = [
        links.NewLink(
            "credit_application" if pair.ours.is_credit else "payment",
            pair.ours.record_id,
            pair.theirs.record_id,
            "paired",
            invoice_id=pair.ours.invoice_id,
        )
        for pair in pairs
    ]
    links.add(connection, ctx.realm, new)
    effects = [
        audit.Effect(
            "ledger", "pair payment", f"{link.kind}:{link.algapsa_id}", None, link.quickbooks_id
        )
        for link in new
    ]
    audit.append(connection, ctx.realm, effects)
    inbox.reopen(connection, ctx.realm, "Payment", [link.quickbooks_id for link in new])


# Leftovers


def _listed(left: Iterable[Leftover], is_ours: bool) -> Iterator[StoredLeftover]:
    for each in left:
        # A credit that AlgaPSA applied is pushed or told by the rules for credits.
        if not (is_ours and each.money.is_credit):
            money = each.money
            yield StoredLeftover(
                money.invoice_id, money.record_id, is_ours, money.minor, money.date, each.reason
            )


def _remember(connection: sa.Connection, realm: str, left: Sequence[StoredLeftover]) -> None:
    for each in left:
        decisions.decide(connection, realm, as_decision(each, _SYNC))


def as_decision(left: StoredLeftover, by: str) -> decisions.NewDecision:
    """The leftover as the ledger keeps it."""
    return decisions.NewDecision(
        kind=HISTORY,
        record=f"invoice:{left.invoice_id}",
        counterpart=left.counterpart,
        amount_minor=left.minor,
        decided_by=by,
        reason=left.reason,
        detail={"choice": str(left.choice), "date": left.date.isoformat()},
    )


def _stored(decision: decisions.Decision) -> StoredLeftover:
    side, _, record_id = decision.counterpart.partition(":")
    return StoredLeftover(
        invoice_id=decision.record.removeprefix("invoice:"),
        record_id=record_id,
        is_ours=side == "payment_row",
        minor=decision.amount_minor,
        date=date.fromisoformat(decision.detail["date"]),
        reason=decision.reason,
        choice=Choice(decision.detail["choice"]),
    )


def _follow_choices(ctx: CycleContext) -> None:
    """Have payments applied that staff want applied; forget what is settled."""
    with ctx.reading() as connection:
        left = leftovers(connection, ctx.realm)
    if not left:
        return
    read_payments(
        ctx, {each.record_id for each in left if not each.is_ours and each.choice is Choice.APPLY}
    )
    live = _live_rows(ctx, [each for each in left if each.is_ours])
    with ctx.ledger() as connection:
        theirs = [each.record_id for each in left if not each.is_ours]
        brought = inbox.newest(connection, ctx.realm, "Payment", theirs).keys()
        settled = brought | _linked_objects(connection, ctx.realm)
        answered = _answered(connection, ctx.realm)
        for each in left:
            is_over = (
                each.record_id in answered or each.record_id not in live
                if each.is_ours
                else each.record_id in settled
            )
            if is_over:
                decisions.withdraw(
                    connection, ctx.realm, HISTORY, f"invoice:{each.invoice_id}", each.counterpart
                )


def _linked_objects(connection: sa.Connection, realm: str) -> set[str]:
    return {
        *links.ids(connection, realm, "payment").values(),
        *links.ids(connection, realm, "credit_application").values(),
    }


def _live_rows(ctx: CycleContext, left: Collection[StoredLeftover]) -> set[str]:
    """Those of AlgaPSA's rows that were not taken back since."""
    rows = ctx.algapsa.payments(sorted({each.invoice_id for each in left})) if left else []
    money = [
        HistoricMoney(row.row_id, row.invoice_id, row.minor, row.date)
        for row in rows
        if row.key is None
    ]
    return {each.record_id for each in without_taken_back(money)}


def _tell(ctx: CycleContext) -> None:
    with ctx.reading() as connection:
        waiting: defaultdict[str, list[StoredLeftover]] = defaultdict(list)
        for each in leftovers(connection, ctx.realm):
            if each.choice is Choice.WAIT:
                waiting[each.invoice_id].append(each)
        linked = links.by_algapsa_id(connection, ctx.realm, "invoice", waiting) if waiting else {}
    headers = ctx.algapsa.document_headers(list(waiting)) if waiting else []
    raised = [
        history_exception(
            header, linked[header.invoice_id].quickbooks_id, waiting[header.invoice_id]
        )
        for header in headers
        if header.invoice_id in linked
    ]
    with ctx.ledger() as connection:
        exceptions.raise_all(connection, ctx.realm, raised)
        exceptions.resolve_others(
            connection,
            ctx.realm,
            [ExceptionKind.HISTORY_PAYMENTS],
            [record.record for record in raised],
            "Every payment from before the sync is settled.",
        )
