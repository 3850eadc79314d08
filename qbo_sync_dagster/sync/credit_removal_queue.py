"""Stage 4, credits: what AlgaPSA took back is queued to leave QuickBooks, or stands alone there.

Local, no calls. Carrying it out is `credit_removals`' business.
"""

from __future__ import annotations

from collections.abc import Iterable

import sqlalchemy as sa

from qbo_sync_dagster.domain.algapsa_payments import CreditApplication
from qbo_sync_dagster.domain.credits import credit_label
from qbo_sync_dagster.domain.operation_kinds import REMOVE_CREDIT
from qbo_sync_dagster.ledger import credit_links, inbox, operations
from qbo_sync_dagster.ledger.credit_links import CreditLink
from qbo_sync_dagster.ledger.operations import NewOperation
from qbo_sync_dagster.sync.context import CycleContext
from qbo_sync_dagster.sync.credits_left_alone import left_alone_by_staff


def queue_removals(ctx: CycleContext, applications: Iterable[CreditApplication]) -> int:
    """What AlgaPSA took back: our payments are to go, others stand alone again."""
    live = {each.key: each for each in applications if not each.is_reversed}
    known = {each.key: each for each in applications}
    with ctx.reading() as connection:
        taken_back = [
            link
            for link in credit_links.standing(connection, ctx.realm)
            if link.state == "live" and link.key not in live
        ]
        is_waiting = bool(operations.open_ones(connection, ctx.realm, REMOVE_CREDIT))
    if not (taken_back or is_waiting):
        return 0
    pushed = [link for link in taken_back if link.is_pushed]
    with ctx.ledger() as connection:
        left_alone = left_alone_by_staff(connection, ctx.realm)
        # Read again: staff may have given up meanwhile what waited.
        _revive_removals(connection, ctx)
        for link in taken_back:
            if not link.is_pushed:
                _stand_alone(connection, ctx, link, is_known=link.key in known)
        return operations.queue(
            connection,
            ctx.realm,
            [
                NewOperation(
                    REMOVE_CREDIT,
                    link.key,
                    credit_label(known[link.key]) if link.key in known else "Credit application",
                )
                for link in pushed
                if not left_alone.keeps(link)
            ],
        )


def _revive_removals(connection: sa.Connection, ctx: CycleContext) -> None:
    """Only QuickBooks knows whether what held a removal is gone, so it is looked at again."""
    held = [
        operation.operation_id
        for operation in operations.open_ones(connection, ctx.realm, REMOVE_CREDIT)
        if operation.state == "held"
        and (operation.next_attempt_at is None or operation.next_attempt_at <= ctx.engine.now())
    ]
    operations.revive(connection, held)


def _stand_alone(
    connection: sa.Connection, ctx: CycleContext, link: CreditLink, *, is_known: bool
) -> None:
    """Have a payment that was born in QuickBooks planned anew without AlgaPSA's application.

    One that takes from an unlinked memo would come in as new money: it stays linked, as drift.
    """
    parts = link.in_quickbooks
    if parts is not None and parts.note_id:
        credit_links.close(connection, [link.link_id])
    elif not is_known:
        return
    latest = inbox.newest(connection, ctx.realm, "Payment", [link.payment_id])
    settled = [
        change.change_id
        for change in latest.values()
        if change.state in ("known", "foreign", "applied")
    ]
    inbox.settle(connection, ctx.realm, settled, "received")
