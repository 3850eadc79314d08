"""Doubt about customers: recognised by their display name."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence

import sqlalchemy as sa

from qbo_sync_dagster.domain.errors import DomainError
from qbo_sync_dagster.domain.identity import Findings
from qbo_sync_dagster.domain.operation_kinds import CREATE_CUSTOMER
from qbo_sync_dagster.ledger import links, postings
from qbo_sync_dagster.quickbooks.objects import parse_customer
from qbo_sync_dagster.sync.context import CycleContext
from qbo_sync_dagster.sync.customer_links import link_customer
from qbo_sync_dagster.sync.poll import Polled
from qbo_sync_dagster.sync.recognition import EditedObjects, newest


class CustomerRecogniser:
    """The unlinked customers of a poll by name."""

    kinds = (CREATE_CUSTOMER,)

    def __init__(self, ctx: CycleContext, polled: Polled) -> None:
        self._ctx = ctx
        with ctx.reading() as connection:
            linked = set(links.ids(connection, ctx.realm, "client").values())
        self._unlinked = [
            item
            for item in newest(polled.objects)
            if item.entity == "Customer" and item.id not in linked and not item.deleted
        ]
        self._edited = EditedObjects(polled)
        for item in self._unlinked:
            self._edited.note(item)

    def findings(self, unanswered: Sequence[postings.Posting]) -> Mapping[int, Findings]:
        """The active customers that bear the name sent.

        Inactive ones of that name are suspects, and renamed ones that were created at that time.
        """
        found = {
            posting.posting_id: self._named(posting.identity["name"]) for posting in unanswered
        }
        taken = {object_id for findings in found.values() for object_id in findings.own}
        return {
            posting.posting_id: self._with_suspects(posting, found[posting.posting_id], taken)
            for posting in unanswered
        }

    def _with_suspects(
        self, posting: postings.Posting, found: Findings, taken: Collection[str]
    ) -> Findings:
        edited = self._edited.that_may_be(posting, but=taken)
        return Findings(found.own, found.suspects + edited)

    def _named(self, wanted: str) -> Findings:
        own, suspects = [], 0
        for item in self._unlinked:
            try:
                customer = parse_customer(item.payload)
            except DomainError:
                continue
            name = customer.display_name.casefold()
            if customer.active and name == wanted.casefold():
                own.append(item.id)
            # One made inactive bears " (deleted)" at its name's end. Sent again, the request would
            # only bring the first answer back, and an inactive customer would be linked.
            suspects += not customer.active and name.startswith(wanted.casefold())
        return Findings(tuple(own), suspects)

    def adopt(self, connection: sa.Connection, posting: postings.Posting, object_id: str) -> bool:
        """Link the client to the customer."""
        name = posting.identity["name"]
        link_customer(connection, self._ctx, posting.record_id, object_id, name, origin="adopted")
        return True
