"""Stage 1, doubt: what became of writes whose answer never came, before the inbox is applied.

The evidence is what the poll since the send brought; the verdict is `domain.doubt`'s.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Sequence

import sqlalchemy as sa

from qbo_sync_dagster.domain.attempts import happens_too_often
from qbo_sync_dagster.domain.catalogue import ExceptionKind
from qbo_sync_dagster.domain.doubt import Evidence, Verdict, judge
from qbo_sync_dagster.domain.exception_record import ExceptionRecord, RecordReference
from qbo_sync_dagster.domain.export_problems import never_arrives
from qbo_sync_dagster.domain.identity import Findings
from qbo_sync_dagster.domain.operation_kinds import (
    LINKED_AS,
    PUSH_PAYMENT,
    RECORD_KINDS,
    exception_record,
)
from qbo_sync_dagster.ledger import exceptions, links, operations, postings
from qbo_sync_dagster.sync.adoption import ORPHAN
from qbo_sync_dagster.sync.context import CycleContext
from qbo_sync_dagster.sync.credit_removals import CreditRemovalSettler
from qbo_sync_dagster.sync.doubt_changes import settle_changes
from qbo_sync_dagster.sync.doubt_credits import CreditRecogniser
from qbo_sync_dagster.sync.doubt_customers import CustomerRecogniser
from qbo_sync_dagster.sync.doubt_document_changes import DocumentChangeSettler
from qbo_sync_dagster.sync.doubt_documents import DocumentRecogniser
from qbo_sync_dagster.sync.doubt_payment_changes import PaymentChangeSettler
from qbo_sync_dagster.sync.doubt_payments import PaymentRecogniser
from qbo_sync_dagster.sync.poll import Polled
from qbo_sync_dagster.sync.recognition import ChangeSettler, Recogniser

NOT_FOUND = "not found"

# Each settles the creates of the operation kinds that it names.
RECOGNISERS: tuple[Callable[[CycleContext, Polled], Recogniser], ...] = (
    CustomerRecogniser,
    DocumentRecogniser,
    PaymentRecogniser,
    CreditRecogniser,
)
# Each settles the updates, voids and deletes of the operation kinds that it names.
CHANGE_SETTLERS: tuple[Callable[[CycleContext], ChangeSettler], ...] = (
    DocumentChangeSettler,
    PaymentChangeSettler,
    CreditRemovalSettler,
)


def settle_doubt(
    ctx: CycleContext, polled: Polled, unanswered: Sequence[postings.Posting]
) -> tuple[int, list[postings.Posting]]:
    """Settle what can be settled; returns how many were, and creates to be sent once more.

    Raises ConnectionDeadError.
    """
    creates = [posting for posting in unanswered if posting.verb == "create"]
    changes = [posting for posting in unanswered if posting.verb != "create"]
    settlers = [make(ctx) for make in CHANGE_SETTLERS] if changes else []
    changed = settle_changes(ctx, polled, changes, settlers)
    created, again = _settle_creates(ctx, polled, creates)
    return changed + created, again


def _settle_creates(
    ctx: CycleContext, polled: Polled, unanswered: Sequence[postings.Posting]
) -> tuple[int, list[postings.Posting]]:
    if not unanswered:
        return 0, []
    by_kind = {
        kind: recogniser
        for recogniser in (make(ctx, polled) for make in RECOGNISERS)
        for kind in recogniser.kinds
    }
    found = _findings(by_kind.values(), unanswered)
    batches = Counter(posting.batch_id for posting in unanswered if found[posting.posting_id].own)
    settled, again = 0, []
    for posting in unanswered:
        shows = found[posting.posting_id]
        verdict = judge(
            Evidence(
                first_sent_at=posting.first_sent_at,
                sent_at=posting.sent_at,
                polled_at=polled.asked_at,
                own=shows.own,
                suspects=shows.suspects,
                in_batch=posting.batch_id is not None,
                batch_found=batches[posting.batch_id] if posting.batch_id else 0,
            )
        )
        if verdict is Verdict.SEND_AGAIN:
            again.append(posting)
        elif verdict is not Verdict.WAIT:
            _carry_out(ctx, by_kind[posting.kind], posting, shows, verdict)
            settled += 1
    return settled, again


def _findings(
    recognisers: Iterable[Recogniser], unanswered: Sequence[postings.Posting]
) -> dict[int, Findings]:
    found: dict[int, Findings] = {}
    for recogniser in recognisers:
        found |= recogniser.findings(
            [posting for posting in unanswered if posting.kind in recogniser.kinds]
        )
    return found


def _carry_out(
    ctx: CycleContext,
    recogniser: Recogniser,
    posting: postings.Posting,
    shows: Findings,
    verdict: Verdict,
) -> None:
    with ctx.ledger() as connection:
        if verdict is Verdict.ADOPT:
            _adopt(ctx, connection, recogniser, posting, shows.own[0])
        elif verdict is Verdict.NEW_ATTEMPT:
            withdraw(connection, ctx, posting)
        else:
            _orphan(ctx, connection, posting, shows)


def _adopt(
    ctx: CycleContext,
    connection: sa.Connection,
    recogniser: Recogniser,
    posting: postings.Posting,
    object_id: str,
) -> None:
    linked = links.by_algapsa_id(
        connection, ctx.realm, LINKED_AS[posting.kind], [posting.record_id]
    )
    if posting.record_id in linked:
        _tell_of_second(ctx, connection, posting, object_id)
    elif recogniser.adopt(connection, posting, object_id):
        finish(connection, ctx, posting, object_id)
    else:
        _orphan(ctx, connection, posting, Findings((object_id,), 0))


def _tell_of_second(
    ctx: CycleContext, connection: sa.Connection, posting: postings.Posting, object_id: str
) -> None:
    """Close a posting whose object was made although its record got another link meanwhile."""
    record_kind = RECORD_KINDS[posting.kind]
    record = ExceptionRecord(
        kind=ExceptionKind.STANDS_TWICE,
        record=exception_record(posting.kind, posting.record_id),
        what_happened=(
            f"{posting.label} was sent to QuickBooks on {posting.first_sent_at:%Y-%m-%d %H:%M} UTC "
            f"and stands there with the id {object_id}, but it is linked to another object by now."
        ),
        references=(
            RecordReference("algapsa", record_kind, posting.record_id, posting.label),
            RecordReference("quickbooks", posting.entity, object_id, f"{posting.entity} created"),
        ),
        version=object_id,
    )
    exceptions.raise_all(connection, ctx.realm, [record])
    finish(connection, ctx, posting, object_id)


def finish(
    connection: sa.Connection, ctx: CycleContext, posting: postings.Posting, object_id: str
) -> None:
    """Close a posting whose object was found, and its operation."""
    postings.answer(connection, ctx.realm, posting.request_id, "done", quickbooks_id=object_id)
    operations.change(connection, [posting.operation_id], "done", reason="found in QuickBooks")


def withdraw(connection: sa.Connection, ctx: CycleContext, posting: postings.Posting) -> None:
    """Close a posting proven never to have arrived; its operation gets a new attempt.

    Staff are told once that has happened too often for chance; it is tried again all the same.
    """
    postings.answer(connection, ctx.realm, posting.request_id, "absent", code=NOT_FOUND)
    operations.change(connection, [posting.operation_id], "queued", more_attempts=1)
    times = postings.count_answers(connection, posting.operation_id, NOT_FOUND)
    if happens_too_often(times):
        record = never_arrives(
            RECORD_KINDS[posting.kind],
            posting.record_id,
            posting.label,
            times,
            _judged_version(ctx, posting),
        )
        exceptions.raise_all(connection, ctx.realm, [record])


def _orphan(
    ctx: CycleContext, connection: sa.Connection, posting: postings.Posting, shows: Findings
) -> None:
    record_kind = RECORD_KINDS[posting.kind]
    candidates = ", ".join(shows.own) or "none that is certainly it"
    record = ExceptionRecord(
        kind=ExceptionKind.ORPHAN,
        record=exception_record(posting.kind, posting.record_id),
        what_happened=(
            f"{posting.label} was sent to QuickBooks on {posting.first_sent_at:%Y-%m-%d %H:%M} UTC "
            "and no answer came. What QuickBooks shows since then leaves open whether it arrived "
            f"(candidates: {candidates}). It is not sent again by itself."
        ),
        references=(
            RecordReference("algapsa", record_kind, posting.record_id, posting.label),
            *(
                RecordReference("quickbooks", posting.entity, object_id, f"{posting.entity} found")
                for object_id in shows.own
            ),
        ),
        version=_judged_version(ctx, posting),
    )
    exceptions.raise_all(connection, ctx.realm, [record])
    # From here on a person decides, and polls need not reach back to this send any more.
    postings.answer(connection, ctx.realm, posting.request_id, "orphan")
    operations.change(
        connection, [posting.operation_id], "held", reason=record.title, reason_code=ORPHAN
    )


def _judged_version(ctx: CycleContext, posting: postings.Posting) -> str:
    """What a dismissal stands for: a document as it is, a client's name, a payment's amount."""
    if RECORD_KINDS[posting.kind] == "client":
        return str(posting.identity["name"])
    if posting.kind == PUSH_PAYMENT:
        return str(posting.identity["total_minor"])
    is_document = RECORD_KINDS[posting.kind] == "invoice"
    headers = ctx.algapsa.document_headers([posting.record_id]) if is_document else []
    return headers[0].fingerprint if headers else posting.request_id
