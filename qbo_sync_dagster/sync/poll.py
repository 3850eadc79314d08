"""Stage 1: ask QuickBooks what changed, and store every change raw before anything else."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from qbo_sync_dagster.domain.doubt import RESEND_WITHIN, STAMPED_WITHIN, Ahead, ahead_by
from qbo_sync_dagster.ledger import inbox, links, postings
from qbo_sync_dagster.quickbooks.answers import RawObject
from qbo_sync_dagster.sync.context import CycleContext
from qbo_sync_dagster.sync.translate import delivered

ENTITIES = ("Customer", "Invoice", "Payment", "CreditMemo")
# Changes are stamped up to a second late, and clocks differ: what is seen twice is recognised.
OVERLAP = timedelta(minutes=5)
# Intuit keeps changes for 30 days; an answer near that edge may already lack some.
OLDEST_CURSOR = timedelta(days=29)
_KIND_OF = {
    "Customer": "client",
    "Invoice": "invoice",
    "Payment": "payment",
    "CreditMemo": "credit_memo",
}


@dataclass(frozen=True, slots=True)
class Polled:
    """What a poll brought. `server_time` becomes the cursor, `asked_at` is on the ledger's clock.

    `ahead` is how far QuickBooks' clock is ahead of the ledger's; `sweep` says why the change poll
    alone could not be trusted; None if it could. Of the entities in `blind` something may have
    been deleted that no answer told of.
    """

    since: datetime
    asked_at: datetime
    server_time: datetime
    objects: tuple[RawObject, ...]
    received: int
    sweep: str | None
    ahead: Ahead
    blind: frozenset[str] = frozenset()


def poll_since(ctx: CycleContext, unanswered: Iterable[postings.Posting]) -> datetime:
    """The instant to ask from: the cursor or the oldest unanswered send, minus the overlap."""
    oldest = min((posting.first_sent_at for posting in unanswered), default=ctx.connection.cursor)
    return min(ctx.connection.cursor, oldest) - OVERLAP


def poll(ctx: CycleContext, unanswered: Iterable[postings.Posting]) -> Polled:
    """Poll and store. Raises the gateway's errors; nothing is stored then."""
    since, asked_at = poll_since(ctx, unanswered), ctx.engine.now()
    if asked_at - since > OLDEST_CURSOR:
        days = (asked_at - since).days
        return _swept(ctx, since, asked_at, f"the last poll was {days} days ago", unanswered)
    changes = ctx.quickbooks.cdc(ENTITIES, since)
    ahead = ahead_by(changes.time, asked_at=asked_at, answered_at=ctx.engine.now())
    if -ahead.least > OVERLAP:
        # The instant asked from is of our clock until QuickBooks' clock has passed the time of
        # connecting: what it stamped by its own would lie before, and never be seen.
        since += ahead.least
        changes = ctx.quickbooks.cdc(ENTITIES, since)
    if not changes.complete:
        return _swept(ctx, since, asked_at, "more changes than one answer holds", unanswered)
    return _stored(ctx, since, asked_at, changes.time, ahead, changes.objects, None)


def _swept(
    ctx: CycleContext,
    since: datetime,
    asked_at: datetime,
    reason: str,
    unanswered: Iterable[postings.Posting],
) -> Polled:
    """Query each entity by time of change, then look which linked objects are gone."""
    started = ctx.engine.now()
    first = ctx.quickbooks.changed_since(ENTITIES[0], since)
    ahead = ahead_by(first.time, asked_at=started, answered_at=ctx.engine.now())
    objects = list(first.objects)
    for entity in ENTITIES[1:]:
        objects.extend(ctx.quickbooks.changed_since(entity, since).objects)
    objects.extend(_vanished(ctx, {(item.entity, item.id) for item in objects}))
    gone, blind = _gone_since_sent(ctx, asked_at, ahead, unanswered)
    known = {(item.entity, item.id) for item in objects}
    objects.extend(item for item in gone if (item.entity, item.id) not in known)
    stored = _stored(ctx, since, asked_at, first.time, ahead, objects, reason)
    return replace(stored, blind=blind)


def _gone_since_sent(
    ctx: CycleContext,
    asked_at: datetime,
    ahead: Ahead,
    unanswered: Iterable[postings.Posting],
) -> tuple[list[RawObject], frozenset[str]]:
    """What was deleted since creates were sent that got no answer, and where more may have been.

    A query shows no deletion, and what is deleted before anybody saw it is on no list of ours.
    """
    sent: dict[str, datetime] = {}
    for posting in unanswered:
        # An older one is left to a person, whatever was deleted since.
        if posting.verb == "create" and asked_at - posting.first_sent_at <= RESEND_WITHIN:
            since = min(sent.get(posting.entity, asked_at), posting.first_sent_at)
            sent[posting.entity] = since
    gone: list[RawObject] = []
    blind = set()
    for entity, since in sent.items():
        changes = ctx.quickbooks.cdc([entity], since + ahead.least - STAMPED_WITHIN)
        gone += [item for item in changes.objects if item.deleted]
        if not changes.complete:
            blind.add(entity)
    return gone, frozenset(blind)


def _vanished(ctx: CycleContext, seen: set[tuple[str, str]]) -> list[RawObject]:
    """A deletion for each linked, applied or parked object that QuickBooks no longer returns."""
    gone: list[RawObject] = []
    for entity, kind in _KIND_OF.items():
        with ctx.reading() as connection:
            known = set(links.by_quickbooks_id(connection, ctx.realm, kind))
            waiting = inbox.unsettled(connection, ctx.realm, entity)
            if entity == "Payment":
                # Born there, they have no link of their own, but what they paid has.
                known |= links.payments_shown(connection, ctx.realm)
        known |= {change.object_id for change in waiting if _is_real(change)}
        unseen = sorted(item for item in known if (entity, item) not in seen)
        if unseen:
            present = {item.id for item in ctx.quickbooks.query_in(entity, "Id", unseen)}
            gone += [deletion(entity, item) for item in unseen if item not in present]
    return gone


def _is_real(change: inbox.Change) -> bool:
    # An object that came without an Id was given a stand-in, which QuickBooks cannot know.
    return not change.deleted and change.object_id.isdecimal()


def deletion(entity: str, object_id: str) -> RawObject:
    """The change that says an object is no longer there."""
    return RawObject(entity, object_id, None, deleted=True, updated_at=None, payload={})


def _stored(
    ctx: CycleContext,
    since: datetime,
    asked_at: datetime,
    server_time: datetime,
    ahead: Ahead,
    objects: Iterable[RawObject],
    sweep: str | None,
) -> Polled:
    kept = tuple(objects)
    with ctx.ledger() as connection:
        received = inbox.receive(connection, ctx.realm, [delivered(item) for item in kept])
        inbox.supersede(connection, ctx.realm)
    # A time ahead of ours would have every later poll skip changes: an earlier one costs nothing.
    known_until = min(server_time, asked_at)
    return Polled(since, asked_at, known_until, kept, received, sweep, ahead)
