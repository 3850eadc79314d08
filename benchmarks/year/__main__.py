"""`python -m benchmarks.year`: twelve months of a provider, checked after every cycle."""

from __future__ import annotations

import argparse
import secrets
import sys
import time
from collections import Counter
from dataclasses import fields

from benchmarks.report import say
from benchmarks.year.invariants import BrokenPromiseError
from benchmarks.year.simulation import act_out


def main() -> None:
    """Act out what the command line asks for."""
    options = argparse.ArgumentParser(
        prog="python -m benchmarks.year",
        description="Act out a year of a provider with two QuickBooks companies on a moved clock, "
        "with a cycle after each day on which something happened, and check the books.",
    )
    options.add_argument("--days", type=int, default=365, metavar="N")
    options.add_argument("--seed", type=int, default=secrets.randbelow(10**6), metavar="N")
    given = options.parse_args()
    say(f"Seed {given.seed}, {given.days} days ...")
    started = time.monotonic()
    try:
        told = act_out(given.seed, given.days)
    except BrokenPromiseError as error:
        sys.exit(str(error))
    for each in fields(told):
        value = getattr(told, each.name)
        print(f"{each.name}: {dict(value.most_common()) if isinstance(value, Counter) else value}")
    print(f"seconds: {time.monotonic() - started:.0f}")


if __name__ == "__main__":
    main()
