"""How benchmarks are called and how they speak: their common options, JSON or a short table."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Mapping

PEAK = (
    "peak_mib is the peak resident memory of the engine's process in MiB, the interpreter and all "
    "modules included; engine_cpu_seconds is its processor time during the cycle, user and system. "
    "The sandbox, PostgreSQL and the building of the world run in other processes and count in "
    "neither."
)


def parser(module: str, description: str) -> argparse.ArgumentParser:
    """A parser with the options that all benchmarks have."""
    made = argparse.ArgumentParser(prog=f"python -m {module}", description=description, epilog=PEAK)
    made.add_argument("--json", action="store_true", help="print JSON alone")
    made.add_argument(
        "--forgetful",
        action="store_true",
        help="let PostgreSQL skip its waits for the disk; by default it makes them",
    )
    return made


def say(sentence: str) -> None:
    """Progress, on standard error."""
    print(sentence, file=sys.stderr, flush=True)


def show(figures: Mapping[str, float], *, as_json: bool) -> None:
    """The figures on standard output."""
    if as_json:
        print(json.dumps(figures))
        return
    for name, value in figures.items():
        print(f"{name:<20}{value:>12,}")
