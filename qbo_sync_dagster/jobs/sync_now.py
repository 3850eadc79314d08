"""Sync Now: an operator asks for a cycle of one company."""

# Dagster reads the type of `context` itself, so annotations here are not put off.

import dagster as dg
from pydantic import Field

from qbo_sync_dagster.actions.errors import ActionRefusedError
from qbo_sync_dagster.actions.sync_requests import request_sync_now
from qbo_sync_dagster.resources import SyncEngineResource


class SyncNow(dg.Config):
    """Which company."""

    company: str = Field(
        description="The company, as the partitions of sync_health name it (for example "
        "northwind-it-9341453), or its QuickBooks company id (realm).",
        min_length=1,
        max_length=200,
    )


@dg.op
def request_cycle(
    context: dg.OpExecutionContext, config: SyncNow, sync_engine: SyncEngineResource
) -> None:
    """File the request; the sensor starts the cycle within seconds."""
    with sync_engine.ledger() as ledger:
        try:
            number = request_sync_now(ledger, config.company.strip(), "Dagster")
        except ActionRefusedError as error:
            raise dg.Failure(str(error), allow_retries=False) from error
    context.log.info(
        "Request %s is filed. The cycle starts within seconds and shows under sync_health.", number
    )


# Shown in the Launchpad, so that there is a line to fill in instead of an empty page.
_TO_FILL_IN = dg.RunConfig(ops={"request_cycle": SyncNow(company="company-to-sync")})


@dg.job(
    config=_TO_FILL_IN,
    description="Sync one company now instead of waiting for the next quarter of an hour. Works "
    "when auto-sync is off, too.",
)
def sync_now() -> None:
    """One step: file the request."""
    request_cycle()
