"""Doubt about documents: recognised by number and customer, or by everything else they show."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence

import sqlalchemy as sa

from qbo_sync_dagster.domain.document_kinds import DOCUMENT_KINDS, EXPORTS, DocumentKind
from qbo_sync_dagster.domain.document_view import LIVE, DocumentView
from qbo_sync_dagster.domain.errors import DomainError
from qbo_sync_dagster.domain.identity import DocumentIdentity, Findings, find_documents
from qbo_sync_dagster.ledger import document_links, postings
from qbo_sync_dagster.quickbooks.answers import RawObject
from qbo_sync_dagster.quickbooks.objects import SalesDocument, parse_document
from qbo_sync_dagster.sync.context import CycleContext
from qbo_sync_dagster.sync.document_links import FoundDocument, link_documents
from qbo_sync_dagster.sync.poll import Polled
from qbo_sync_dagster.sync.recognition import EditedObjects, newest
from qbo_sync_dagster.sync.translate import document_view, sent_view


class DocumentRecogniser:
    """The unlinked invoices and credit memos of a poll."""

    kinds = EXPORTS

    def __init__(self, ctx: CycleContext, polled: Polled) -> None:
        self._ctx = ctx
        self._unlinked = {kind.export: _Unlinked(ctx, polled, kind) for kind in DOCUMENT_KINDS}

    def findings(self, unanswered: Sequence[postings.Posting]) -> Mapping[int, Findings]:
        """What of this poll is, or may be, each posting's document."""
        found: dict[int, Findings] = {}
        for export, unlinked in self._unlinked.items():
            found |= unlinked.findings([each for each in unanswered if each.kind == export])
        return found

    def adopt(self, connection: sa.Connection, posting: postings.Posting, object_id: str) -> bool:
        """Link the document to the object, which should look as it was sent."""
        headers = self._ctx.algapsa.document_headers([posting.record_id])
        if not headers:
            return False
        shown, view = self._unlinked[posting.kind].shown[object_id]
        found = FoundDocument(
            headers[0],
            shown,
            view,
            agreed=sent_view(posting.body, view),
            generation=posting.generation,
        )
        link_documents(connection, self._ctx, [found], origin="adopted")
        return True


class _Unlinked:
    """The unlinked objects of one sort, and how many deletions nobody can place."""

    def __init__(self, ctx: CycleContext, polled: Polled, kind: DocumentKind) -> None:
        self.shown: dict[str, tuple[SalesDocument, DocumentView]] = {}
        self._unknown_gone = int(kind.entity in polled.blind)
        self._edited = EditedObjects(polled)
        with ctx.reading() as connection:
            # One whose void was accepted is no void that nobody can place.
            linked = document_links.known_objects(connection, ctx.realm, kind.link_kind)
        for item in newest(polled.objects):
            if item.entity == kind.entity and item.id not in linked:
                self._note(item)

    def _note(self, item: RawObject) -> None:
        if item.deleted:
            self._unknown_gone += 1
            return
        try:
            document = parse_document(item.entity, item.payload)
            view = document_view(document)
        except DomainError:
            # An object that cannot be read may be the one in doubt.
            self._unknown_gone += 1
            return
        if view.state == LIVE:
            self.shown[item.id] = (document, view)
            self._edited.note(item)
        else:
            self._unknown_gone += 1

    def findings(self, unanswered: Sequence[postings.Posting]) -> Mapping[int, Findings]:
        """What of these objects is, or may be, each posting's document."""
        sought = {
            posting.posting_id: DocumentIdentity.from_json(posting.identity)
            for posting in unanswered
        }
        views = {key: view for key, (_, view) in self.shown.items()}
        found = find_documents(sought, views)
        taken = {object_id for findings in found.values() for object_id in findings.own}
        return {
            posting.posting_id: self._with_suspects(posting, found[posting.posting_id], taken)
            for posting in unanswered
        }

    def _with_suspects(
        self, posting: postings.Posting, found: Findings, taken: Collection[str]
    ) -> Findings:
        edited = self._edited.that_may_be(posting, but=taken)
        return Findings(found.own, found.suspects + edited + self._unknown_gone)
