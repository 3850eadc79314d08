"""Doubt about credit applications: recognised by marker, or by memo, invoice and amount."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import sqlalchemy as sa

from qbo_sync_dagster.domain.credit_identity import CreditIdentity, SeenCredit, find_credit
from qbo_sync_dagster.domain.credits import CreditParts
from qbo_sync_dagster.domain.errors import DomainError
from qbo_sync_dagster.domain.identity import Findings
from qbo_sync_dagster.domain.money import to_minor
from qbo_sync_dagster.domain.operation_kinds import APPLY_CREDIT
from qbo_sync_dagster.domain.sync_marker import markers_in
from qbo_sync_dagster.ledger import (
    credit_links,
    document_links,
    inbox,
    payment_links,
    postings,
)
from qbo_sync_dagster.quickbooks.answers import RawObject
from qbo_sync_dagster.quickbooks.objects import parse_payment
from qbo_sync_dagster.sync.context import CycleContext
from qbo_sync_dagster.sync.credits_in import link_found
from qbo_sync_dagster.sync.poll import Polled
from qbo_sync_dagster.sync.recognition import EditedObjects, newest


class CreditRecogniser:
    """The payments of nothing in a poll that answer to no application yet."""

    kinds = (APPLY_CREDIT,)

    def __init__(self, ctx: CycleContext, polled: Polled) -> None:
        self._ctx = ctx
        self._seen: list[SeenCredit] = []
        self._unknown_gone = int("Payment" in polled.blind)
        self._edited = EditedObjects(polled)
        payments = [item for item in newest(polled.objects) if item.entity == "Payment"]
        ids = {item.id for item in payments}
        with ctx.reading() as connection:
            linked = {
                link.payment_id for link in credit_links.of_payments(connection, ctx.realm, ids)
            }
            known = inbox.seen_live(connection, ctx.realm, "Payment", ids)
            # What we took back ourselves is no unknown deletion either.
            ours = payment_links.ever_linked(connection, ctx.realm)
            ours |= document_links.known_objects(connection, ctx.realm, "credit_application")
        placed = known | linked | ours
        for item in payments:
            # One that stood before is not the one in doubt; of the others nobody can tell.
            if item.deleted:
                self._unknown_gone += item.id not in placed
            elif item.id not in linked:
                self._note(item, is_ours=item.id in ours)

    def _note(self, item: RawObject, *, is_ours: bool) -> None:
        try:
            payment = parse_payment(item.payload)
            seen = SeenCredit(
                item.id,
                markers_in(payment.private_note),
                tuple((memo, to_minor(amount)) for memo, amount in payment.credit_lines),
                tuple((invoice, to_minor(amount)) for invoice, amount in payment.invoice_lines),
            )
        except DomainError:
            self._unknown_gone += not is_ours
            return
        if payment.is_void:
            self._unknown_gone += not is_ours
        elif payment.total == 0 or seen.markers:
            self._seen.append(seen)
        if not (payment.is_void or seen.markers or is_ours):
            self._edited.note(item)

    def findings(self, unanswered: Sequence[postings.Posting]) -> Mapping[int, Findings]:
        """Which of the payments is each posting's; each answers to one application."""
        found = {}
        taken: set[str] = set()
        for posting in unanswered:
            identity = CreditIdentity.from_json(posting.identity)
            free = [each for each in self._seen if each.payment_id not in taken]
            own = find_credit(identity, free)
            # Two of the same amount on the same documents differ in nothing else.
            if len(own) > 1 and not any(
                identity.marker in each.markers for each in free if each.payment_id in own
            ):
                own = own[:1]
            taken.update(own)
            suspects = sum(_could_be(identity, each) for each in free if each.payment_id not in own)
            suspects += self._edited.that_may_be(posting, but=taken)
            found[posting.posting_id] = Findings(own, suspects + self._unknown_gone)
        return found

    def adopt(self, connection: sa.Connection, posting: postings.Posting, object_id: str) -> bool:
        """Link the application to the payment."""
        applications = self._ctx.algapsa.credit_applications()
        found = [each for each in applications if each.key == posting.record_id]
        if not found:
            return False
        parts = [(found[0], CreditParts.of(found[0]))]
        link_found(connection, self._ctx, object_id, parts, origin="adopted")
        return True


def _could_be(identity: CreditIdentity, seen: SeenCredit) -> bool:
    # A bookkeeper may have changed its note, its amounts and its invoice.
    return not seen.markers and any(memo == identity.memo_id for memo, _ in seen.credit_lines)
