"""All companies side by side: an unpartitioned asset, refreshed after each cycle.

What belongs here: Dagster's words for the overview. What does not: what stands in it (`panels`),
or when it is refreshed (`sensors`).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

import dagster as dg

from assets.cycle import OWNER
from assets.metadata import check_result, severity, to_metadata
from qbo_sync_dagster.ledger import link_doubles
from qbo_sync_dagster.panels.checks import MEANING, Check, Verdict, together, verdicts
from qbo_sync_dagster.panels.companies import companies_panel
from qbo_sync_dagster.panels.markdown import harmless
from qbo_sync_dagster.panels.values import Panel
from qbo_sync_dagster.resources import SyncEngineResource
from qbo_sync_dagster.sync.outcome import SyncHealth

if TYPE_CHECKING:
    from qbo_sync_dagster.sync.engine import SyncEngine

COMPANIES = "companies"


@dataclass(frozen=True, slots=True)
class Overview:
    """All companies at one instant: their health, what is shown of it, and the checks."""

    health: tuple[SyncHealth, ...]
    panel: Panel
    by_company: tuple[tuple[SyncHealth, tuple[Verdict, ...]], ...]

    @property
    def checks(self) -> tuple[Verdict, ...]:
        """One verdict per check over all companies."""
        return tuple(
            together(
                check,
                [
                    (health.company_name, verdict)
                    for health, judged in self.by_company
                    for verdict in judged
                    if verdict.check is check
                ],
            )
            for check in Check
        )


def overview(engine: SyncEngine) -> Overview:
    """Read the health of every company and judge it."""
    from qbo_sync_dagster.sync.health import all_health  # noqa: PLC0415 - heavy

    health = tuple(all_health(engine))
    now = engine.now()
    with engine.ledger.connect() as ledger:
        doubles = {each.realm: link_doubles.doubles(ledger, each.realm) for each in health}
    return Overview(
        health,
        companies_panel(health, now),
        tuple((each, verdicts(each, doubles[each.realm], now)) for each in health),
    )


@dg.asset(
    name=COMPANIES,
    group_name="health",
    owners=[OWNER],
    kinds={"postgres"},
    check_specs=[
        dg.AssetCheckSpec(
            check.value, asset=COMPANIES, description=f"{MEANING[check]} In every company."
        )
        for check in Check
    ],
    description="Sync Health of all companies side by side. Refreshed after each cycle.",
)
def companies(sync_engine: SyncEngineResource) -> Iterator[dg.MaterializeResult[None]]:
    """Refresh the overview now."""
    with sync_engine.engine() as engine:
        seen = overview(engine)
    yield dg.MaterializeResult(
        metadata=to_metadata(seen.panel),
        check_results=[check_result(verdict, COMPANIES) for verdict in seen.checks],
    )


def events(seen: Overview) -> Iterator[dg.AssetMaterialization | dg.AssetCheckEvaluation]:
    """The overview as events that need no run: a run of its own costs seconds, this does not."""
    yield dg.AssetMaterialization(COMPANIES, metadata=to_metadata(seen.panel))
    for verdict in seen.checks:
        yield evaluation(verdict, COMPANIES)


def evaluation(
    verdict: Verdict, asset: str, partition: str | None = None
) -> dg.AssetCheckEvaluation:
    """A verdict as an event that needs no run."""
    return dg.AssetCheckEvaluation(
        asset_key=dg.AssetKey(asset),
        check_name=verdict.check.value,
        passed=verdict.passed,
        severity=severity(verdict),
        description=harmless(verdict.sentence),
        metadata=dict(verdict.figures),
        partition=partition,
    )
