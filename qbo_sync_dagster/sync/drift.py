"""Stage 3: linked documents that no longer look as agreed, on either side. Local, no calls."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

import sqlalchemy as sa

from qbo_sync_dagster.domain.algapsa_records import DocumentHeader
from qbo_sync_dagster.domain.catalogue import ExceptionKind
from qbo_sync_dagster.domain.document_changes import is_cancelled
from qbo_sync_dagster.domain.document_kinds import BY_LINK_KIND, EXPORTS
from qbo_sync_dagster.domain.document_view import (
    NO_NAMES,
    DocumentView,
    FieldDifference,
    Names,
    differences,
)
from qbo_sync_dagster.domain.drift import (
    DRIFT_KINDS,
    changed_in_algapsa,
    drift_exception,
    is_as_exported,
    is_gone_on_both_sides,
    was_void_when_linked,
)
from qbo_sync_dagster.domain.exception_record import ExceptionRecord
from qbo_sync_dagster.ledger import exceptions, links, operations
from qbo_sync_dagster.sync.agreed_again import agree_again
from qbo_sync_dagster.sync.context import CycleContext
from qbo_sync_dagster.sync.names_shown import names_shown
from qbo_sync_dagster.sync.outcome import DriftLine, DriftReport
from qbo_sync_dagster.sync.void_queue import file_voids

ALGAPSA_KINDS = (
    ExceptionKind.CHANGED_IN_ALGAPSA,
    ExceptionKind.REOPENED_IN_ALGAPSA,
    ExceptionKind.DELETED_IN_ALGAPSA,
    ExceptionKind.VOIDED_IN_ALGAPSA,
)


# What is compared at once: its headers are all that memory holds.
_PAGE = 1000


def report_drift(ctx: CycleContext) -> DriftReport:
    """Judge every linked document, on QuickBooks' side and on AlgaPSA's."""
    with ctx.ledger() as connection:
        moved = links.moved(connection, ctx.realm)
        headers = _headers(ctx, [link.algapsa_id for link in moved])
        agreed = agree_again(ctx, connection, moved, headers)
        moved = [link for link in moved if link.link_id not in agreed]
        found = {link.link_id: _differences(link, headers) for link in moved}
        drifted = [link for link in moved if found[link.link_id]]
        names = names_shown(ctx, connection, drifted) if drifted else NO_NAMES
        raised = [
            drift_exception(
                link.algapsa_id,
                link.quickbooks_id,
                _agreed(link),
                _shown(link),
                found[link.link_id],
                BY_LINK_KIND[link.kind],
                differences(_agreed(link), _shown(link), names),
            )
            for link in drifted
        ]
        for link in moved:
            fields = [[item.field, item.agreed, item.shown] for item in found[link.link_id]]
            drift = {"fields": fields} if fields else None
            if drift != link.drift:
                links.update(connection, link.link_id, drift=drift)
        _settle(
            ctx,
            raised,
            DRIFT_KINDS,
            "QuickBooks shows the agreed version again.",
            connection,
            # Until it was created anew, a deleted document is missing.
            unconfirmed=operations.being_made_anew(connection, ctx.realm, EXPORTS),
        )
    found_changed = list(_changed_in_algapsa(ctx))
    voided = [each.voided for each in found_changed if each.voided]
    changed = [each.record for each in found_changed if not each.voided]
    with ctx.ledger() as connection:
        file_voids(connection, ctx, voided)
        _settle(
            ctx, changed, ALGAPSA_KINDS, "AlgaPSA shows the exported version again.", connection
        )
    return DriftReport(
        documents=len(raised),
        lines=tuple(_lines(drifted, names)),
        changed_in_algapsa=len(changed),
    )


def _settle(
    ctx: CycleContext,
    raised: Sequence[ExceptionRecord],
    kinds: Sequence[ExceptionKind],
    reason: str,
    connection: sa.Connection,
    unconfirmed: Collection[str] = (),
) -> None:
    exceptions.raise_all(connection, ctx.realm, raised)
    waiting = [f"invoice:{invoice_id}" for invoice_id in unconfirmed]
    for kind in kinds:
        still = [*(record.record for record in raised if record.kind is kind), *waiting]
        exceptions.resolve_others(connection, ctx.realm, [kind], still, reason)


@dataclass(frozen=True, slots=True)
class _Changed:
    """An exported document that AlgaPSA shows otherwise now; `voided` if a void follows from it."""

    record: ExceptionRecord
    voided: tuple[links.Link, DocumentHeader] | None


def _changed_in_algapsa(ctx: CycleContext) -> Iterator[_Changed]:
    """Page by page: what AlgaPSA shows of all linked documents now, against what was exported."""
    after = 0
    while True:
        with ctx.reading() as connection:
            page = links.exported(connection, ctx.realm, after=after, limit=_PAGE)
        if not page:
            return
        after = page[-1].link_id
        headers = _headers(ctx, [each.algapsa_id for each in page])
        differing = [
            each.algapsa_id
            for each in page
            if not is_as_exported(each.fingerprint, headers.get(each.algapsa_id))
        ]
        if differing:
            yield from _told(ctx, differing, headers)


def _headers(ctx: CycleContext, ids: Collection[str]) -> dict[str, DocumentHeader]:
    return {header.invoice_id: header for header in ctx.algapsa.document_headers(ids)}


def _told(
    ctx: CycleContext, differing: Collection[str], headers: Mapping[str, DocumentHeader]
) -> Iterator[_Changed]:
    with ctx.reading() as connection:
        linked = links.documents(connection, ctx.realm, differing)
    for link in linked.values():
        record = changed_in_algapsa(
            link.algapsa_id,
            link.quickbooks_id,
            link.fingerprint or "",
            _shown(link),
            headers.get(link.algapsa_id),
            BY_LINK_KIND[link.kind],
        )
        if record:
            yield _Changed(record, _void(link, headers.get(link.algapsa_id)))


def _void(
    link: links.Link, header: DocumentHeader | None
) -> tuple[links.Link, DocumentHeader] | None:
    if header is None or not is_cancelled(header) or was_void_when_linked(link.fingerprint or ""):
        return None
    return link, header


def _differences(link: links.Link, headers: Mapping[str, DocumentHeader]) -> list[FieldDifference]:
    if is_gone_on_both_sides(_shown(link), headers.get(link.algapsa_id)):
        return []
    return differences(_agreed(link), _shown(link))


def _agreed(link: links.Link) -> DocumentView:
    return DocumentView.from_json(link.snapshot or link.shown or {})


def _shown(link: links.Link) -> DocumentView:
    return DocumentView.from_json(link.shown or link.snapshot or {})


def _lines(drifted: Sequence[links.Link], names: Names) -> Iterable[DriftLine]:
    for link in drifted:
        for item in differences(_agreed(link), _shown(link), names):
            yield DriftLine(
                document=f"{BY_LINK_KIND[link.kind].noun} {_agreed(link).number}",
                quickbooks_id=link.quickbooks_id,
                field=item.field,
                agreed=item.agreed,
                shown=item.shown,
            )
