"""The crash matrix: every scene, every point of it, as far as the time goes.

Belongs here: which points are tried in which order, and what is said of a broken promise. Does
not: one crash.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from random import Random
from typing import TextIO

from chaos.crash import Staged, Verdict, crash, stage
from chaos.figures import Figures, Order
from chaos.points import Point
from chaos.scene import Scene
from chaos.scenes_in import IN
from chaos.scenes_out import OUT
from chaos.scenes_staff import STAFF
from chaos.stores import open_stores
from qbo_sync_dagster.sandbox.quickbooks.process import SandboxProcess

SCENES: tuple[Scene, ...] = (*OUT, *IN, *STAFF)
# One in so many crashes is followed by another one, in the cycle that puts the first one right.
_CRASHED_TWICE = 4
# After one in so many another cycle has to find nothing to do.
_LOOKED_AT_TWICE = 3


def run_matrix(
    order: Order, scenes: Sequence[Scene] = SCENES, out: TextIO | None = None
) -> Figures:
    """Crash this share of the scenes until the time is up, each about as long as the others."""
    chosen = list(scenes)
    Random(order.seed).shuffle(chosen)  # noqa: S311  (a choice of what to try, no secret)
    chosen = chosen[order.share :: order.shares]
    figures = Figures()
    prefix = f"chaos_{order.seed}_{order.share}"
    url = order.server.create_database(f"{prefix}_quickbooks")
    with (
        SandboxProcess(url) as sandbox,
        open_stores(order.server, prefix, url) as stores,
    ):
        for left, scene in zip(range(len(chosen), 0, -1), chosen, strict=True):
            if order.seconds_left() <= 0:
                break
            until = Deadline(order, left)
            try:
                staged = stage(scene, stores, sandbox.control)
                _try_points(staged, until, order.seed, figures, out)
            except Exception as error:  # noqa: BLE001 - one scene must not hide the others
                figures.broken.append(f"{scene.name}: {type(error).__name__}: {error}")
                _say(out, figures.broken[-1])
    order.server.drop_database(f"{prefix}_quickbooks")
    return figures


class Deadline:
    """A scene's fair part of what is left: with `left` scenes to go, one of so many parts."""

    def __init__(self, order: Order, left: int) -> None:
        self._order = order
        is_endless = math.isinf(order.deadline)
        self._reserved = 0.0 if is_endless else order.seconds_left() * (left - 1) / left

    def has_passed(self) -> bool:
        """Whether the other scenes' time begins."""
        return self._order.seconds_left() <= self._reserved


def in_turn(points: Sequence[Point], seed: int, scene: str) -> list[Point]:
    """Points in the order of trying: where the sides have parted, then each place in the engine.

    Each place once, then each once more. Those that leave behind what the point before them leaves
    come last.
    """
    chance = Random(f"{seed} {scene}")  # noqa: S311
    shuffled = chance.sample(list(points), len(points))
    seen: dict[str, int] = {}
    ranked = []
    for point in shuffled:
        seen[point.where] = seen.get(point.where, 0) + 1
        ranked.append((not point.is_new, not point.is_outward, seen[point.where], point))
    return [point for *_, point in sorted(ranked, key=lambda each: each[:3])]


def second_death(seed: int, scene: str, point: Point, points: int) -> int:
    """At which point the next cycle dies too, or 0: mostly it does not."""
    chance = Random(f"{seed} {scene} {point.number}")  # noqa: S311
    return chance.randint(1, points) if chance.randrange(_CRASHED_TWICE) == 0 else 0


def _try_points(
    staged: Staged, until: Deadline, seed: int, figures: Figures, out: TextIO | None
) -> None:
    name = staged.scene.name
    figures.points += len(staged.points)
    crashes = 0
    for point in in_turn(staged.points, seed, name):
        if until.has_passed():
            break
        then = second_death(seed, name, point, len(staged.points))
        look_twice = crashes % _LOOKED_AT_TWICE == 0
        verdict = crash(staged, point.number, then, look_twice=look_twice)
        crashes += 1
        figures.crashes += len(verdict.died_at)
        if not verdict.is_well:
            record(figures, staged.scene, verdict, seed, point.number, then)
            _say(out, figures.broken[-1])
    _say(out, f"{name}: crashed at {crashes} of {len(staged.points)} points")


def _say(out: TextIO | None, line: str) -> None:
    if out is not None:
        out.write(f"{line}\n")
        out.flush()


def record(
    figures: Figures, scene: Scene, verdict: Verdict, seed: int, number: int, then: int
) -> None:
    """Count a broken promise, and say how to see it again."""
    figures.duplicates += len(verdict.duplicates)
    figures.losses += len(verdict.losses)
    again = f'python -m chaos --seed {seed} --scene "{scene.name}" --point {number}'
    if then:
        again += f" --then {then}"
    figures.broken.append(f"{scene.name}: {verdict.told()}\n  again: {again}")
