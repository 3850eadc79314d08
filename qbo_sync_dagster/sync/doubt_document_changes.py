"""Doubt about updates and voids of documents: what their objects show, and what that settles."""

from __future__ import annotations

from dataclasses import replace

import sqlalchemy as sa

from qbo_sync_dagster.domain.algapsa_records import DocumentHeader
from qbo_sync_dagster.domain.document_changes import is_reached
from qbo_sync_dagster.domain.document_view import VOIDED
from qbo_sync_dagster.domain.errors import DomainError
from qbo_sync_dagster.domain.operation_kinds import UPDATE_DOCUMENT, VOID_DOCUMENT
from qbo_sync_dagster.ledger import links, postings
from qbo_sync_dagster.quickbooks.answers import RawObject
from qbo_sync_dagster.quickbooks.objects import parse_document
from qbo_sync_dagster.quickbooks.wire import decode_json
from qbo_sync_dagster.sync.context import CycleContext
from qbo_sync_dagster.sync.linked_documents import now, show_now, updated, withdrawn
from qbo_sync_dagster.sync.translate import document_view, sent_view


class DocumentChangeSettler:
    """Settles voids and updates of documents from their objects."""

    kinds = (UPDATE_DOCUMENT, VOID_DOCUMENT)

    def __init__(self, ctx: CycleContext) -> None:
        self._ctx = ctx

    def reached(self, posting: postings.Posting, now: RawObject | None) -> bool:
        """Whether the object is voided, deleted, or shows what the update sent."""
        if posting.verb == "delete":
            return now is None
        if now is None:
            return False
        try:
            view = document_view(parse_document(now.entity, now.payload))
        except DomainError:
            return False
        if posting.verb == "void":
            return view.state == VOIDED
        return is_reached(sent_view(posting.body, view), _customer(posting.body), view)

    def done(
        self, connection: sa.Connection, posting: postings.Posting, now: RawObject | None
    ) -> None:
        """Note it as if the answer had come."""
        link = self._link(connection, posting)
        if link is None:
            return
        if posting.verb == "update":
            self._updated(connection, posting, link, now)
        else:
            self._withdrawn(connection, posting, link, now)

    def _withdrawn(
        self,
        connection: sa.Connection,
        posting: postings.Posting,
        link: links.Link,
        raw: RawObject | None,
    ) -> None:
        withdrawn(
            connection,
            self._ctx,
            link,
            now(link, raw),
            effect=posting.verb,
            request_id=posting.request_id,
        )

    def _updated(
        self,
        connection: sa.Connection,
        posting: postings.Posting,
        link: links.Link,
        raw: RawObject | None,
    ) -> None:
        header = self._as_sent(posting)
        if raw is None or header is None:
            return
        document = parse_document(raw.entity, raw.payload)
        updated(connection, self._ctx, link, header, document, request_id=posting.request_id)

    def _as_sent(self, posting: postings.Posting) -> DocumentHeader | None:
        """The document with the content that was sent, whatever AlgaPSA shows by now."""
        found = self._ctx.algapsa.document_headers([posting.record_id])
        fingerprint = str(posting.identity["fingerprint"])
        total = int(posting.identity["total_minor"])
        return replace(found[0], fingerprint=fingerprint, total_minor=total) if found else None

    def moved(
        self, connection: sa.Connection, posting: postings.Posting, raw: RawObject | None
    ) -> None:
        """Remember what it shows: the look for drift that follows judges it."""
        link = self._link(connection, posting)
        if link is None:
            return
        try:
            show_now(connection, link, now(link, raw))
        except DomainError:
            return  # the poll brings it too, where it is parked with its cause

    def _link(self, connection: sa.Connection, posting: postings.Posting) -> links.Link | None:
        return links.documents(connection, self._ctx.realm, [posting.record_id]).get(
            posting.record_id
        )


def _customer(body: bytes) -> str:
    sent = decode_json(body)
    reference = sent.get("CustomerRef", {}) if isinstance(sent, dict) else {}
    return str(reference.get("value", ""))
