"""Stage 2, payments: what credit notes of ours that QuickBooks applies mean for each payment.

An application of AlgaPSA that a payment turns out to be is linked to it here. Local, no calls.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from types import MappingProxyType

import sqlalchemy as sa

from qbo_sync_dagster.domain.algapsa_payments import CreditApplication
from qbo_sync_dagster.domain.credit_exceptions import WAITING_KINDS
from qbo_sync_dagster.domain.credits import CreditParts, credit_record
from qbo_sync_dagster.domain.credits_in import (
    CreditUse,
    CreditVerdict,
    Dispute,
    OpenCredit,
    Reading,
    carried,
    read_uses,
    without_accepted,
)
from qbo_sync_dagster.domain.operation_kinds import APPLY_CREDIT
from qbo_sync_dagster.domain.payment_intake import InboundPayment
from qbo_sync_dagster.domain.sync_marker import sync_marker
from qbo_sync_dagster.ledger import audit, credit_links, decisions, exceptions, links, operations
from qbo_sync_dagster.ledger.credit_links import CreditLink, NewCreditLink
from qbo_sync_dagster.sync.adoption import ORPHAN
from qbo_sync_dagster.sync.context import CycleContext


@dataclass(frozen=True, slots=True)
class CreditPayments:
    """What payments mean for credit notes of ours, by QuickBooks id of the payment.

    `with_counterpart` are the application transactions that QuickBooks payments answer to.
    `disputes` are the notes that both sides applied, each in its own way.
    """

    verdicts: Mapping[str, CreditVerdict] = field(default_factory=lambda: MappingProxyType({}))
    with_counterpart: Collection[str] = ()
    disputes: tuple[Dispute, ...] = ()


@dataclass(frozen=True, slots=True)
class _Known:
    """What both sides hold of credits, loaded for the payments that concern them."""

    notes: Mapping[str, str]
    links_of: Mapping[str, Sequence[CreditLink]]
    applications: Mapping[str, CreditApplication]
    free: Sequence[CreditApplication]
    accepted: Collection[tuple[str, str]]


def read_credits(
    ctx: CycleContext, payments: Sequence[InboundPayment], invoices: Mapping[str, str]
) -> CreditPayments:
    """Judge the payments' credit lines, and link the applications that they turn out to be.

    `invoices` gives AlgaPSA's id of each linked QuickBooks invoice.
    """
    with ctx.reading() as connection:
        notes = _linked_notes(connection, ctx.realm, payments)
        stands = credit_links.standing(connection, ctx.realm)
    links_of = _by_payment(stands)
    concerned = [
        each
        for each in payments
        if each.payment_id in links_of or any(memo in notes for memo, _ in each.credit_lines)
    ]
    if not concerned:
        return CreditPayments(with_counterpart=_transactions(stands))
    known = _load(ctx, notes, links_of)
    lost: dict[str, tuple[CreditApplication, ...]] = {}
    uses: dict[str, CreditUse] = {}
    for payment in concerned:
        whole = _use(payment, invoices, notes)
        rest, lacking = _beside_links(whole, known)
        lost[payment.payment_id] = lacking
        accepted = {note for each, note in known.accepted if each == payment.payment_id}
        uses[payment.payment_id] = without_accepted(rest, accepted)
    reading = read_uses([use for use in uses.values() if use.from_notes], known.free)
    _link(ctx, reading, uses, {each.payment_id: each for each in concerned})
    numbers = _numbers(ctx, reading)
    verdicts = {
        each.payment_id: _verdict(
            _use(each, invoices, notes), uses[each.payment_id], reading, numbers
        )
        for each in concerned
    }
    return CreditPayments(
        {
            key: CreditVerdict(each.answered, each.open, each.disputed, lost[key])
            for key, each in verdicts.items()
        },
        {
            *_transactions(stands),
            *(each.transaction_id for found in reading.answers.values() for each in found),
        },
        reading.disputes,
    )


def _linked_notes(
    connection: sa.Connection, realm: str, payments: Iterable[InboundPayment]
) -> dict[str, str]:
    memos = {memo for each in payments for memo, _ in each.credit_lines}
    found = links.by_quickbooks_id(connection, realm, "credit_memo", memos) if memos else {}
    return {memo: link.algapsa_id for memo, link in found.items()}


def _by_payment(stands: Iterable[CreditLink]) -> dict[str, list[CreditLink]]:
    found: defaultdict[str, list[CreditLink]] = defaultdict(list)
    for link in stands:
        found[link.payment_id].append(link)
    return dict(found)


def _transactions(stands: Iterable[CreditLink]) -> set[str]:
    return {link.key.partition(":")[0] for link in stands}


def _load(
    ctx: CycleContext, notes: Mapping[str, str], links_of: Mapping[str, Sequence[CreditLink]]
) -> _Known:
    applications = ctx.algapsa.credit_applications()
    linked = {link.key for found in links_of.values() for link in found}
    with ctx.reading() as connection:
        return _Known(
            notes=notes,
            links_of=links_of,
            applications={each.key: each for each in applications},
            free=free_applications(connection, ctx.realm, applications, linked),
            accepted=accepted_uses(connection, ctx.realm),
        )


def free_applications(
    connection: sa.Connection,
    realm: str,
    applications: Iterable[CreditApplication],
    linked: Collection[str],
) -> list[CreditApplication]:
    """The live applications to which no QuickBooks payment answers, and none may be on its way."""
    in_doubt = {
        operation.record_id
        for operation in operations.open_ones(connection, realm, APPLY_CREDIT)
        if operation.state == "posting" or operation.reason_code == ORPHAN
    }
    accepted = accepted_applications(connection, realm)
    return [
        each
        for each in applications
        if not each.is_reversed
        if each.key not in linked and each.key not in in_doubt and each.key not in accepted
    ]


def accepted_uses(connection: sa.Connection, realm: str) -> set[tuple[str, str]]:
    """(payment, note) where staff accepted that QuickBooks used the note in its own way."""
    return {
        (kept.counterpart.removeprefix("payment:"), kept.record.removeprefix("invoice:"))
        for kept in decisions.of_kind(connection, realm, "accepted")
        if kept.counterpart.startswith("payment:")
    }


def accepted_applications(connection: sa.Connection, realm: str) -> set[str]:
    """Keys of the applications that stay AlgaPSA's alone by the same decision."""
    prefix = credit_record("")
    return {
        kept.counterpart.removeprefix(prefix)
        for kept in decisions.of_kind(connection, realm, "accepted")
        if kept.counterpart.startswith(prefix)
    }


def _use(
    payment: InboundPayment, invoices: Mapping[str, str], notes: Mapping[str, str]
) -> CreditUse:
    """What the payment takes from notes of ours and brings to invoices of ours."""
    on_invoices: defaultdict[str, int] = defaultdict(int)
    from_notes: defaultdict[str, int] = defaultdict(int)
    if not payment.gone:
        for invoice, minor in payment.invoice_lines:
            if invoice in invoices:
                on_invoices[invoices[invoice]] += minor
        for memo, minor in payment.credit_lines:
            if memo in notes:
                from_notes[notes[memo]] += minor
    return CreditUse(payment.payment_id, dict(on_invoices), dict(from_notes))


def _beside_links(use: CreditUse, known: _Known) -> tuple[CreditUse, tuple[CreditApplication, ...]]:
    """The rest of the payment, and the applications it stood for and no longer carries."""
    stands = [
        (link, known.applications[link.key])
        for link in known.links_of.get(use.payment_id, ())
        if link.key in known.applications
    ]
    parts = [_carried_parts(use, link, application) for link, application in stands]
    rest, lacking = carried(use, parts)
    return rest, tuple(
        application
        for position, (link, application) in enumerate(stands)
        if _is_drift(link, application, lacks=position in lacking, is_gone=not use.on_invoices)
    )


def _carried_parts(use: CreditUse, link: CreditLink, application: CreditApplication) -> CreditParts:
    """What the payment should apply for the application.

    Of one that AlgaPSA took back, whatever still stands: its removal is what tells of that.
    """
    parts = link.in_quickbooks or CreditParts.of(application)
    if not (link.is_pushed and application.is_reversed):
        return parts
    shown = min(use.on_invoices.get(parts.invoice_id, 0), use.from_notes.get(parts.note_id, 0))
    return replace(parts, minor=min(parts.minor, shown))


def _is_drift(
    link: CreditLink, application: CreditApplication, *, lacks: bool, is_gone: bool
) -> bool:
    """Whether one side took an application back that the other still holds."""
    if link.state == "accepted":
        return False
    if not application.is_reversed:
        return lacks
    # Ours is about to be removed from QuickBooks; one that was born there is not ours to remove.
    return not link.is_pushed and not is_gone and not lacks


def _link(
    ctx: CycleContext,
    reading: Reading,
    uses: Mapping[str, CreditUse],
    payments: Mapping[str, InboundPayment],
) -> None:
    if not reading.answers:
        return
    with ctx.ledger() as connection:
        for payment_id, found in reading.answers.items():
            ours = any(
                sync_marker(ctx.realm, "credit_application", each.key)
                in payments[payment_id].markers
                for each in found
            )
            link_found(
                connection,
                ctx,
                payment_id,
                answered_parts(uses[payment_id], found),
                origin="adopted" if ours else "matched",
            )


def answered_parts(
    use: CreditUse, found: Sequence[CreditApplication]
) -> list[tuple[CreditApplication, CreditParts]]:
    """Each application with what the payment applies for it, maybe from another note."""
    ((only, _), *more) = use.from_notes.items()
    return [
        (
            each,
            CreditParts(
                (each.source_invoice_id or "") if more or each.source_invoice_id == only else only,
                each.invoice_id,
                each.minor,
            ),
        )
        for each in found
    ]


def link_found(
    connection: sa.Connection,
    ctx: CycleContext,
    payment_id: str,
    found: Sequence[tuple[CreditApplication, CreditParts]],
    *,
    origin: str,
) -> None:
    """Make a payment the counterpart of applications; nothing of them is pushed any more."""
    new = [
        NewCreditLink(each.key, payment_id, origin, CreditParts.of(each), parts)
        for each, parts in found
    ]
    credit_links.add(connection, ctx.realm, new)
    effects = [
        audit.Effect(
            "ledger",
            f"credit application {origin}",
            credit_record(link.key),
            link.in_algapsa.as_json(),
            {"quickbooks_id": payment_id, **link.in_quickbooks.as_json()},
        )
        for link in new
    ]
    audit.append(connection, ctx.realm, effects)
    for link in new:
        of_record = operations.of_record(connection, ctx.realm, APPLY_CREDIT, link.key)
        ids = [operation.operation_id for operation in of_record]
        operations.change(connection, ids, "done", reason="found in QuickBooks")
    exceptions.resolve(
        connection,
        ctx.realm,
        WAITING_KINDS,
        [credit_record(link.key) for link in new],
        "QuickBooks holds this application.",
    )


def _numbers(ctx: CycleContext, reading: Reading) -> dict[str, str]:
    wanted = {note for use in reading.open for note in use.from_notes}
    found = ctx.algapsa.document_headers(wanted) if wanted else []
    return {header.invoice_id: header.number for header in found}


def _verdict(
    whole: CreditUse, use: CreditUse, reading: Reading, numbers: Mapping[str, str]
) -> CreditVerdict:
    answered: defaultdict[str, int] = defaultdict(int)
    for invoice_id, minor in whole.on_invoices.items():
        answered[invoice_id] = minor - use.on_invoices.get(invoice_id, 0)
    found = reading.answers.get(use.payment_id)
    for each in found or ():
        answered[each.invoice_id] += each.minor
    is_open = bool(use.from_notes) and found is None
    return CreditVerdict(
        answered=dict(answered),
        open=tuple(
            OpenCredit(note, numbers.get(note, note), minor)
            for note, minor in sorted(use.from_notes.items())
            if is_open
        ),
        disputed=is_open and reading.is_disputed(use.payment_id),
    )
