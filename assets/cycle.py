"""The sync cycle as seven assets made in one step.

One step, because no part of a cycle may run alone: it would post money without the lease or
without the poll. What belongs here: Dagster's words for what the cycle yields. What does not:
any rule; those stand in `sync` and `domain`.
"""

# Dagster reads the type of `context` itself, so annotations here are not put off.

from collections.abc import Generator, Iterator, Mapping
from contextlib import closing
from typing import TYPE_CHECKING, cast

import dagster as dg

from assets.metadata import check_result, to_metadata
from qbo_sync_dagster.ledger import cycle_history, link_doubles
from qbo_sync_dagster.ledger.connections import Connection
from qbo_sync_dagster.panels.checks import MEANING, Check, verdicts
from qbo_sync_dagster.panels.cures import job_page
from qbo_sync_dagster.panels.deep_links import quickbooks_app
from qbo_sync_dagster.panels.health import Curve
from qbo_sync_dagster.panels.stages import Reading, stage_panel
from qbo_sync_dagster.partitions import connection_of, realm_check, realm_partitions
from qbo_sync_dagster.resources import SyncEngineResource
from qbo_sync_dagster.sync.outcome import CycleEnd, Outcome, Stage, StageOutcome

if TYPE_CHECKING:
    from qbo_sync_dagster.sync.engine import SyncEngine

OWNER = "team:accounting"
REQUEST_TAG = "qbo_sync/request"
_CURVE_CYCLES = 24

_MEANING: dict[Stage, tuple[str, set[str]]] = {
    Stage.INBOUND_CHANGES: (
        "What changed in QuickBooks since the last cycle, stored as it came before anything is "
        "done with it.",
        {"quickbooks", "postgres"},
    ),
    Stage.APPLIED_CHANGES: (
        "QuickBooks' payments, edits, voids and deletions applied to AlgaPSA. A change that can't "
        "be applied waits under an exception; the others go on.",
        {"postgres"},
    ),
    Stage.DRIFT_REPORT: (
        "Exported documents and payments that are not as they were sent any more: changed, voided "
        "or deleted in QuickBooks, or changed in AlgaPSA, field by field.",
        {"quickbooks"},
    ),
    Stage.OUTBOUND_OPERATIONS: (
        "What QuickBooks still lacks: finalized invoices, and customers where the company allows "
        "it, queued to be sent.",
        {"postgres"},
    ),
    Stage.POSTED_OPERATIONS: (
        "What was sent to QuickBooks in this cycle, and what waits for the next.",
        {"quickbooks"},
    ),
    Stage.SYNC_EXCEPTIONS: (
        "The company's open exceptions: what happened, to which record, and what to do.",
        {"postgres"},
    ),
    Stage.SYNC_HEALTH: (
        "Sync Health of the company: last cycle, pending and errored ops, drift, open exceptions, "
        "token expiry.",
        {"postgres"},
    ),
}
_GROUP = {
    Stage.INBOUND_CHANGES: "from_quickbooks",
    Stage.APPLIED_CHANGES: "from_quickbooks",
    Stage.DRIFT_REPORT: "from_quickbooks",
    Stage.OUTBOUND_OPERATIONS: "to_quickbooks",
    Stage.POSTED_OPERATIONS: "to_quickbooks",
    Stage.SYNC_EXCEPTIONS: "health",
    Stage.SYNC_HEALTH: "health",
}
_CHECKED_ON = {
    Check.LAST_CYCLE: Stage.SYNC_HEALTH,
    Check.FRESHNESS: Stage.SYNC_HEALTH,
    Check.QUEUE_PENDING: Stage.POSTED_OPERATIONS,
    Check.QUEUE_ERRORED: Stage.POSTED_OPERATIONS,
    Check.OPEN_EXCEPTIONS: Stage.SYNC_EXCEPTIONS,
    Check.LINKS_ONE_TO_ONE: Stage.OUTBOUND_OPERATIONS,
}


def _specs() -> list[dg.AssetSpec]:
    stages = list(Stage)
    return [
        dg.AssetSpec(
            stage.value,
            deps=[before.value] if before else [],
            skippable=True,
            group_name=_GROUP[stage],
            owners=[OWNER],
            kinds=_MEANING[stage][1],
            description=_MEANING[stage][0],
        )
        for before, stage in zip([None, *stages[:-1]], stages, strict=True)
    ]


@dg.multi_asset(
    name="cycle",
    specs=_specs(),
    can_subset=False,
    partitions_def=realm_partitions,
    check_specs=[
        realm_check(check.value, asset=stage.value, description=MEANING[check])
        for check, stage in _CHECKED_ON.items()
    ],
    description="One sync cycle of one QuickBooks company, both ways.",
)
def sync_cycle_assets(
    context: dg.AssetExecutionContext, sync_engine: SyncEngineResource
) -> Iterator[dg.MaterializeResult[None] | dg.AssetCheckResult]:
    """Run the cycle of the partition's company and show each stage as it ends."""
    from qbo_sync_dagster.notifications.announcing import announce  # noqa: PLC0415 - heavy
    from qbo_sync_dagster.sync.cycle import run_cycle  # noqa: PLC0415 - heavy

    with sync_engine.engine() as engine:
        with engine.ledger.connect() as ledger:
            company = connection_of(ledger, context.partition_key)
        cycle = run_cycle(
            engine,
            company.realm,
            trigger=trigger(context.run.tags),
            run_id=context.run.run_id,
            parent_run_id=_ended_parent(context),
        )
        # Closed whatever happens here, so that a step that is stopped gives its lease back at once.
        with closing(cast("Generator[StageOutcome | CycleEnd]", cycle)) as stages:
            for yielded in stages:
                if isinstance(yielded, CycleEnd):
                    end = yielded
                    yield from _checks(engine, company, yielded)
                else:
                    yield _materialized(engine, company, yielded, _location(context.run))
        if end.outcome is not Outcome.SKIPPED:
            # The lease is given back by now: a slow service must not keep it.
            announce(engine.ledger, engine.cipher, company.realm)
        _raise_if_bad(end)
        context.log.info(end.sentence)


def trigger(tags: Mapping[str, str]) -> str:
    """What asked for this run, in the ledger's words."""
    if REQUEST_TAG in tags:
        return "sync now"
    return "schedule" if "dagster/schedule_name" in tags else "dagster"


def _ended_parent(context: dg.AssetExecutionContext) -> str | None:
    """The run this one repeats, if it has ended: only then may its lease be taken over."""
    parent_id = context.run.get_parent_run_id()
    parent = context.instance.get_run_by_id(parent_id) if parent_id else None
    return parent_id if parent is not None and parent.is_finished else None


def _location(run: dg.DagsterRun) -> str | None:
    """The code location whose page shows this run's job; None outside of a web server."""
    origin = run.remote_job_origin
    return origin.location_name if origin else None


def _materialized(
    engine: "SyncEngine", company: Connection, outcome: StageOutcome, location: str | None
) -> dg.MaterializeResult[None]:
    curve = _curve(engine, company.realm) if outcome.stage is Stage.SYNC_HEALTH else Curve()
    reading = Reading(company.company_name, engine.now(), _app(engine), curve, job_page(location))
    return dg.MaterializeResult(
        asset_key=outcome.stage.value, metadata=to_metadata(stage_panel(outcome, reading))
    )


def _checks(
    engine: "SyncEngine", company: Connection, end: CycleEnd
) -> Iterator[dg.AssetCheckResult]:
    with engine.ledger.connect() as ledger:
        doubles = link_doubles.doubles(ledger, company.realm)
    for verdict in verdicts(end.health, doubles, engine.now()):
        yield check_result(verdict, _CHECKED_ON[verdict.check].value)


def _raise_if_bad(end: CycleEnd) -> None:
    if end.outcome in (Outcome.FAILED, Outcome.ABORTED):
        raise dg.Failure(
            end.sentence, metadata={"company": end.health.company_name}, allow_retries=False
        )


def _curve(engine: "SyncEngine", realm: str) -> Curve:
    with engine.ledger.connect() as ledger:
        past = cycle_history.standing_after(ledger, realm, _CURVE_CYCLES)
    return Curve([each.pending for each in past], [each.open_exceptions for each in past])


def _app(engine: "SyncEngine") -> str | None:
    return quickbooks_app(engine.config.quickbooks.api_base_url)


def checked_on(check: Check) -> str:
    """The asset that a check of the cycle stands on."""
    return _CHECKED_ON[check].value
