"""Stage 1, doubt: what became of writes whose answer never came, before the inbox is applied.

The evidence is what the poll since the send brought; the verdict is `domain.doubt`'s.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence

import sqlalchemy as sa

from qbo_sync_dagster.domain.attempts import happens_too_often
from qbo_sync_dagster.domain.catalogue import ExceptionKind
from qbo_sync_dagster.domain.document_view import LIVE, DocumentView
from qbo_sync_dagster.domain.doubt import Evidence, Verdict, judge
from qbo_sync_dagster.domain.errors import DomainError
from qbo_sync_dagster.domain.exception_record import ExceptionRecord, RecordReference
from qbo_sync_dagster.domain.export_problems import never_arrives
from qbo_sync_dagster.domain.identity import DocumentIdentity, Findings, find_documents
from qbo_sync_dagster.ledger import exceptions, links, operations, postings
from qbo_sync_dagster.quickbooks.answers import RawObject
from qbo_sync_dagster.quickbooks.objects import Invoice, parse_customer, parse_invoice
from qbo_sync_dagster.sync.adoption import ORPHAN
from qbo_sync_dagster.sync.context import CycleContext
from qbo_sync_dagster.sync.customer_links import link_customer
from qbo_sync_dagster.sync.document_links import FoundDocument, link_documents
from qbo_sync_dagster.sync.poll import Polled
from qbo_sync_dagster.sync.translate import document_view, sent_view

NOT_FOUND = "not found"


def settle_doubt(
    ctx: CycleContext, polled: Polled, unanswered: Sequence[postings.Posting]
) -> tuple[int, list[postings.Posting]]:
    """Settle what can be settled; returns how many were, and those to be sent once more."""
    if not unanswered:
        return 0, []
    seen = _Seen(ctx, polled)
    found = seen.findings(unanswered)
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
            _carry_out(ctx, seen, posting, shows, verdict)
            settled += 1
    return settled, again


class _Seen:
    """The unlinked objects and unknown deletions of a poll, read once."""

    def __init__(self, ctx: CycleContext, polled: Polled) -> None:
        with ctx.reading() as connection:
            linked_invoices = set(links.ids(connection, ctx.realm, "invoice").values())
            linked_customers = set(links.ids(connection, ctx.realm, "client").values())
        self.invoices: dict[str, tuple[Invoice, DocumentView]] = {}
        self.customers: dict[str, RawObject] = {}
        self.unknown_gone: Counter[str] = Counter()
        for item in _latest(polled.objects):
            if item.entity == "Invoice" and item.id not in linked_invoices:
                self._note_invoice(item)
            elif item.entity == "Customer" and item.id not in linked_customers:
                self.customers[item.id] = item

    def _note_invoice(self, item: RawObject) -> None:
        if item.deleted:
            self.unknown_gone["Invoice"] += 1
            return
        try:
            invoice = parse_invoice(item.payload)
            view = document_view(invoice)
        except DomainError:
            # An object that cannot be read may be the one in doubt.
            self.unknown_gone["Invoice"] += 1
            return
        if view.state == LIVE:
            self.invoices[item.id] = (invoice, view)
        else:
            self.unknown_gone["Invoice"] += 1

    def findings(self, unanswered: Sequence[postings.Posting]) -> dict[int, Findings]:
        """What of this poll is, or may be, each posting's object."""
        documents = {
            posting.posting_id: DocumentIdentity.from_json(posting.identity)
            for posting in unanswered
            if posting.entity == "Invoice"
        }
        views = {key: view for key, (_, view) in self.invoices.items()}
        found = {
            key: Findings(findings.own, findings.suspects + self.unknown_gone["Invoice"])
            for key, findings in find_documents(documents, views).items()
        }
        return found | {
            posting.posting_id: self._customer_evidence(posting.identity)
            for posting in unanswered
            if posting.entity == "Customer"
        }

    def _customer_evidence(self, identity: Mapping[str, str]) -> Findings:
        wanted = identity["name"].casefold()
        own = []
        for key, item in self.customers.items():
            try:
                if not item.deleted and parse_customer(item.payload).active:
                    name = parse_customer(item.payload).display_name
                    own += [key] if name.casefold() == wanted else []
            except DomainError:
                continue
        return Findings(tuple(own), 0)


def _latest(objects: Iterable[RawObject]) -> list[RawObject]:
    return list({(item.entity, item.id): item for item in objects}.values())


def _carry_out(
    ctx: CycleContext,
    seen: _Seen,
    posting: postings.Posting,
    shows: Findings,
    verdict: Verdict,
) -> None:
    with ctx.ledger() as connection:
        if verdict is Verdict.ADOPT:
            _adopt(ctx, connection, seen, posting, shows.own[0])
        elif verdict is Verdict.NEW_ATTEMPT:
            withdraw(connection, ctx, posting)
        else:
            _orphan(ctx, connection, posting, shows)


def _adopt(
    ctx: CycleContext,
    connection: sa.Connection,
    seen: _Seen,
    posting: postings.Posting,
    object_id: str,
) -> None:
    if posting.record_id in links.by_algapsa_id(
        connection, ctx.realm, _record_kind(posting), [posting.record_id]
    ):
        _tell_of_second(ctx, connection, posting, object_id)
        return
    if posting.entity == "Customer":
        name = posting.identity["name"]
        link_customer(connection, ctx, posting.record_id, object_id, name, origin="adopted")
        finish(connection, ctx, posting, object_id)
        return
    headers = ctx.algapsa.document_headers([posting.record_id])
    if not headers:
        _orphan(ctx, connection, posting, Findings((object_id,), 0))
        return
    invoice, view = seen.invoices[object_id]
    found = FoundDocument(headers[0], invoice, view, agreed=sent_view(posting.body, view))
    link_documents(connection, ctx, [found], origin="adopted")
    finish(connection, ctx, posting, object_id)


def _tell_of_second(
    ctx: CycleContext, connection: sa.Connection, posting: postings.Posting, object_id: str
) -> None:
    """Close a posting whose object was made although its record got another link meanwhile."""
    record = ExceptionRecord(
        kind=ExceptionKind.STANDS_TWICE,
        record=f"{_record_kind(posting)}:{posting.record_id}",
        what_happened=(
            f"{posting.label} was sent to QuickBooks on {posting.first_sent_at:%Y-%m-%d %H:%M} UTC "
            f"and stands there with the id {object_id}, but it is linked to another object by now."
        ),
        references=(
            RecordReference("algapsa", _record_kind(posting), posting.record_id, posting.label),
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
            _record_kind(posting),
            posting.record_id,
            posting.label,
            times,
            _judged_version(ctx, posting),
        )
        exceptions.raise_all(connection, ctx.realm, [record])


def _orphan(
    ctx: CycleContext, connection: sa.Connection, posting: postings.Posting, shows: Findings
) -> None:
    candidates = ", ".join(shows.own) or "none that is certainly it"
    record = ExceptionRecord(
        kind=ExceptionKind.ORPHAN,
        record=f"{_record_kind(posting)}:{posting.record_id}",
        what_happened=(
            f"{posting.label} was sent to QuickBooks on {posting.first_sent_at:%Y-%m-%d %H:%M} UTC "
            "and no answer came. What QuickBooks shows since then leaves open whether it arrived "
            f"(candidates: {candidates}). It is not sent again by itself."
        ),
        references=(
            RecordReference("algapsa", _record_kind(posting), posting.record_id, posting.label),
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
    """What a dismissal stands for: the document as it is, whatever is sent of it."""
    headers = ctx.algapsa.document_headers([posting.record_id])
    return headers[0].fingerprint if headers else posting.request_id


def _record_kind(posting: postings.Posting) -> str:
    return "client" if posting.entity == "Customer" else "invoice"
