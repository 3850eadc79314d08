"""Sync Now requests become runs, ahead of scheduled ones, with auto-sync on or off."""

from __future__ import annotations

from datetime import UTC, datetime

import dagster as dg
import sqlalchemy as sa

from assets.cycle import REQUEST_TAG
from qbo_sync_dagster.jobs.sync_cycle import sync_cycle
from qbo_sync_dagster.ledger import connections, cycles
from qbo_sync_dagster.ledger.cycles import SyncRequest
from qbo_sync_dagster.partitions import PARTITIONS_NAME, realm_partitions
from qbo_sync_dagster.resources import SyncEngineResource
from sensors.decisions import sync_now_key
from sensors.runs import runs_of_request

_AHEAD_OF_SCHEDULED_RUNS = "10"


@dg.sensor(
    job=sync_cycle,
    minimum_interval_seconds=5,
    default_status=dg.DefaultSensorStatus.RUNNING,
    description="Starts the cycle that somebody asked for with Sync Now.",
)
def sync_now_sensor(
    context: dg.SensorEvaluationContext, sync_engine: SyncEngineResource
) -> dg.SensorResult | dg.SkipReason:
    """One run per company with an open request. A ledger that can't be read fails the tick."""
    with sync_engine.ledger() as ledger, ledger.connect() as connection:
        wanted = _wanted(connection)
    now = datetime.now(UTC)
    requests = [
        _run_request(company, request, key)
        for company, request in wanted.items()
        if (
            key := sync_now_key(request, runs_of_request(context.instance, request.request_id), now)
        )
    ]
    if not requests:
        return dg.SkipReason("Nobody is waiting for a cycle.")
    # One unknown partition fails the whole tick, so a company that is minutes old is registered.
    registered = set(context.instance.get_dynamic_partitions(PARTITIONS_NAME))
    unknown = [company for company in wanted if company not in registered]
    return dg.SensorResult(
        run_requests=requests,
        dynamic_partitions_requests=[realm_partitions.build_add_request(unknown)]
        if unknown
        else [],
    )


def _wanted(connection: sa.Connection) -> dict[str, SyncRequest]:
    """The newest open request of each company that is connected."""
    requests = cycles.open_requests(connection)
    if not requests:
        return {}
    return {
        company.company: requests[company.realm]
        for company in connections.every(connection)
        if company.realm in requests and company.state != "disconnected"
    }


def _run_request(company: str, request: SyncRequest, key: str) -> dg.RunRequest:
    return dg.RunRequest(
        run_key=key,
        partition_key=company,
        tags={
            REQUEST_TAG: str(request.request_id),
            "dagster/priority": _AHEAD_OF_SCHEDULED_RUNS,
        },
    )
