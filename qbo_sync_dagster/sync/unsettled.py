"""The inbox page by page: payloads are large, and after an outage there may be very many."""

from __future__ import annotations

from collections.abc import Iterator

from qbo_sync_dagster.ledger import inbox
from qbo_sync_dagster.sync.context import CycleContext

PAGE = 300


def unsettled_pages(ctx: CycleContext, entity: str) -> Iterator[list[inbox.Change]]:
    """Received and parked changes of an entity, oldest first; settling them meanwhile is fine."""
    after, is_last = 0, False
    while not is_last:
        with ctx.reading() as connection:
            page = inbox.unsettled(connection, ctx.realm, entity, after=after, limit=PAGE)
        is_last = len(page) < PAGE
        if page:
            yield page
            after = page[-1].change_id
