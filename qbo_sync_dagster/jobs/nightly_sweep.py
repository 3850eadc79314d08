"""The sweep's job and when it runs."""

from __future__ import annotations

import dagster as dg

from assets.nightly_sweep import NIGHTLY_SWEEP

sweep_job = dg.define_asset_job(
    "sweep",
    selection=dg.AssetSelection.assets(NIGHTLY_SWEEP),
    tags={"dagster/max_runtime": "7200"},
    description="Follows every company's audit log and has payments that AlgaPSA lost planned "
    "anew. Safe to run at any time; run it after a backup was restored.",
)


@dg.schedule(
    job=sweep_job,
    cron_schedule="10 3 * * *",
    execution_timezone="UTC",
    default_status=dg.DefaultScheduleStatus.RUNNING,
    description="Every night at 03:10 UTC, between two quarters of an hour.",
)
def nightly_sweep_schedule() -> dg.RunRequest:
    """One run a night."""
    return dg.RunRequest()
