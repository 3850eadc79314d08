"""`python -m benchmarks.idle`: a cycle in which nothing happened, with N linked invoices."""

from __future__ import annotations

import sys

from benchmarks.linked_invoices import linked_invoices
from benchmarks.report import parser, say, show
from benchmarks.world import BenchmarkError, http_calls, open_world


def measure(invoices: int, *, forgetful: bool = False) -> dict[str, float]:
    """The figures of one idle cycle. Raises BenchmarkError if it found something to do."""
    with open_world(forgetful=forgetful) as world:
        say(f"Billing and linking {invoices:,} invoices on both sides ...")
        linked_invoices(world, invoices)
        say("Running a cycle that has nothing to do ...")
        world.quickbooks.forget_calls(world.realm)
        report = world.cycle(keeps_limits=True)
        calls, metered = http_calls(world)
    if report.sentence != "Nothing to do":
        raise BenchmarkError(f"The cycle was not idle: {report.sentence}.")
    say(f"Stages in seconds: {report.stages}")
    return {
        "invoices": invoices,
        "http_calls": calls,
        "metered_calls": metered,
        "seconds": report.seconds,
        "engine_cpu_seconds": report.engine_cpu_seconds,
        "peak_mib": report.peak_mib,
    }


def main() -> None:
    """Measure what the command line asks for."""
    options = parser("benchmarks.idle", "Run a cycle in which nothing happened.")
    options.add_argument("--invoices", type=int, default=1000, metavar="N")
    given = options.parse_args()
    try:
        figures = measure(given.invoices, forgetful=given.forgetful)
    except BenchmarkError as error:
        sys.exit(str(error))
    show(figures, as_json=given.json)


if __name__ == "__main__":
    main()
