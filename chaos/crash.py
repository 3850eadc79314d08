"""One scene of the crash matrix: its points found, the process killed at one, the world judged.

Belongs here: staging a scene, crashing it, letting the next cycles run, and what must hold then.
Does not: which scenes there are, and in what order points are tried.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from chaos.books import Books, read_books
from chaos.forking import Ended, in_a_child
from chaos.points import Point, Watch, kill_here, watch_this_process
from chaos.scene import Act, Scene, a_cycle
from chaos.stores import Kept, Stores
from chaos.world import World, build_world
from qbo_sync_dagster.actions.errors import ActionRefusedError
from qbo_sync_dagster.sandbox.quickbooks.control import SandboxControl

LEASE_RUN_OUT = timedelta(minutes=6)
_QUARTERS = 4
_QUARTER = timedelta(minutes=15)
_LINES_SHOWN = 8
_SHOWN = 300


class SceneError(Exception):
    """The scene does not end settled even when nobody is killed: the message says how it ends."""


@dataclass(frozen=True, slots=True)
class Staged:
    """A scene that is ready to be crashed: its moment, its points, and how it ends undisturbed."""

    scene: Scene
    world: World
    act: Act
    kept: Kept
    points: tuple[Point, ...]
    wanted: Books


@dataclass(frozen=True, slots=True)
class Verdict:
    """What a crash came to: differences from the undisturbed run, none where all is well."""

    died_at: tuple[Point, ...]
    duplicates: tuple[str, ...] = ()
    losses: tuple[str, ...] = ()
    half_done: tuple[str, ...] = ()

    @property
    def is_well(self) -> bool:
        """Whether every promise was kept."""
        return not (self.duplicates or self.losses or self.half_done)

    def told(self) -> str:
        """The differences, for people."""
        parts = [
            *(f"  too much: {line[:_SHOWN]}" for line in self.duplicates[:_LINES_SHOWN]),
            *(f"  missing:  {line[:_SHOWN]}" for line in self.losses[:_LINES_SHOWN]),
            *(f"  half done: {line[:_SHOWN]}" for line in self.half_done[:_LINES_SHOWN]),
        ]
        places = ", then ".join(f"{point.number} ({point})" for point in self.died_at)
        return "\n".join([f"killed at point {places}", *parts])


def stage(scene: Scene, stores: Stores, quickbooks: SandboxControl) -> Staged:
    """Build the scene's world, find its points, and see how it ends when nobody is killed."""
    quickbooks.reset()
    stores.prepare()
    world = build_world(stores, quickbooks)
    act = scene.prepare(world) or a_cycle(world)
    kept = stores.keep("brink")
    points = _points(world, act)
    before = _after_cycles(world, LEASE_RUN_OUT, 2)
    wanted = _after_cycles(world, _QUARTER, 1)
    if wanted.half_done() or wanted.stands != before.stands:
        moved = [*wanted.half_done(), *(wanted.stands - before.stands)]
        raise SceneError(f"The scene {scene.name} does not come to rest: {moved}")
    return Staged(scene, world, act, kept, points, wanted)


def crash(staged: Staged, number: int, then: int = 0, *, look_twice: bool = True) -> Verdict:
    """Kill the act at that point, the next cycle at its point `then` (0: not), and judge.

    Cycles follow until the world is what it should be, and one more if asked to `look_twice`.
    """
    world = staged.world
    world.stores.restore(staged.kept)
    deaths = [_killed_at(world, staged.act, number)]
    if then:
        world.later(LEASE_RUN_OUT)
        deaths.append(_killed_at(world, a_cycle(world), then))
    again = staged.act if staged.scene.tried_again else None
    _follow(world, LEASE_RUN_OUT, again)
    found = read_books(world.stores, world.realm)
    for quarter in range(_QUARTERS):
        # What was created once more stays so, however long one waits.
        is_settled = found.stands == staged.wanted.stands
        if found.created - staged.wanted.created or (is_settled and (quarter or not look_twice)):
            break
        _follow(world, _QUARTER)
        found = read_books(world.stores, world.realm)
    return judge(staged.wanted, found, tuple(death for death in deaths if death))


def judge(wanted: Books, found: Books, died_at: tuple[Point, ...]) -> Verdict:
    """Whether the world is what it would be had nobody been killed."""
    created = found.created - wanted.created
    more, less = found.stands - wanted.stands, wanted.stands - found.stands
    return Verdict(
        died_at,
        (*(f"{entity} created once more: {n}" for entity, n in created.items()), *_told(more)),
        tuple(_told(less)),
        tuple(found.half_done()),
    )


def _told(lines: Counter[str]) -> list[str]:
    return sorted(lines.elements())


def _after_cycles(world: World, by: timedelta, cycles: int) -> Books:
    """Here and not in a child: what is compiled now, all children inherit."""
    world.later(by)
    with world.engine() as engine:
        for _ in range(cycles):
            a_cycle(world)(engine)
    return read_books(world.stores, world.realm)


def _points(world: World, act: Act) -> tuple[Point, ...]:
    def run(_: object) -> list[Point]:
        points: list[Point] = []
        _watched(world, act, points.append)
        return points

    return tuple(in_a_child(run).told)


def _killed_at(world: World, act: Act, number: int) -> Point | None:
    """The point at which the process died, or None if it ended before it came there."""

    def run(tell: Callable[[Any], None]) -> None:
        def die(point: Point) -> None:
            if point.number == number:
                tell(point)
                kill_here()

        _watched(world, act, die)

    ended: Ended = in_a_child(run)
    return ended.told if ended.was_killed else None


def _watched(world: World, act: Act, at: Callable[[Point], None]) -> None:
    watch_this_process(Watch(at))
    with world.engine() as engine:
        act(engine)


def _follow(world: World, after: timedelta, again: Act | None = None) -> None:
    """The next cycle, in a new process, once the lease has run out."""
    world.later(after)
    cycle = a_cycle(world)

    def run(_: object) -> None:
        with world.engine() as engine:
            if again is not None:
                with suppress(ActionRefusedError):
                    again(engine)
            cycle(engine)

    in_a_child(run)
