"""The state of every invoice, shown anew after each cycle that changed it, without a run.

A sensor of its own, so that an AlgaPSA that can't be read does not keep `company_watch_sensor`
from telling that no company is synced.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from time import monotonic
from typing import TYPE_CHECKING

import dagster as dg

from assets.invoices import INVOICE_SYNC_STATUS, StatusSeen, status_seen
from qbo_sync_dagster.algapsa.errors import AlgaPsaError
from qbo_sync_dagster.ledger import connections, cycles
from qbo_sync_dagster.ledger.connections import Connection
from qbo_sync_dagster.partitions import PARTITIONS_NAME
from qbo_sync_dagster.resources import SyncEngineResource
from sensors.decisions import last_closed

if TYPE_CHECKING:
    from qbo_sync_dagster.sync.engine import SyncEngine

# Dagster ends a tick after a minute, and nothing of it is kept then.
_ENOUGH_SECONDS = 20.0


@dataclass(frozen=True, slots=True)
class Shown:
    """What was shown of a company: as of which closed cycle, and the digest of its invoices."""

    cycle: int
    digest: str


def shown_of(cursor: str | None) -> dict[str, Shown]:
    """What a cursor remembers; one that can't be read only means that all is shown again."""
    try:
        stored = json.loads(cursor or "{}")
        return {
            company: Shown(int(each["cycle"]), str(each["digest"]))
            for company, each in stored.items()
        }
    except (ValueError, KeyError, TypeError, AttributeError):
        return {}


def cursor_of(shown: Mapping[str, Shown]) -> str:
    """The memory as Dagster keeps it."""
    return json.dumps({company: asdict(each) for company, each in shown.items()})


@dg.sensor(
    target=dg.AssetSelection.assets(INVOICE_SYNC_STATUS),
    minimum_interval_seconds=60,
    default_status=dg.DefaultSensorStatus.RUNNING,
    description="Refreshes invoice_sync_status after each cycle that changed an invoice's state.",
)
def invoice_status_sensor(
    context: dg.SensorEvaluationContext, sync_engine: SyncEngineResource
) -> dg.SensorResult | dg.SkipReason:
    """Look at the companies whose cycle closed since. A ledger that can't be read fails the tick.

    A company whose AlgaPSA can't be read is looked at again at the next tick, and so are those
    that a tick has no time for: at least one is shown, the one shown longest ago first.
    """
    before = shown_of(context.cursor)
    with sync_engine.ledger() as ledger, ledger.connect() as connection:
        closed = last_closed(cycles.latest_of_each(connection))
        companies = connections.every(connection)
    # An event of a partition that is not registered yet would fail the whole tick.
    registered = set(context.instance.get_dynamic_partitions(PARTITIONS_NAME))
    moved = [
        each
        for each in companies
        if each.company in registered and _has_moved(before.get(each.company), closed, each.realm)
    ]
    if not moved:
        return dg.SkipReason("No cycle has closed since.")
    with sync_engine.engine() as engine:
        seen = _in_time(context, engine, sorted(moved, key=lambda each: _shown_in(before, each)))
    now = {each.company: Shown(closed.get(each.realm, 0), found.digest) for each, found in seen}
    known = {each.company: before[each.company] for each in companies if each.company in before}
    return dg.SensorResult(
        cursor=cursor_of(known | now),
        asset_events=[found.event() for each, found in seen if _is_new(found, before)],
    )


def _has_moved(shown: Shown | None, closed: Mapping[str, int], realm: str) -> bool:
    """Whether a cycle closed since; a company is shown once before its first cycle, too."""
    return shown is None or closed.get(realm, shown.cycle) != shown.cycle


def _shown_in(before: Mapping[str, Shown], company: Connection) -> int:
    shown = before.get(company.company)
    return shown.cycle if shown else -1


def _in_time(
    context: dg.SensorEvaluationContext, engine: SyncEngine, companies: Sequence[Connection]
) -> list[tuple[Connection, StatusSeen]]:
    until = monotonic() + _ENOUGH_SECONDS
    seen: list[tuple[Connection, StatusSeen]] = []
    for company in companies:
        if seen and monotonic() >= until:
            break
        if found := _seen(context, engine, company):
            seen.append((company, found))
    return seen


def _is_new(found: StatusSeen, before: Mapping[str, Shown]) -> bool:
    return found.company not in before or before[found.company].digest != found.digest


def _seen(
    context: dg.SensorEvaluationContext, engine: SyncEngine, company: Connection
) -> StatusSeen | None:
    try:
        return status_seen(engine, company)
    except AlgaPsaError as error:
        context.log.warning("%s: %s", company.company_name, error)
        return None
