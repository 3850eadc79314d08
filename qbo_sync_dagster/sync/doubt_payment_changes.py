"""What became of changes of pushed payments whose answer never came."""

from __future__ import annotations

import sqlalchemy as sa

from qbo_sync_dagster.domain.operation_kinds import CHANGE_PAYMENT
from qbo_sync_dagster.domain.payment_change import PlannedChange
from qbo_sync_dagster.domain.payment_view import PaymentView, payment_differences
from qbo_sync_dagster.ledger import payment_links, postings
from qbo_sync_dagster.quickbooks.answers import RawObject
from qbo_sync_dagster.sync.context import CycleContext
from qbo_sync_dagster.sync.payment_change_results import agree, removed
from qbo_sync_dagster.sync.payment_shown import payment_view, readable_payment, shown_by
from qbo_sync_dagster.sync.translate import version


class PaymentChangeSettler:
    """Reads the payment and settles its link as the answer would have."""

    kinds = (CHANGE_PAYMENT,)

    def __init__(self, ctx: CycleContext) -> None:
        self._ctx = ctx

    def reached(self, posting: postings.Posting, shown: RawObject | None) -> bool:
        """Whether the payment stands as the write would have left it."""
        if posting.verb == "delete":
            return shown is None
        payment = readable_payment(shown)
        if payment is None:
            return False
        view = payment_view(payment)
        wanted = PaymentView.from_json(posting.identity["wanted"])
        return not payment_differences(wanted, view)

    def done(
        self, connection: sa.Connection, posting: postings.Posting, shown: RawObject | None
    ) -> None:
        """Settle the link as the answer would have."""
        for link in payment_links.of_rows(connection, self._ctx.realm, [posting.record_id]):
            sent = posting.identity
            if posting.verb == "delete":
                net = int(sent.get("net", 0))
                removed(connection, self._ctx, link, net, posting.request_id)
            elif shown is not None:
                wanted = PaymentView.from_json(sent["wanted"])
                settled = PaymentView.from_json(sent.get("settled", sent["wanted"]))
                amounts = [int(sent.get(key, 0)) for key in ("accepted_minor", "unapplied_minor")]
                plan = PlannedChange(settled, wanted, *amounts)
                agree(connection, self._ctx, link, plan, shown_by(shown), posting.request_id)

    def moved(
        self, connection: sa.Connection, posting: postings.Posting, shown: RawObject | None
    ) -> None:
        """Somebody changed it: that is told as drift of the payment, and decided first."""
        payment = readable_payment(shown)
        if payment is None and shown is not None and not shown.deleted:
            return  # unreadable is not gone: shown as that, staff could have it made twice
        for link in payment_links.of_rows(connection, self._ctx.realm, [posting.record_id]):
            agreed = PaymentView.from_json(link.snapshot or {})
            payment_links.show(
                connection,
                self._ctx.realm,
                [link.quickbooks_id],
                shown=(payment_view(payment) if payment else agreed.gone()).as_json(),
                sync_token=version(payment.sync_token) if payment else link.sync_token or 0,
            )
