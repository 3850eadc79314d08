"""Daily pruning, so that the databases stop growing: Dagster's history, our cycles and inbox."""

# Dagster reads the type of `context` itself, so annotations here are not put off.

from datetime import datetime, timedelta

import dagster as dg
from pydantic import Field

from qbo_sync_dagster.jobs.dagster_storage import (
    prune_check_results,
    prune_operational_events,
    prune_runless_events,
)
from qbo_sync_dagster.ledger import cycles, inbox
from qbo_sync_dagster.ledger.engine import ledger_now
from qbo_sync_dagster.partitions import PARTITIONS_NAME
from qbo_sync_dagster.resources import SyncEngineResource

# A deletion takes milliseconds; a first pruning after years must still end within its run.
_MOST_RUNS_A_DAY = 5_000
_FINISHED = [
    dg.DagsterRunStatus.SUCCESS,
    dg.DagsterRunStatus.FAILURE,
    dg.DagsterRunStatus.CANCELED,
]


class PruneHistory(dg.Config):
    """How long history is kept. Links, operations, exceptions and the audit log always stay."""

    event_days: int = Field(
        default=7, ge=1, le=3650, description="Days that the technical log lines of a run are kept."
    )
    run_days: int = Field(
        default=30,
        ge=2,
        le=3650,
        description="Days that runs are kept. The newest run of each company always stays.",
    )
    runless_events: int = Field(
        default=100,
        ge=10,
        le=100_000,
        description="Newest events without a run that are kept for each asset.",
    )
    ledger_days: int = Field(
        default=90,
        ge=7,
        le=3650,
        description="Days that closed cycles and settled changes are kept in the ledger. The "
        "newest version of every QuickBooks object always stays.",
    )


@dg.op
def prune(
    context: dg.OpExecutionContext, config: PruneHistory, sync_engine: SyncEngineResource
) -> None:
    """Delete what is older than the limits and say how much that was."""
    with sync_engine.ledger() as ledger, ledger.begin() as connection:
        now = ledger_now(connection)
        before = now - timedelta(days=config.ledger_days)
        pruned = {
            "closed cycles": cycles.prune(connection, before),
            "settled changes": inbox.prune(connection, before),
        }
    instance = context.instance
    pruned["old runs"] = prune_runs(instance, now - timedelta(days=config.run_days))
    pruned["log lines"] = prune_operational_events(
        instance, now - timedelta(days=config.event_days)
    )
    pruned["events without a run"] = prune_runless_events(instance, config.runless_events)
    pruned["check results"] = prune_check_results(
        instance, now - timedelta(days=config.run_days), config.runless_events
    )
    told = ", ".join(f"{number:,} {what}" for what, number in pruned.items())
    context.log.info("Deleted: %s.", told)


@dg.job(description="Deletes old history every night. Its limits can be changed per run.")
def prune_history() -> None:
    """One step: prune."""
    prune()


@dg.schedule(
    job=prune_history,
    cron_schedule="40 3 * * *",
    execution_timezone="UTC",
    default_status=dg.DefaultScheduleStatus.RUNNING,
    description="Every night at 03:40 UTC, between two quarters of an hour.",
)
def prune_history_schedule() -> dg.RunRequest:
    """One run a night with the limits as they stand."""
    return dg.RunRequest()


def prune_runs(instance: dg.DagsterInstance, before: datetime) -> int:
    """Delete finished runs older than `before`, never one that holds a company's newest result.

    Deleting the run of a materialization makes Dagster show its partition as never materialized.
    """
    kept = _newest_runs(instance)
    old = instance.get_run_records(
        filters=dg.RunsFilter(statuses=_FINISHED, created_before=before),
        limit=_MOST_RUNS_A_DAY,
        ascending=True,
    )
    doomed = [record.dagster_run.run_id for record in old]
    doomed = [run_id for run_id in doomed if run_id not in kept]
    for run_id in doomed:
        instance.delete_run(run_id)
    return len(doomed)


def _newest_runs(instance: dg.DagsterInstance) -> set[str]:
    """For each company: its newest run, and the runs of the newest result of each asset."""
    newest: set[str] = set()
    for company in instance.get_dynamic_partitions(PARTITIONS_NAME):
        tagged = dg.RunsFilter(tags={"dagster/partition": company})
        newest.update(run.run_id for run in instance.get_runs(filters=tagged, limit=1))
        for asset in instance.all_asset_keys():
            results = instance.fetch_materializations(
                dg.AssetRecordsFilter(asset_key=asset, asset_partitions=[company]), limit=1
            )
            newest.update(record.run_id for record in results.records)
    return newest
