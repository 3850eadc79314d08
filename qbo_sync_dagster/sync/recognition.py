"""What settling doubt asks of each sort of record: which objects of a poll are one's own.

What belongs here: the shapes that a sort of record fills in. What does not: the verdict (domain)
and what follows from it (doubts).
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import datetime
from typing import Protocol

import sqlalchemy as sa

from qbo_sync_dagster.domain.doubt import may_be_made_by
from qbo_sync_dagster.domain.identity import Findings
from qbo_sync_dagster.ledger import postings
from qbo_sync_dagster.quickbooks.answers import RawObject
from qbo_sync_dagster.sync.poll import Polled


class Recogniser(Protocol):
    """Recognises the objects of creates whose answer never came, for some operation kinds.

    It is made from a cycle and what its poll brought, and reads each object once.
    """

    @property
    def kinds(self) -> Sequence[str]:
        """The operation kinds whose creates it settles."""

    def findings(self, unanswered: Sequence[postings.Posting]) -> Mapping[int, Findings]:
        """What of this poll is, or may be, each posting's object, by posting id."""

    def adopt(self, connection: sa.Connection, posting: postings.Posting, object_id: str) -> bool:
        """Link the object. False if its AlgaPSA record is gone: then a person decides."""


class ChangeSettler(Protocol):
    """Settles updates, voids and deletes without an answer, from the object as it was read."""

    @property
    def kinds(self) -> Sequence[str]:
        """The operation kinds whose changes it settles."""

    def reached(self, posting: postings.Posting, now: RawObject | None) -> bool:
        """Whether the object stands as the write would leave it; None if it was deleted."""

    def done(
        self, connection: sa.Connection, posting: postings.Posting, now: RawObject | None
    ) -> None:
        """Note what the object is now, as if the answer had come."""

    def moved(
        self, connection: sa.Connection, posting: postings.Posting, now: RawObject | None
    ) -> None:
        """Somebody else changed it meanwhile, which is drift: note what it is now."""


def newest(objects: Iterable[RawObject]) -> list[RawObject]:
    """The last version of each object of a poll."""
    return list({(item.entity, item.id): item for item in objects}.values())


class EditedObjects:
    """The unlinked objects of a poll that somebody has saved since they were created.

    Nothing that they show need be what was sent, so that only the time of their creation tells
    whether a posting may have made them. One that nobody has saved still looks as it was sent.
    """

    def __init__(self, polled: Polled) -> None:
        self._ahead = polled.ahead
        self._created: dict[str, datetime | None] = {}

    def note(self, item: RawObject) -> None:
        """Remember the object if somebody has saved it."""
        if not item.is_as_created:
            self._created[item.id] = item.created_at

    def that_may_be(self, posting: postings.Posting, *, but: Collection[str]) -> int:
        """How many of them the posting may have made, leaving out those known to be others."""
        return sum(
            may_be_made_by(
                created,
                ahead=self._ahead,
                first_sent_at=posting.first_sent_at,
                sent_at=posting.sent_at,
            )
            for object_id, created in self._created.items()
            if object_id not in but
        )
