"""The nightly sweep as an asset with its checks: all companies in one run.

What belongs here: Dagster's words. What does not: what is looked for (`sync`, `ledger`).
"""

from __future__ import annotations

from collections.abc import Iterator

import dagster as dg

from assets.cycle import OWNER
from assets.metadata import to_metadata
from qbo_sync_dagster.panels.markdown import harmless
from qbo_sync_dagster.resources import SyncEngineResource

NIGHTLY_SWEEP = "nightly_sweep"
AUDIT_LOG = "audit_log_unbroken"
PAYMENTS = "payments_as_applied"


@dg.asset(
    name=NIGHTLY_SWEEP,
    group_name="health",
    owners=[OWNER],
    kinds={"postgres"},
    check_specs=[
        dg.AssetCheckSpec(
            AUDIT_LOG,
            asset=NIGHTLY_SWEEP,
            description="No row of any company's audit log was changed, taken out, put in or "
            "moved since it was written.",
        ),
        dg.AssetCheckSpec(
            PAYMENTS,
            asset=NIGHTLY_SWEEP,
            description="AlgaPSA holds every payment as it was applied. What it lost is planned "
            "anew by the next cycle.",
        ),
    ],
    description="Every night: follows each company's audit log, and looks for payments that "
    "AlgaPSA lost because its database was set back to a backup. Materialize it after a restore.",
)
def nightly_sweep(sync_engine: SyncEngineResource) -> Iterator[dg.MaterializeResult[None]]:
    """Sweep all companies now."""
    from qbo_sync_dagster.panels.sweep import (  # noqa: PLC0415 - heavy
        audit_sentence,
        sweep_panel,
        sweep_sentence,
    )
    from qbo_sync_dagster.sync.sweeping import sweep_companies  # noqa: PLC0415 - heavy

    with sync_engine.engine() as engine:
        swept = list(sweep_companies(engine))
    is_unbroken = not any(each.audited.problem for each in swept)
    is_looked_at = not any(each.problem for each in swept)
    is_whole = is_looked_at and not any(each.planned_again for each in swept)
    worst = dg.AssetCheckSeverity.WARN if is_looked_at else dg.AssetCheckSeverity.ERROR
    yield dg.MaterializeResult(
        metadata=to_metadata(sweep_panel(swept)),
        check_results=[
            _result(AUDIT_LOG, is_unbroken, audit_sentence(swept), dg.AssetCheckSeverity.ERROR),
            _result(PAYMENTS, is_whole, sweep_sentence(swept), worst),
        ],
    )


def _result(
    check: str, passed: bool, sentence: str, severity: dg.AssetCheckSeverity
) -> dg.AssetCheckResult:
    return dg.AssetCheckResult(
        asset_key=NIGHTLY_SWEEP,
        check_name=check,
        passed=passed,
        severity=severity,
        description=harmless(sentence),
    )
