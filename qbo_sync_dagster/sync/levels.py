"""What stage 5 asks of a level: operations of one sort, prepared and settled in the same way.

What belongs here: the shape of a level, and what every level is made from. What does not: the
order of the levels and the draining of them (posting), and each level's own rules.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

from qbo_sync_dagster.ledger import operations, postings
from qbo_sync_dagster.sync.context import CycleContext
from qbo_sync_dagster.sync.preferences import PostingRules
from qbo_sync_dagster.sync.sending import Outgoing, Settler


class Level(Settler, Protocol):
    """One level of operations that is prepared and sent in the same way."""

    def prepare(self, due: Sequence[operations.Operation]) -> list[Outgoing]:
        """Those that can be sent now; the others get their state, or stay queued at no cost."""

    def still_current(self, outgoing: Sequence[Outgoing]) -> list[Outgoing]:
        """Those that have not changed since they were prepared."""

    def unchanged(self, sent: Sequence[postings.Posting]) -> bool:
        """Whether all creates that were sent earlier would be sent the same way now."""


@dataclass(frozen=True, slots=True)
class Terms:
    """What a level may count on: the company's preferences, and whether the poll succeeded."""

    rules: PostingRules
    polled: bool


@dataclass(frozen=True, slots=True)
class LevelPlan:
    """A level before it is needed: the operation kinds it drains, and how it is made.

    One that `needs_reads` waits for a cycle whose poll succeeded.
    """

    kinds: tuple[str, ...]
    make: Callable[[CycleContext, Terms], Level]
    needs_reads: bool = True
