"""Stage 3, AlgaPSA's side: linked documents that AlgaPSA no longer shows as they were exported.

What each side has now is told field by field. Local, no calls: AlgaPSA's version is read from its
database, QuickBooks' is what it showed last.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass

from qbo_sync_dagster.domain.algapsa_records import DocumentHeader
from qbo_sync_dagster.domain.both_sides import algapsa_view
from qbo_sync_dagster.domain.catalogue import ExceptionKind
from qbo_sync_dagster.domain.document_changes import is_cancelled
from qbo_sync_dagster.domain.document_kinds import BY_LINK_KIND
from qbo_sync_dagster.domain.document_view import LIVE, DocumentView, FieldDifference, differences
from qbo_sync_dagster.domain.drift import (
    ChangedSides,
    changed_in_algapsa,
    is_as_exported,
    is_changed_only,
    was_void_when_linked,
)
from qbo_sync_dagster.domain.exception_record import ExceptionRecord
from qbo_sync_dagster.domain.export import NotReady, prepare_export
from qbo_sync_dagster.domain.re_dating import re_dated
from qbo_sync_dagster.ledger import links
from qbo_sync_dagster.sync.chosen_days import chosen_days
from qbo_sync_dagster.sync.context import CycleContext
from qbo_sync_dagster.sync.linked_documents import agreed_of, shown_of
from qbo_sync_dagster.sync.names_shown import names_shown
from qbo_sync_dagster.sync.references import load_references

# What is compared at once: its headers are all that memory holds.
_PAGE = 1000
_STATES = {
    ExceptionKind.REOPENED_IN_ALGAPSA: "draft",
    ExceptionKind.DELETED_IN_ALGAPSA: "deleted",
    ExceptionKind.VOIDED_IN_ALGAPSA: "voided",
}


@dataclass(frozen=True, slots=True)
class Changed:
    """An exported document that AlgaPSA shows otherwise now; `voided` if a void follows from it.

    `fields` are what differs in AlgaPSA from what was agreed on, where that can be said.
    """

    link: links.Link
    record: ExceptionRecord
    voided: tuple[links.Link, DocumentHeader] | None
    fields: Sequence[FieldDifference]


def find_changed(ctx: CycleContext) -> Iterator[Changed]:
    """Page by page: what AlgaPSA shows of all linked documents now, against what was exported."""
    after = 0
    while True:
        with ctx.reading() as connection:
            page = links.exported(connection, ctx.realm, after=after, limit=_PAGE)
        if not page:
            return
        after = page[-1].link_id
        headers = headers_of(ctx, [each.algapsa_id for each in page])
        differing = [
            each.algapsa_id
            for each in page
            if not is_as_exported(each.fingerprint, headers.get(each.algapsa_id))
        ]
        if differing:
            yield from _told(ctx, differing, headers)


def headers_of(ctx: CycleContext, ids: Collection[str]) -> dict[str, DocumentHeader]:
    """AlgaPSA's documents as they stand, by id."""
    return {header.invoice_id: header for header in ctx.algapsa.document_headers(ids)}


def _told(
    ctx: CycleContext, differing: Collection[str], headers: Mapping[str, DocumentHeader]
) -> Iterator[Changed]:
    with ctx.reading() as connection:
        linked = links.documents(connection, ctx.realm, differing)
    edited = [
        link
        for link in linked.values()
        if is_changed_only(link.fingerprint or "", headers.get(link.algapsa_id))
    ]
    sides = _sides(ctx, edited) if edited else {}
    for link in linked.values():
        header, both = headers.get(link.algapsa_id), sides.get(link.algapsa_id)
        record = changed_in_algapsa(
            link.algapsa_id,
            link.quickbooks_id,
            link.fingerprint or "",
            shown_of(link),
            header,
            BY_LINK_KIND[link.kind],
            both,
        )
        if record:
            yield Changed(link, record, _void(link, header), _fields(record, both))


def _fields(record: ExceptionRecord, both: ChangedSides | None) -> Sequence[FieldDifference]:
    """What the report shows of it: its state, where it is not there to be compared."""
    if record.kind in _STATES:
        return [FieldDifference("state", LIVE, _STATES[record.kind])]
    if both is None or not both.in_algapsa:
        return [FieldDifference("other details", "as exported", "changed")]
    return both.in_algapsa


def _sides(ctx: CycleContext, edited: Sequence[links.Link]) -> dict[str, ChangedSides]:
    """What each side has changed of these documents; those gone meanwhile are not in it."""
    documents = ctx.algapsa.documents([link.algapsa_id for link in edited])
    clients = {client.client_id: client for client in ctx.algapsa.clients()}
    references = load_references(ctx)
    with ctx.reading() as connection:
        names = names_shown(ctx, connection, edited)
        days = chosen_days(connection, ctx.realm, [link.algapsa_id for link in edited])
    found = {}
    for link in edited:
        document = documents.get(link.algapsa_id)
        if document is None:
            continue
        wanted = prepare_export(document, clients.get(document.header.client_id), references)
        if isinstance(wanted, NotReady):
            found[link.algapsa_id] = ChangedSides(problems=wanted.problems)
            continue
        agreed = agreed_of(link)
        here = algapsa_view(re_dated(wanted, days.get(link.algapsa_id, {})), agreed)
        found[link.algapsa_id] = ChangedSides(
            in_algapsa=differences(_as_live(agreed), here, names),
            in_quickbooks=differences(agreed, shown_of(link), names),
            accepted_minor=link.accepted_minor,
        )
    return found


def _as_live(agreed: DocumentView) -> DocumentView:
    # Once a void was agreed on, AlgaPSA's new version differs in more than being live.
    return agreed if agreed.state == LIVE else agreed.gone(LIVE)


def _void(
    link: links.Link, header: DocumentHeader | None
) -> tuple[links.Link, DocumentHeader] | None:
    if header is None or not is_cancelled(header) or was_void_when_linked(link.fingerprint or ""):
        return None
    return link, header
