"""A scene: a world brought to the brink, and the act during which the process may die.

Belongs here: what a scene is made of. Does not: any particular one.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeAlias

from chaos.world import World
from qbo_sync_dagster.sync.cycle import last_end, run_cycle
from qbo_sync_dagster.sync.engine import SyncEngine

Act: TypeAlias = Callable[[SyncEngine], object]


@dataclass(frozen=True, slots=True)
class Scene:
    """`prepare` brings the world to the brink and returns the act; None means a cycle.

    `covers` names the kinds of operations and changes that the act carries out. Where people act,
    they try again after a crash (`tried_again`), since nothing told them that it was done.
    """

    name: str
    covers: tuple[str, ...]
    prepare: Callable[[World], Act | None]
    tried_again: bool = False


def a_cycle(world: World) -> Act:
    """The act that most scenes are about."""
    return lambda engine: last_end(run_cycle(engine, world.realm, trigger="chaos"))
