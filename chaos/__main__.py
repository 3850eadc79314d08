"""`python -m chaos`: break the engine for a while and see whether a promise breaks.

Belongs here: the command line, the two processes, the last line. Does not: what is tried.
"""

from __future__ import annotations

import argparse
import math
import multiprocessing
import secrets
import signal
import sys
import tempfile
import time
from multiprocessing.queues import SimpleQueue
from pathlib import Path

from chaos.crash import crash, stage
from chaos.figures import Figures, Order, Part
from chaos.histories import run_histories
from chaos.lost_answers import lost_answers
from chaos.matrix import SCENES, record, run_matrix
from chaos.stores import open_stores
from qbo_sync_dagster.sandbox import postgres
from qbo_sync_dagster.sandbox.quickbooks.process import SandboxProcess

PROCESSES = 2
_LOOK_SECONDS = 0.2
_HISTORIES = 50


def _matrix(order: Order) -> Figures:
    return run_matrix(order, out=sys.stderr)


def _histories(order: Order) -> Figures:
    # There is no last one: without a limit it is as many as a few minutes take.
    return run_histories(order, _HISTORIES if math.isinf(order.deadline) else None)


# Each with its part of the time. A part keeps to its order's deadline and gives its figures back.
PARTS: tuple[tuple[Part, float], ...] = (
    (_matrix, 1.0),
    (lost_answers, 0.3),
    (_histories, 0.5),
)


def main() -> None:
    """Do what the command line asks for; exit 1 if a promise broke."""
    given = _options().parse_args()
    # Ended from outside, it still stops its server and its processes.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))
    print(f"Seed {given.seed} ...", file=sys.stderr)
    with (
        tempfile.TemporaryDirectory(prefix="qbo-sync-chaos-") as folder,
        postgres.start(Path(folder) / "pg", postgres.FAST_AND_FORGETFUL) as server,
    ):
        figures = _one(server, given) if given.scene else _all(server, given)
    for told in figures.broken:
        print(told)
    print(f"{figures.line()}, seed {given.seed}")
    sys.exit(1 if figures.broken else 0)


def _options() -> argparse.ArgumentParser:
    options = argparse.ArgumentParser(
        prog="python -m chaos",
        description="Kill the engine at the points where something becomes durable, and judge "
        "what the next cycles make of it.",
    )
    options.add_argument(
        "--for", dest="seconds", type=float, default=math.inf, metavar="SECONDS",
        help="about how long; without it, all there is",
    )  # fmt: skip
    options.add_argument("--seed", type=int, default=secrets.randbelow(10**6), metavar="N")
    options.add_argument("--scene", choices=[scene.name for scene in SCENES], metavar="NAME")
    options.add_argument("--point", type=int, default=0, metavar="N", help="of the scene: only it")
    options.add_argument("--then", type=int, default=0, metavar="N", help="of the cycle after it")
    return options


def _all(server: postgres.EmbeddedServer, given: argparse.Namespace) -> Figures:
    """All parts, each in two processes."""
    orders = [
        Order(server, time.monotonic() + given.seconds, given.seed, share, PROCESSES)
        for share in range(PROCESSES)
    ]
    # Forked before this process has any connection.
    forked = multiprocessing.get_context("fork")
    results = forked.SimpleQueue()
    children = [
        forked.Process(target=_share, args=(order, results), daemon=True) for order in orders
    ]
    for child in children:
        child.start()
    total = Figures()
    while any(child.is_alive() for child in children) or not results.empty():
        # Taken as it comes: a process whose report nobody reads does not end.
        while not results.empty():
            total.add(results.get())
        time.sleep(_LOOK_SECONDS)
    total.broken += [
        f"A process of the run ended with {child.exitcode}." for child in children if child.exitcode
    ]
    return total


def _share(order: Order, results: SimpleQueue[Figures]) -> None:
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    weights = sum(weight for _, weight in PARTS)
    for part, weight in PARTS:
        until = time.monotonic() + max(0.0, order.seconds_left()) * weight / weights
        results.put(part(Order(order.server, until, order.seed, order.share, order.shares)))
        weights -= weight


def _one(server: postgres.EmbeddedServer, given: argparse.Namespace) -> Figures:
    """One scene: all of its points, or the one that is named."""
    [scene] = [each for each in SCENES if each.name == given.scene]
    order = Order(server, time.monotonic() + given.seconds, given.seed)
    if not given.point:
        return run_matrix(order, [scene], sys.stderr)
    figures = Figures()
    url = server.create_database("quickbooks")
    with SandboxProcess(url) as sandbox, open_stores(server, "chaos_one", url) as stores:
        staged = stage(scene, stores, sandbox.control)
        verdict = crash(staged, given.point, given.then)
    figures.points, figures.crashes = len(staged.points), len(verdict.died_at)
    if not verdict.is_well:
        record(figures, scene, verdict, given.seed, given.point, given.then)
    return figures


if __name__ == "__main__":
    main()
