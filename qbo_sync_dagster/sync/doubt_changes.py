"""Doubt about updates, voids and deletes: the object is read, and shows what became of the write.

The wanted state reached means done, an unchanged token means that nothing arrived, and anything
else is somebody else's change. What a state means for the record is its settler's business.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence

from qbo_sync_dagster.domain.doubt import ChangeVerdict, judge_change
from qbo_sync_dagster.ledger import operations, postings
from qbo_sync_dagster.quickbooks.answers import RawObject
from qbo_sync_dagster.quickbooks.errors import NoAnswerError, ThrottledError
from qbo_sync_dagster.quickbooks.wire import decode_json
from qbo_sync_dagster.sync.context import CycleContext
from qbo_sync_dagster.sync.poll import Polled
from qbo_sync_dagster.sync.recognition import ChangeSettler

NEVER_ARRIVED = "not carried out"
CHANGED_MEANWHILE = "changed meanwhile"


def settle_changes(
    ctx: CycleContext,
    polled: Polled,
    unanswered: Sequence[postings.Posting],
    settlers: Iterable[ChangeSettler],
) -> int:
    """Settle what can be settled; returns how many. Raises ConnectionDeadError."""
    if not unanswered:
        return 0
    by_kind = {kind: settler for settler in settlers for kind in settler.kinds}
    try:
        now = _read(ctx, unanswered)
    except (NoAnswerError, ThrottledError):
        return 0  # still in doubt; what the poll brought is applied all the same
    settled = 0
    for posting in unanswered:
        shown = now.get((posting.entity, _body(posting).get("Id", "")))
        settler = by_kind[posting.kind]
        verdict = judge_change(
            reached=settler.reached(posting, shown),
            token_unchanged=shown is not None
            and shown.sync_token == _body(posting).get("SyncToken"),
            sent_at=posting.sent_at,
            polled_at=polled.asked_at,
        )
        if verdict is not ChangeVerdict.WAIT:
            _carry_out(ctx, settler, posting, shown, verdict)
            settled += 1
    return settled


def _read(
    ctx: CycleContext, unanswered: Sequence[postings.Posting]
) -> Mapping[tuple[str, str], RawObject]:
    ids: defaultdict[str, set[str]] = defaultdict(set)
    for posting in unanswered:
        ids[posting.entity].add(str(_body(posting).get("Id", "")))
    return {
        (entity, item.id): item
        for entity, wanted in ids.items()
        for item in ctx.quickbooks.query_in(entity, "Id", sorted(wanted))
    }


def _carry_out(
    ctx: CycleContext,
    settler: ChangeSettler,
    posting: postings.Posting,
    shown: RawObject | None,
    verdict: ChangeVerdict,
) -> None:
    object_id = str(_body(posting).get("Id", ""))
    ids = [posting.operation_id]
    with ctx.ledger() as connection:
        if verdict is ChangeVerdict.DONE:
            postings.answer(
                connection, ctx.realm, posting.request_id, "done", quickbooks_id=object_id
            )
            operations.change(connection, ids, "done", reason="found in QuickBooks")
            settler.done(connection, posting, shown)
        elif verdict is ChangeVerdict.NEW_ATTEMPT:
            postings.answer(connection, ctx.realm, posting.request_id, "absent", code=NEVER_ARRIVED)
            operations.change(connection, ids, "queued", more_attempts=1)
        else:
            postings.answer(
                connection, ctx.realm, posting.request_id, "absent", code=CHANGED_MEANWHILE
            )
            # What staff file next on the record would otherwise be sent under the id used here.
            operations.change(
                connection,
                ids,
                "cancelled",
                reason="The object was changed in QuickBooks.",
                more_attempts=1,
            )
            settler.moved(connection, posting, shown)


def _body(posting: postings.Posting) -> Mapping[str, str]:
    body = decode_json(posting.body)
    return body if isinstance(body, dict) else {}
