"""What a changed pushed payment leaves in the ledger, however its outcome became known."""

from __future__ import annotations

import sqlalchemy as sa

from qbo_sync_dagster.domain.catalogue import ExceptionKind
from qbo_sync_dagster.domain.payment_change import PlannedChange
from qbo_sync_dagster.domain.payment_exceptions import payment_record
from qbo_sync_dagster.domain.payment_view import PaymentView
from qbo_sync_dagster.domain.payments_out_exceptions import PUSH_KINDS
from qbo_sync_dagster.ledger import audit, exceptions, links
from qbo_sync_dagster.ledger.payment_links import PaymentLink
from qbo_sync_dagster.sync.context import CycleContext
from qbo_sync_dagster.sync.doubt_payments import told_unapplied


def removed(
    connection: sa.Connection,
    ctx: CycleContext,
    link: PaymentLink,
    net_minor: int,
    request_id: str | None,
) -> None:
    """It is gone from QuickBooks; what AlgaPSA still holds of it was refunded, and stays there."""
    if net_minor > 0:
        gone = PaymentView.from_json(link.snapshot or {}).gone().as_json()
        links.update(
            connection,
            link.link_id,
            state="accepted",
            snapshot=gone,
            shown=gone,
            accepted_minor=net_minor,
            drift=None,
        )
    else:
        links.update(connection, link.link_id, state="closed", drift=None)
    _settle(connection, ctx, link, "delete payment", None, request_id)


def agree(
    connection: sa.Connection,
    ctx: CycleContext,
    link: PaymentLink,
    plan: PlannedChange,
    shown: tuple[PaymentView, int] | None,
    request_id: str | None,
) -> None:
    """What QuickBooks shows after the change is what both sides agree on now."""
    view, token = shown or (plan.wanted, link.sync_token or 0)
    links.update(
        connection,
        link.link_id,
        snapshot=plan.settled.as_json(),
        shown=view.as_json(),
        sync_token=token,
        accepted_minor=plan.accepted_minor,
        drift=None,
    )
    _settle(connection, ctx, link, "change payment", plan.wanted, request_id)
    if plan.unapplied_minor:
        records = told_unapplied(ctx, link, plan.unapplied_minor)
        exceptions.raise_all(connection, ctx.realm, records)


def _settle(
    connection: sa.Connection,
    ctx: CycleContext,
    link: PaymentLink,
    effect: str,
    after: PaymentView | None,
    request_id: str | None,
) -> None:
    logged = audit.Effect(
        side="quickbooks",
        effect=effect,
        record=payment_record(link.algapsa_id),
        before={"quickbooks_id": link.quickbooks_id, "payment": link.snapshot},
        after={"payment": after.as_json()} if after else None,
        request_id=request_id,
    )
    audit.append(connection, ctx.realm, [logged])
    kinds = (*PUSH_KINDS, ExceptionKind.REVERSAL_TO_RECORD)
    reason = "QuickBooks holds what AlgaPSA does."
    exceptions.resolve(connection, ctx.realm, kinds, [payment_record(link.algapsa_id)], reason)
    drifted = [payment_record(link.quickbooks_id)]
    exceptions.resolve(connection, ctx.realm, [ExceptionKind.PAYMENT_DRIFT], drifted, reason)
