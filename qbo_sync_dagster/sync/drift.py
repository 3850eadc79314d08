"""Stage 3: linked documents that no longer look as agreed, on either side. Local, no calls."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

import sqlalchemy as sa

from qbo_sync_dagster.domain.algapsa_records import DocumentHeader
from qbo_sync_dagster.domain.catalogue import ExceptionKind
from qbo_sync_dagster.domain.document_view import DocumentView, FieldDifference, differences
from qbo_sync_dagster.domain.drift import (
    DRIFT_KINDS,
    changed_in_algapsa,
    drift_exception,
    is_gone_on_both_sides,
)
from qbo_sync_dagster.domain.exception_record import ExceptionRecord
from qbo_sync_dagster.ledger import exceptions, links
from qbo_sync_dagster.sync.context import CycleContext
from qbo_sync_dagster.sync.outcome import DriftLine, DriftReport

ALGAPSA_KINDS = (
    ExceptionKind.CHANGED_IN_ALGAPSA,
    ExceptionKind.REOPENED_IN_ALGAPSA,
    ExceptionKind.DELETED_IN_ALGAPSA,
    ExceptionKind.VOIDED_IN_ALGAPSA,
)


def report_drift(ctx: CycleContext, headers: Mapping[str, DocumentHeader]) -> DriftReport:
    """Judge every document that moved; `headers` are AlgaPSA's of all linked documents."""
    with ctx.ledger() as connection:
        moved = links.moved(connection, ctx.realm)
        found = {link.link_id: _differences(link, headers) for link in moved}
        raised = [
            drift_exception(link.algapsa_id, link.quickbooks_id, _agreed(link), _shown(link), diff)
            for link in moved
            if (diff := found[link.link_id])
        ]
        for link in moved:
            drift = [[item.field, item.agreed, item.shown] for item in found[link.link_id]]
            links.update(connection, link.link_id, drift={"fields": drift} if drift else None)
        _settle(ctx, raised, DRIFT_KINDS, "QuickBooks shows the agreed version again.", connection)
        changed = _changed_in_algapsa(
            links.by_algapsa_id(connection, ctx.realm, "invoice").values(), headers
        )
        _settle(
            ctx, changed, ALGAPSA_KINDS, "AlgaPSA shows the exported version again.", connection
        )
    return DriftReport(
        documents=len(raised),
        lines=tuple(_lines(moved, found)),
        changed_in_algapsa=len(changed),
    )


def _settle(
    ctx: CycleContext,
    raised: Sequence[ExceptionRecord],
    kinds: Sequence[ExceptionKind],
    reason: str,
    connection: sa.Connection,
) -> None:
    exceptions.raise_all(connection, ctx.realm, raised)
    for kind in kinds:
        still = [record.record for record in raised if record.kind is kind]
        exceptions.resolve_others(connection, ctx.realm, [kind], still, reason)


def _changed_in_algapsa(
    linked: Iterable[links.Link], headers: Mapping[str, DocumentHeader]
) -> list[ExceptionRecord]:
    return [
        record
        for link in linked
        if link.fingerprint is not None and link.snapshot is not None
        if (
            record := changed_in_algapsa(
                link.algapsa_id,
                link.quickbooks_id,
                link.fingerprint,
                _shown(link),
                headers.get(link.algapsa_id),
            )
        )
    ]


def _differences(link: links.Link, headers: Mapping[str, DocumentHeader]) -> list[FieldDifference]:
    if is_gone_on_both_sides(_shown(link), headers.get(link.algapsa_id)):
        return []
    return differences(_agreed(link), _shown(link))


def _agreed(link: links.Link) -> DocumentView:
    return DocumentView.from_json(link.snapshot or link.shown or {})


def _shown(link: links.Link) -> DocumentView:
    return DocumentView.from_json(link.shown or link.snapshot or {})


def _lines(
    moved: Sequence[links.Link], found: Mapping[int, Sequence[FieldDifference]]
) -> Iterable[DriftLine]:
    for link in moved:
        for item in found[link.link_id]:
            yield DriftLine(
                document=_agreed(link).number,
                quickbooks_id=link.quickbooks_id,
                field=item.field,
                agreed=item.agreed,
                shown=item.shown,
            )
