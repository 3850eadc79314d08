"""What a part of the chaos run is told and what it tells.

Belongs here: the order that each part takes and the figures that it gives back. Does not: any part.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TypeAlias

from qbo_sync_dagster.sandbox.postgres import EmbeddedServer


@dataclass(frozen=True, slots=True)
class Order:
    """What a part is to do: until when, by which chance, and which share of the whole.

    `deadline` is on the monotonic clock, infinite for all there is. `share` counts from 0 and
    tells the processes of a part apart.
    """

    server: EmbeddedServer
    deadline: float
    seed: int
    share: int = 0
    shares: int = 1

    def seconds_left(self) -> float:
        """How long the part may still go on."""
        return self.deadline - time.monotonic()


@dataclass
class Figures:
    """What was tried and what broke. `broken` tells each broken promise and how to see it again."""

    points: int = 0
    crashes: int = 0
    steps: int = 0
    duplicates: int = 0
    losses: int = 0
    broken: list[str] = field(default_factory=list)

    def add(self, other: Figures) -> None:
        """Count another part in."""
        self.points += other.points
        self.crashes += other.crashes
        self.steps += other.steps
        self.duplicates += other.duplicates
        self.losses += other.losses
        self.broken += other.broken

    def line(self) -> str:
        """The last line of a run."""
        return (
            f"points {self.points}, crashes {self.crashes}, steps {self.steps}, "
            f"duplicates {self.duplicates}, losses {self.losses}, broken {len(self.broken)}"
        )


Part: TypeAlias = Callable[[Order], Figures]
