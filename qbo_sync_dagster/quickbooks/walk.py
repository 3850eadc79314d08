"""Reading more rows than one page holds, over lists that change while they are read.

What belongs here: which page to ask for next. What does not: sending it. Plain offset paging loses
a row for every row deleted or moved before the offset; here each page must begin with a row that is
already known, or the walk steps back.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import datetime

from qbo_sync_dagster.quickbooks.answers import ChangeSweep, Page, RawObject
from qbo_sync_dagster.quickbooks.errors import NoAnswerError
from qbo_sync_dagster.quickbooks.query import LARGEST_PAGE, LAST_UPDATED, Query, at_least

Fetch = Callable[[Query], Page]

_MOST_STEPS_BACK = 50


class _Position:
    """Where the next page starts, counted from 1, and how often the list moved under the walk."""

    def __init__(self, limit: int) -> None:
        if limit < 2:
            raise ValueError("A page needs a second row to overlap with the one before it.")
        self.limit = limit
        self.start = 1
        self._steps_back = 0

    def forward(self) -> None:
        """On, so that the next page's first row is this page's last."""
        self.start += self.limit - 1

    def back(self, entity: str) -> None:
        self._steps_back += 1
        if self._steps_back > _MOST_STEPS_BACK:
            raise NoAnswerError(
                f"QuickBooks' list of {entity} records kept changing while it was read. "
                "It is read again in the next cycle."
            )
        self.start = max(1, self.start - self.limit)


def walk(fetch: Fetch, query: Query) -> Iterator[RawObject]:
    """Every row of `query`, once per Id, whatever is inserted or deleted meanwhile."""
    known: set[str] = set()
    position = _Position(query.limit)
    while True:
        rows = fetch(replace(query, start=position.start)).objects
        torn = position.start > 1 and (not rows or rows[0].id not in known)
        for row in rows:
            if row.id not in known:
                known.add(row.id)
                yield row
        if torn:
            position.back(query.entity)
        elif len(rows) < query.limit:
            return
        else:
            position.forward()


def sweep(fetch: Fetch, entity: str, since: datetime, limit: int = LARGEST_PAGE) -> ChangeSweep:
    """All live objects changed at or after `since`, paged by their time of change.

    Each page asks from the last row's second on, from position 1; offsets serve only inside one
    second that fills a page, again with a known first row. An object that changes during the sweep
    moves to its end and is met again there, with its new token.
    """
    known: dict[tuple[str, str | None], RawObject] = {}
    edge, position = _second(since), _Position(limit)
    began: datetime | None = None
    while True:
        page = fetch(_changed(entity, edge, position.start, limit))
        rows = page.objects
        began = began or page.time
        torn = position.start > 1 and (not rows or _key(rows[0]) not in known)
        known.update((_key(row), row) for row in rows if _key(row) not in known)
        last = max((_second(row.updated_at) for row in rows if row.updated_at), default=edge)
        if torn:
            position.back(entity)
        elif len(rows) < limit:
            return ChangeSweep(began, tuple(known.values()))
        elif last > edge:
            edge, position.start = last, 1
        else:
            position.forward()


def _changed(entity: str, since: datetime, start: int, limit: int) -> Query:
    return Query(
        entity,
        where=(at_least(LAST_UPDATED, since),),
        order_by=(LAST_UPDATED, "Id"),
        start=start,
        limit=limit,
    )


def _second(instant: datetime) -> datetime:
    return instant.replace(microsecond=0)


def _key(row: RawObject) -> tuple[str, str | None]:
    return row.id, row.sync_token
