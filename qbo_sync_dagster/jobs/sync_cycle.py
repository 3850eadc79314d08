"""The job of one cycle. It takes no config: everything a cycle needs stands in the ledger."""

from __future__ import annotations

import dagster as dg

from assets.cycle import sync_cycle_assets

sync_cycle = dg.define_asset_job(
    "sync_cycle",
    selection=dg.AssetSelection.assets(sync_cycle_assets),
    description="One sync cycle of one company (pick it as the partition). Safe to run at any "
    "time: a company that is being synced already is left alone.",
)
