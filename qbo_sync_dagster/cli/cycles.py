"""`qbo-sync cycle` and `qbo-sync sync-now`: run a cycle here, or have the service run one."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Annotated

import typer

from qbo_sync_dagster.actions.sync_requests import request_sync_now
from qbo_sync_dagster.cli.ending import EXIT_CODE, EndAskedError, orderly_end
from qbo_sync_dagster.cli.opening import opened_engine, opened_ledger
from qbo_sync_dagster.cli.output import JsonFlag, answer, answer_json, complain, remark, working
from qbo_sync_dagster.cli.parameters import Company
from qbo_sync_dagster.ledger import connections
from qbo_sync_dagster.notifications.announcing import announce
from qbo_sync_dagster.panels.preview import headline, preview_lines
from qbo_sync_dagster.sync.cycle import last_end, run_cycle
from qbo_sync_dagster.sync.engine import SyncEngine
from qbo_sync_dagster.sync.outcome import CycleEnd, Outcome, StageOutcome
from qbo_sync_dagster.sync.preview import preview_cycle

TRIGGER = "command line"


def cycle(
    company: Company,
    preview: Annotated[
        bool, typer.Option("--preview", help="Print what a cycle would do now, and do nothing.")
    ] = False,
    as_json: JsonFlag = False,
) -> None:
    """Run one cycle of a company here and now, without Dagster's services.

    Ends with exit code 1 if the cycle failed. Where another cycle runs already, this one is
    skipped.
    """
    if preview:
        _preview(company, as_json=as_json)
        return
    try:
        # A cycle that is ended gives its lease back, so that the next one need not wait for it.
        with orderly_end(), opened_engine() as engine:
            with engine.ledger.connect() as connection:
                found = connections.get(connection, company)
            end = run_shown(engine, found.realm, found.company_name)
    except EndAskedError as error:
        complain("The cycle was ended. The next one goes on where it stopped.")
        raise typer.Exit(EXIT_CODE) from error
    if as_json:
        answer_json({**company_row(end), "sentence": end.sentence})
    elif end.outcome in (Outcome.SUCCEEDED, Outcome.SKIPPED):
        answer(f"{end.outcome}: {end.sentence}")
    else:
        complain(f"{end.outcome}: {end.sentence}")
    if end.outcome in (Outcome.FAILED, Outcome.ABORTED):
        raise typer.Exit(1)


def _preview(company: str, *, as_json: bool) -> None:
    with orderly_end(), opened_engine() as engine, working("Looking at both sides ..."):
        plan = preview_cycle(engine, company)
    if as_json:
        answer_json(plan)
    elif plan.outcome is Outcome.SUCCEEDED:
        for line in preview_lines(plan.effects):
            answer(line)
        answer(headline(plan))
        answer(f"Digest of this plan: {plan.digest}")
    else:
        complain(headline(plan))
    if plan.outcome is not Outcome.SUCCEEDED:
        raise typer.Exit(1)


def sync_now(company: Company, as_json: JsonFlag = False) -> None:
    """Ask the running service for a cycle of a company now; works with auto-sync off too."""
    with opened_ledger() as ledger:
        number = request_sync_now(ledger, company, TRIGGER)
    if as_json:
        answer_json({"request": number})
    else:
        answer(f"Requested (number {number}). The service starts the cycle within seconds.")


def run_shown(engine: SyncEngine, realm: str, company_name: str) -> CycleEnd:
    """Run a cycle and name each stage on standard error as it ends."""
    remark(f"Cycle of {company_name}")
    with working("Talking to both sides ..."):
        end = last_end(_each_named(run_cycle(engine, realm, trigger=TRIGGER)))
    if end.outcome is not Outcome.SKIPPED:
        announce(engine.ledger, engine.cipher, realm)
    return end


def _each_named(events: Iterable[StageOutcome | CycleEnd]) -> Iterator[StageOutcome | CycleEnd]:
    for event in events:
        if isinstance(event, StageOutcome):
            remark(f"  {event.stage:<20} {event.seconds:6.1f} s")
        yield event


def company_row(end: CycleEnd) -> dict[str, object]:
    """What a cycle did, for programs."""
    health = end.health
    return {
        "realm": health.realm,
        "company": health.company,
        "outcome": str(end.outcome),
        "summary": health.summary,
        "pending": health.pending,
        "errored": health.errored,
        "drift": health.drift,
        "open_exceptions": health.open_exceptions,
        "quickbooks_writes": health.quickbooks_writes,
        "algapsa_writes": health.algapsa_writes,
        "metered_calls": health.metered_calls,
    }
