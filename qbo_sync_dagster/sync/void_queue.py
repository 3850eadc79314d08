"""Voids that are wanted: filed when AlgaPSA voids an exported document, withdrawn when it does not.

Local, no calls. Carrying one out is `voids_out`'s business.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence

import sqlalchemy as sa

from qbo_sync_dagster.domain.algapsa_records import DocumentHeader
from qbo_sync_dagster.domain.catalogue import ExceptionKind
from qbo_sync_dagster.domain.document_changes import is_cancelled
from qbo_sync_dagster.domain.drift import is_gone_on_both_sides
from qbo_sync_dagster.domain.operation_kinds import UPDATE_DOCUMENT, VOID_DOCUMENT
from qbo_sync_dagster.ledger import exceptions, links, operations
from qbo_sync_dagster.sync.context import CycleContext
from qbo_sync_dagster.sync.digest import digest
from qbo_sync_dagster.sync.linked_documents import (
    agreed_of,
    kind_of_link,
    seen_by_staff,
    shown_of,
)

CLOSED = "closed period"
NOT_POSSIBLE = "not possible"
TOLD = (ExceptionKind.VOID_FAILING, ExceptionKind.CLOSED_PERIOD)


def file_voids(
    connection: sa.Connection,
    ctx: CycleContext,
    voided: Sequence[tuple[links.Link, DocumentHeader]],
) -> int:
    """Queue the voids of documents that AlgaPSA shows voided; returns how many are new.

    A re-export that was filed before is withdrawn. What staff dismissed in this very version is
    left alone.
    """
    if not voided:
        return 0
    judged = {
        (record, version)
        for _, record, version in exceptions.dismissed_versions(
            connection, ctx.realm, [ExceptionKind.VOID_FAILING, ExceptionKind.VOIDED_IN_ALGAPSA]
        )
    }
    wanted = [
        link
        for link, header in voided
        if (f"invoice:{link.algapsa_id}", header.fingerprint) not in judged
    ]
    overtaken = [
        operation.operation_id
        for operation in operations.open_ones(connection, ctx.realm, UPDATE_DOCUMENT)
        if operation.record_id in {link.algapsa_id for link in wanted}
        and operation.state != "posting"
    ]
    operations.change(connection, overtaken, "cancelled", reason="AlgaPSA voided the document")
    new = [
        operations.NewOperation(
            VOID_DOCUMENT,
            link.algapsa_id,
            f"{kind_of_link(link).noun} {agreed_of(link).number}",
        )
        for link in wanted
    ]
    return operations.queue(connection, ctx.realm, new)


def review_voids(ctx: CycleContext) -> None:
    """Withdraw voids that are no longer wanted; queue those again whose cause may have gone."""
    with ctx.reading() as connection:
        waiting = [
            operation
            for operation in operations.open_ones(connection, ctx.realm, VOID_DOCUMENT)
            if operation.state != "posting"
        ]
        linked = links.documents(connection, ctx.realm, [each.record_id for each in waiting])
    if not waiting:
        return
    found = ctx.algapsa.document_headers([each.record_id for each in waiting])
    headers = {header.invoice_id: header for header in found}
    with ctx.ledger() as connection:
        _refresh(connection, ctx.realm, headers, [each.record_id for each in waiting])
        for operation in waiting:
            link, header = linked.get(operation.record_id), headers.get(operation.record_id)
            if link is None or not _is_wanted(operation, link, header):
                withdraw_void(connection, ctx, operation)
            elif operation.reason_code == CLOSED or _has_moved(operation, link):
                operations.revive(connection, [operation.operation_id])


def void_version(header: DocumentHeader | None) -> str:
    """The version of AlgaPSA's document that a failed void is told for."""
    return header.fingerprint if header else "deleted"


def _refresh(
    connection: sa.Connection,
    realm: str,
    headers: Mapping[str, DocumentHeader],
    invoice_ids: Sequence[str],
) -> None:
    # It is not tried again because AlgaPSA was edited, but staff accept only what they were shown.
    versions = {f"invoice:{each}": void_version(headers.get(each)) for each in invoice_ids}
    for told in exceptions.open_ones(connection, realm, ExceptionKind.VOID_FAILING):
        version = versions.get(told.record, told.version)
        if version != told.version:
            exceptions.stand_for(connection, told.number, version)


def withdraw_void(
    connection: sa.Connection, ctx: CycleContext, operation: operations.Operation
) -> None:
    """Give a void up that nobody wants any more, with what it was told under."""
    operations.change(
        connection, [operation.operation_id], "cancelled", reason="no longer to be voided"
    )
    exceptions.resolve(
        connection,
        ctx.realm,
        TOLD,
        [f"invoice:{operation.record_id}"],
        "It is no longer to be voided.",
    )


def judged_state(link: links.Link) -> str:
    """What a refusal judged: QuickBooks' version and what was agreed on."""
    told = json.dumps([link.sync_token, link.snapshot], sort_keys=True)
    return digest(told.encode())


def _is_wanted(
    operation: operations.Operation, link: links.Link, header: DocumentHeader | None
) -> bool:
    if is_gone_on_both_sides(shown_of(link), header):
        return False
    return seen_by_staff(operation) is not None or is_cancelled(header)


def _has_moved(operation: operations.Operation, link: links.Link) -> bool:
    return operation.state == "errored" and operation.fingerprint != judged_state(link)
