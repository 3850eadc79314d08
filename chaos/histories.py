"""The model test for a time: histories by chance, each to rest, until the deadline.

Belongs here: running the machine and counting. Does not: what happens in a history.
"""

from __future__ import annotations

import os
import traceback
from collections import Counter
from itertools import count

from hypothesis import HealthCheck, Phase, seed, settings
from hypothesis.stateful import run_state_machine_as_test

from chaos.figures import Figures, Order
from chaos.machine import BooksMachine
from chaos.promises import DuplicateError
from chaos.stores import Stores, open_stores
from chaos.world import build_world
from qbo_sync_dagster.sandbox.quickbooks.process import SandboxProcess

# A short history finds little: people, calls and crashes have to meet.
STEPS, FEWEST_STEPS = 40, 12
# So few that the deadline is looked at often; each batch has a seed of its own.
_HISTORIES_A_BATCH = 4


def run_histories(order: Order, batches: int | None = None) -> Figures:
    """Histories until the deadline, or so many batches of them."""
    prefix = f"model_{os.getpid()}_{order.share}"
    sandbox_url = order.server.create_database(f"{prefix}_quickbooks")
    figures = Figures()
    try:
        with (
            SandboxProcess(sandbox_url) as process,
            open_stores(order.server, prefix, sandbox_url) as stores,
        ):
            machine = machine_of(stores, process)
            for batch in count(order.share, order.shares):
                done = (batch - order.share) // order.shares
                if order.seconds_left() <= 0 or done == batches or figures.broken:
                    break
                _run(machine, order.seed * 100_000 + batch, figures)
            figures.steps += machine.tally.total()
            figures.crashes += machine.tally["death"]
    finally:
        order.server.drop_database(f"{prefix}_quickbooks")
    return figures


def run_batch(machine: type[BooksMachine], number: int, steps: int = STEPS) -> None:
    """One batch of histories; raises what the machine found, shrunk."""
    run_state_machine_as_test(
        seed(number)(machine),
        settings=settings(
            max_examples=_HISTORIES_A_BATCH,
            stateful_step_count=steps,
            deadline=None,
            database=None,
            print_blob=False,
            phases=(Phase.generate, Phase.shrink),
            suppress_health_check=list(HealthCheck),
        ),
        _min_steps=min(steps, FEWEST_STEPS),
    )


def machine_of(stores: Stores, process: SandboxProcess) -> type[BooksMachine]:
    """The machine over a new world, whose histories all begin at the same moment."""
    process.control.reset()
    stores.prepare()
    world = build_world(stores, process.control)
    world.cycle()
    start = stores.keep("start")
    return type("Histories", (BooksMachine,), {"world": world, "start": start, "tally": Counter()})


def _run(machine: type[BooksMachine], number: int, figures: Figures) -> None:
    try:
        run_batch(machine, number)
    except DuplicateError:
        figures.duplicates += 1
        figures.broken.append(f"model test, batch {number}:\n{traceback.format_exc()}")
    except Exception:  # noqa: BLE001 - whatever it is, it is told with its seed
        figures.losses += 1
        figures.broken.append(f"model test, batch {number}:\n{traceback.format_exc()}")
