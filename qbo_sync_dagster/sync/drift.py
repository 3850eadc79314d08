"""Stage 3: linked documents that no longer look as agreed, on either side. Local, no calls."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass

import sqlalchemy as sa

from qbo_sync_dagster.domain.algapsa_records import DocumentHeader
from qbo_sync_dagster.domain.both_sides import side_by_side
from qbo_sync_dagster.domain.catalogue import ExceptionKind
from qbo_sync_dagster.domain.document_kinds import BY_LINK_KIND, EXPORTS
from qbo_sync_dagster.domain.document_view import NO_NAMES, FieldDifference, differences
from qbo_sync_dagster.domain.drift import DRIFT_KINDS, drift_exception, is_gone_on_both_sides
from qbo_sync_dagster.domain.exception_record import ExceptionRecord
from qbo_sync_dagster.ledger import exceptions, links, operations
from qbo_sync_dagster.sync.agreed_again import agree_again
from qbo_sync_dagster.sync.changed_in_algapsa import Changed, find_changed, headers_of
from qbo_sync_dagster.sync.context import CycleContext
from qbo_sync_dagster.sync.linked_documents import agreed_of, shown_of
from qbo_sync_dagster.sync.names_shown import names_shown
from qbo_sync_dagster.sync.outcome import DriftLine, DriftReport
from qbo_sync_dagster.sync.void_queue import file_voids

ALGAPSA_KINDS = (
    ExceptionKind.CHANGED_IN_ALGAPSA,
    ExceptionKind.REOPENED_IN_ALGAPSA,
    ExceptionKind.DELETED_IN_ALGAPSA,
    ExceptionKind.VOIDED_IN_ALGAPSA,
)


@dataclass(frozen=True, slots=True)
class _Drifted:
    """A document that QuickBooks shows otherwise than agreed; `named` is what was `found`."""

    link: links.Link
    found: Sequence[FieldDifference]
    named: Sequence[FieldDifference]


def report_drift(ctx: CycleContext) -> DriftReport:
    """Judge every linked document, on QuickBooks' side and on AlgaPSA's."""
    with ctx.ledger() as connection:
        drifted = _changed_in_quickbooks(ctx, connection)
        _settle(
            ctx,
            [_told(each) for each in drifted],
            DRIFT_KINDS,
            "QuickBooks shows the agreed version again.",
            connection,
            # Until it was created anew, a deleted document is missing.
            unconfirmed=operations.being_made_anew(connection, ctx.realm, EXPORTS),
        )
    found = list(find_changed(ctx))
    changed = [each for each in found if not each.voided]
    with ctx.ledger() as connection:
        file_voids(connection, ctx, [each.voided for each in found if each.voided])
        _settle(
            ctx,
            [each.record for each in changed],
            ALGAPSA_KINDS,
            "AlgaPSA shows the exported version again.",
            connection,
        )
    return DriftReport(
        documents=len(drifted),
        lines=tuple(_lines(drifted, changed)),
        changed_in_algapsa=len(changed),
    )


def _changed_in_quickbooks(ctx: CycleContext, connection: sa.Connection) -> list[_Drifted]:
    moved = links.moved(connection, ctx.realm)
    headers = headers_of(ctx, [link.algapsa_id for link in moved])
    agreed = agree_again(ctx, connection, moved, headers)
    moved = [link for link in moved if link.link_id not in agreed]
    found = {link.link_id: _differences(link, headers) for link in moved}
    for link in moved:
        fields = [[item.field, item.agreed, item.shown] for item in found[link.link_id]]
        drift = {"fields": fields} if fields else None
        if drift != link.drift:
            links.update(connection, link.link_id, drift=drift)
    drifted = [link for link in moved if found[link.link_id]]
    names = names_shown(ctx, connection, drifted) if drifted else NO_NAMES
    return [
        _Drifted(link, found[link.link_id], differences(agreed_of(link), shown_of(link), names))
        for link in drifted
    ]


def _told(drifted: _Drifted) -> ExceptionRecord:
    link = drifted.link
    return drift_exception(
        link.algapsa_id,
        link.quickbooks_id,
        agreed_of(link),
        shown_of(link),
        drifted.found,
        BY_LINK_KIND[link.kind],
        drifted.named,
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


def _differences(link: links.Link, headers: Mapping[str, DocumentHeader]) -> list[FieldDifference]:
    if is_gone_on_both_sides(shown_of(link), headers.get(link.algapsa_id)):
        return []
    return differences(agreed_of(link), shown_of(link))


def _lines(drifted: Sequence[_Drifted], changed: Sequence[Changed]) -> Iterator[DriftLine]:
    """Each document once, whichever side has changed it; those of QuickBooks first."""
    there = {each.link.link_id: each.named for each in drifted}
    here = {each.link.link_id: each.fields for each in changed}
    linked = {each.link.link_id: each.link for each in drifted}
    linked |= {each.link.link_id: each.link for each in changed}
    for link_id, link in linked.items():
        kind = BY_LINK_KIND[link.kind]
        for each in side_by_side(here.get(link_id, ()), there.get(link_id, ())):
            yield DriftLine(
                document=f"{kind.noun} {agreed_of(link).number}",
                entity=kind.entity,
                quickbooks_id=link.quickbooks_id,
                field=each.field,
                agreed=each.agreed,
                in_algapsa=each.in_algapsa,
                shown=each.in_quickbooks,
            )
