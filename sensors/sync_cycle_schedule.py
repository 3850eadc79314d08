"""The quarter-hour schedule: one run per company that is due."""

from __future__ import annotations

import dagster as dg

from qbo_sync_dagster.jobs.sync_cycle import sync_cycle
from qbo_sync_dagster.ledger import connections
from qbo_sync_dagster.partitions import PARTITIONS_NAME
from qbo_sync_dagster.resources import SyncEngineResource
from sensors.decisions import due_companies
from sensors.runs import busy_partitions


@dg.schedule(
    job=sync_cycle,
    cron_schedule="*/15 * * * *",
    execution_timezone="UTC",
    default_status=dg.DefaultScheduleStatus.RUNNING,
    description="Every 15 minutes: one cycle per connected company whose auto-sync is on and "
    "which is not being synced already.",
)
def sync_cycle_schedule(
    context: dg.ScheduleEvaluationContext, sync_engine: SyncEngineResource
) -> list[dg.RunRequest] | dg.SkipReason:
    """Start the cycles that are due."""
    return cycles_to_start(context.instance, sync_engine)


def cycles_to_start(
    instance: dg.DagsterInstance, sync_engine: SyncEngineResource
) -> list[dg.RunRequest] | dg.SkipReason:
    """One run per company that is due. A ledger that can't be read fails the tick."""
    with sync_engine.ledger() as ledger, ledger.connect() as connection:
        companies = connections.every(connection)
    registered = instance.get_dynamic_partitions(PARTITIONS_NAME)
    due = due_companies(companies, registered, busy_partitions(instance))
    if not due:
        return dg.SkipReason("No company is due: none is connected with auto-sync on and idle.")
    return [dg.RunRequest(run_key=company, partition_key=company) for company in due]
