"""What the sensors ask Dagster about its runs.

What belongs here: queries on run records. What does not: what follows from the answers.
"""

from __future__ import annotations

from datetime import UTC, datetime

import dagster as dg

from assets.cycle import REQUEST_TAG
from sensors.decisions import RequestedRuns

PARTITION_TAG = "dagster/partition"

# NOT_STARTED is left out: a launch that broke off before it was queued stays so, and would keep
# its company from ever being synced again.
_QUEUED_OR_RUNNING = [
    dg.DagsterRunStatus.QUEUED,
    dg.DagsterRunStatus.STARTING,
    dg.DagsterRunStatus.STARTED,
    dg.DagsterRunStatus.CANCELING,
]
_ENDED_BADLY = (dg.DagsterRunStatus.FAILURE, dg.DagsterRunStatus.CANCELED)


def busy_partitions(instance: dg.DagsterInstance) -> set[str]:
    """Partitions with a queued or running run of any job."""
    runs = instance.get_runs(filters=dg.RunsFilter(statuses=_QUEUED_OR_RUNNING))
    return {run.tags[PARTITION_TAG] for run in runs if PARTITION_TAG in run.tags}


def runs_of_request(instance: dg.DagsterInstance, request_id: int) -> RequestedRuns:
    """How the runs started for a request stand."""
    records = instance.get_run_records(
        filters=dg.RunsFilter(tags={REQUEST_TAG: str(request_id)}), limit=100
    )
    ended = [record for record in records if record.dagster_run.is_finished]
    ends = [record.end_time for record in ended if record.end_time is not None]
    last = datetime.fromtimestamp(max(ends), UTC) if ends else None
    return RequestedRuns(len(ended), last)


def has_died(instance: dg.DagsterInstance, run_id: str) -> bool:
    """Whether a run is known to have ended without success."""
    run = instance.get_run_by_id(run_id)
    return run is not None and run.status in _ENDED_BADLY
