"""What no cycle can see: new companies, cycles that never ran, runs that died.

It starts no run: what it reports are events without a run.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field

import dagster as dg
import sqlalchemy as sa

from assets.companies import COMPANIES, Overview, evaluation, events, overview
from assets.cycle import checked_on
from qbo_sync_dagster.jobs.dagster_storage import forget_runless_check
from qbo_sync_dagster.ledger import connections, cycle_history, cycles
from qbo_sync_dagster.panels.checks import Check, Verdict
from qbo_sync_dagster.partitions import PARTITIONS_NAME, realm_partitions
from qbo_sync_dagster.resources import SyncEngineResource
from qbo_sync_dagster.sync.outcome import SyncHealth
from sensors.decisions import changed, closed_cycles, forgotten_companies, new_companies
from sensors.runs import has_died

_DIED = "Its run ended before the cycle did (stopped, or its process was killed)."


@dataclass(frozen=True, slots=True)
class Memory:
    """What was reported last: the state of freshness by company, and the cycles shown."""

    freshness: Mapping[str, str] = field(default_factory=dict)
    closed: str | None = None

    @classmethod
    def of(cls, cursor: str | None) -> Memory:
        """The memory in a cursor; one that can't be read only means that all is told again."""
        try:
            stored = json.loads(cursor or "{}")
            return cls(dict(stored["freshness"]), str(stored["closed"]))
        except (ValueError, KeyError, TypeError):
            return cls()

    def cursor(self) -> str:
        """The memory as Dagster keeps it."""
        return json.dumps({"freshness": dict(self.freshness), "closed": self.closed})


@dg.sensor(
    target=dg.AssetSelection.assets(COMPANIES),
    minimum_interval_seconds=60,
    default_status=dg.DefaultSensorStatus.RUNNING,
    description="Registers new companies, takes forgotten ones off the list, tells when a company "
    "has not been synced for too long, records cycles whose run died, and refreshes the "
    "overview of all companies.",
)
def company_watch_sensor(
    context: dg.SensorEvaluationContext, sync_engine: SyncEngineResource
) -> dg.SensorResult:
    """Look at every company. A ledger that can't be read fails the tick."""
    before = Memory.of(context.cursor)
    with sync_engine.engine() as engine:
        _record_deaths(context.instance, engine.ledger)
        with engine.ledger.connect() as connection:
            companies = connections.every(connection)
            closed = closed_cycles(cycles.latest_of_each(connection))
        seen = overview(engine)
    registered = context.instance.get_dynamic_partitions(PARTITIONS_NAME)
    unknown = new_companies(companies, registered)
    forgotten = forgotten_companies(companies, registered)
    now = Memory(_freshness_states(seen), f"{len(companies)} {closed}")
    reported: list[dg.AssetMaterialization | dg.AssetCheckEvaluation] = [
        *_freshness_events(context.instance, seen, changed(before.freshness, now.freshness)),
        *(events(seen) if now.closed != before.closed else ()),
    ]
    return dg.SensorResult(
        cursor=now.cursor(),
        asset_events=reported,
        dynamic_partitions_requests=[
            *([realm_partitions.build_add_request(unknown)] if unknown else []),
            *([realm_partitions.build_delete_request(forgotten)] if forgotten else []),
        ],
    )


def _record_deaths(instance: dg.DagsterInstance, ledger: sa.Engine) -> None:
    with ledger.begin() as connection:
        for cycle in cycle_history.running(connection):
            if cycle.run_id and has_died(instance, cycle.run_id):
                cycles.mark_died(connection, cycle.run_id, _DIED)


def _freshness(seen: Overview) -> list[tuple[SyncHealth, Verdict]]:
    return [
        (health, verdict)
        for health, judged in seen.by_company
        for verdict in judged
        if verdict.check is Check.FRESHNESS
    ]


def _freshness_states(seen: Overview) -> dict[str, str]:
    """What must change for freshness to be told again: not the age, which always changes."""
    return {
        health.company: f"{verdict.passed} {health.state} {health.auto_sync}"
        for health, verdict in _freshness(seen)
    }


def _freshness_events(
    instance: dg.DagsterInstance, seen: Overview, companies: list[str]
) -> list[dg.AssetCheckEvaluation]:
    asset = checked_on(Check.FRESHNESS)
    told = [
        evaluation(verdict, asset, health.company)
        for health, verdict in _freshness(seen)
        if health.company in companies
    ]
    for each in told:
        forget_runless_check(instance, each)
    return told
