"""What settling doubt asks of each sort of record: which objects of a poll are one's own.

What belongs here: the shapes that a sort of record fills in. What does not: the verdict (domain)
and what follows from it (doubts).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Protocol

import sqlalchemy as sa

from qbo_sync_dagster.domain.identity import Findings
from qbo_sync_dagster.ledger import postings
from qbo_sync_dagster.quickbooks.answers import RawObject


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
