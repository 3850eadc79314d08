"""`python -m benchmarks.one_cycle`: one cycle of the engine, alone in its process, and its cost.

The order comes as JSON on standard input; the report goes out as JSON.
"""

from __future__ import annotations

import json
import resource
import sys
import time
from collections import Counter
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from qbo_sync_dagster.quickbooks.pace import INTUIT_LIMITS
from qbo_sync_dagster.quickbooks.settings import QuickBooksSettings
from qbo_sync_dagster.sync.cycle import run_cycle
from qbo_sync_dagster.sync.engine import EngineConfig, SyncEngine
from qbo_sync_dagster.sync.outcome import (
    AppliedChanges,
    CycleEnd,
    Outcome,
    PostedOperations,
    Stage,
    StageOutcome,
)

_STATUS = Path("/proc/self/status")


@dataclass(frozen=True, slots=True)
class CycleOrder:
    """What to run. Without `keeps_limits` the engine does not pace itself to Intuit's limits."""

    config: dict[str, Any]
    realm: str
    keeps_limits: bool = True


@dataclass(frozen=True, slots=True)
class CycleReport:
    """What the cycle did and what it cost its process; `stages` in wall seconds."""

    outcome: str
    sentence: str
    seconds: float
    engine_cpu_seconds: float
    peak_mib: float
    posted: int = 0
    payments_applied: int = 0
    stages: dict[str, float] = field(default_factory=dict)


def main() -> None:
    """Run the ordered cycle."""
    report = _measured(CycleOrder(**json.load(sys.stdin)))
    json.dump(asdict(report), sys.stdout)


def _measured(order: CycleOrder) -> CycleReport:
    quickbooks = QuickBooksSettings(**order.config["quickbooks"])
    config = EngineConfig(**{**order.config, "quickbooks": quickbooks})
    limits = INTUIT_LIMITS if order.keeps_limits else ()
    with SyncEngine(config, limits=limits) as engine:
        wall, cpu = time.monotonic(), time.process_time()
        events = list(run_cycle(engine, order.realm, trigger="benchmark"))
        wall, cpu = time.monotonic() - wall, time.process_time() - cpu
    end = events[-1]
    assert isinstance(end, CycleEnd)  # noqa: S101  (a cycle's last event)
    stages = [event for event in events if isinstance(event, StageOutcome)]
    counts = _counts(stages)
    return CycleReport(
        outcome=end.outcome if end.outcome is not Outcome.SKIPPED else "was skipped",
        sentence=end.sentence,
        seconds=round(wall, 2),
        engine_cpu_seconds=round(cpu, 2),
        peak_mib=round(_peak_mib(), 1),
        posted=counts["posted"],
        payments_applied=counts["payments_applied"],
        stages={str(event.stage): round(event.seconds, 2) for event in stages},
    )


def _counts(stages: list[StageOutcome]) -> Counter[str]:
    counts: Counter[str] = Counter()
    for event in stages:
        if event.stage is Stage.POSTED_OPERATIONS and isinstance(event.result, PostedOperations):
            counts["posted"] = event.result.done
        if isinstance(event.result, AppliedChanges):
            counts["payments_applied"] = event.result.payments_applied
    return counts


def _peak_mib() -> float:
    """The most memory this process ever had, modules included.

    Linux counts a parent's memory into ru_maxrss of the child it starts, so there the kernel's own
    high-water mark is read.
    """
    if _STATUS.exists():
        [line] = [line for line in _STATUS.read_text().splitlines() if line.startswith("VmHWM")]
        return int(line.split()[1]) / 1024
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak / 1024**2 if sys.platform == "darwin" else peak / 1024


if __name__ == "__main__":
    main()
