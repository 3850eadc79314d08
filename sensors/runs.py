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
_ENDED_BADLY = [dg.DagsterRunStatus.FAILURE, dg.DagsterRunStatus.CANCELED]
_ENDED = [dg.DagsterRunStatus.SUCCESS, *_ENDED_BADLY]


def busy_partitions(instance: dg.DagsterInstance) -> set[str]:
    """Partitions with a queued or running run of any job."""
    runs = instance.get_runs(filters=dg.RunsFilter(statuses=_QUEUED_OR_RUNNING))
    return {run.tags[PARTITION_TAG] for run in runs if PARTITION_TAG in run.tags}


def runs_of_request(instance: dg.DagsterInstance, request_id: int) -> RequestedRuns:
    """How many runs started for a request have ended, and when the newest of them did."""
    ended = dg.RunsFilter(tags={REQUEST_TAG: str(request_id)}, statuses=_ENDED)
    newest = instance.get_run_records(filters=ended, limit=1)
    end = newest[0].end_time if newest else None
    last = datetime.fromtimestamp(end, UTC) if end is not None else None
    return RequestedRuns(instance.get_runs_count(ended), last)


def has_died(instance: dg.DagsterInstance, run_id: str) -> bool:
    """Whether a run is known to have ended without success."""
    run = instance.get_run_by_id(run_id)
    return run is not None and run.status in _ENDED_BADLY
