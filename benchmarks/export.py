"""`python -m benchmarks.export`: N finalized invoices of known customers out, in one cycle."""

from __future__ import annotations

import argparse
import sys

from benchmarks.report import parser, say, show
from benchmarks.world import BenchmarkError, http_calls, open_world
from qbo_sync_dagster.sandbox.quickbooks.control import SandboxControl


def measure(
    invoices: int, *, latency_ms: int = 150, limits: bool = True, forgetful: bool = False
) -> dict[str, float]:
    """The figures of one export. Raises BenchmarkError if an invoice is missing afterwards."""
    with open_world(forgetful=forgetful) as world:
        say(f"Billing {invoices:,} invoices ...")
        world.bill(invoices)
        say("Exporting them in one cycle ...")
        world.quickbooks.set(world.realm, latency_ms=latency_ms, enforce_limits=limits)
        world.quickbooks.forget_calls(world.realm)
        report = world.cycle(keeps_limits=limits)
        calls, metered = http_calls(world)
        _check(world.quickbooks, world.realm, invoices)
    say(f"Stages in seconds: {report.stages}")
    return {
        "invoices": invoices,
        "http_calls": calls,
        "metered_calls": metered,
        "seconds": report.seconds,
        "engine_cpu_seconds": report.engine_cpu_seconds,
        "peak_mib": report.peak_mib,
    }


def _check(quickbooks: SandboxControl, realm: str, wanted: int) -> None:
    numbers = {invoice["DocNumber"] for invoice in quickbooks.list(realm, "Invoice")}
    if len(numbers) != wanted:
        raise BenchmarkError(f"QuickBooks has {len(numbers):,} of {wanted:,} invoices.")


def main() -> None:
    """Measure what the command line asks for."""
    options = parser("benchmarks.export", "Export N invoices of known customers in one cycle.")
    options.add_argument("--invoices", type=int, default=1000, metavar="N")
    options.add_argument("--latency-ms", type=int, default=150, metavar="MS", help="of each call")
    options.add_argument(
        "--limits",
        action=argparse.BooleanOptionalAction,
        default=True,
        help="whether the sandbox enforces Intuit's limits; without them the engine, too, does "
        "not pace itself",
    )
    given = options.parse_args()
    try:
        figures = measure(
            given.invoices,
            latency_ms=given.latency_ms,
            limits=given.limits,
            forgetful=given.forgetful,
        )
    except BenchmarkError as error:
        sys.exit(str(error))
    show(figures, as_json=given.json)


if __name__ == "__main__":
    main()
