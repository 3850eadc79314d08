"""`qbo-sync health`: the Sync Health panel, of one company or of all side by side."""

from __future__ import annotations

from dataclasses import asdict
from datetime import datetime

from qbo_sync_dagster.cli.opening import opened_engine
from qbo_sync_dagster.cli.output import (
    JsonFlag,
    add_row,
    answer,
    answer_block,
    answer_json,
    answer_table,
    new_table,
)
from qbo_sync_dagster.cli.parameters import AnyCompany
from qbo_sync_dagster.ledger import connections
from qbo_sync_dagster.panels import words
from qbo_sync_dagster.panels.checks import freshness
from qbo_sync_dagster.sync.health import all_health, realm_health
from qbo_sync_dagster.sync.outcome import SyncHealth


def health(company: AnyCompany = None, as_json: JsonFlag = False) -> None:
    """Show how each company stands: last cycle, queue, drift, exceptions, token."""
    with opened_engine() as engine:
        if company is None:
            panels = all_health(engine)
        else:
            with engine.ledger.connect() as connection:
                realm = connections.get(connection, company).realm
            panels = [realm_health(engine, realm)]
        now = engine.now()
    late = {panel.realm: told for panel in panels if (told := _late(panel, now))}
    if as_json:
        answer_json({"companies": [{**asdict(it), "is_late": it.realm in late} for it in panels]})
    elif company is not None:
        _show_one(panels[0], late.get(panels[0].realm))
    else:
        _show_all(panels)
        for panel in panels:
            if panel.realm in late:
                answer(f"{panel.company_name}: {late[panel.realm]}")


def _late(panel: SyncHealth, now: datetime) -> str | None:
    """What is said of a company that no cycle has served for too long, as when the daemon died."""
    verdict = freshness(panel, now)
    return None if verdict.passed else verdict.sentence


def _show_one(panel: SyncHealth, late: str | None) -> None:
    rows = {
        "Last Sync Cycle": _last_cycle(panel, ", "),
        "Pending ops": panel.pending,
        "Errored ops": panel.errored,
        "Drift": panel.drift,
        "Open exceptions": panel.open_exceptions,
        "Parked changes": panel.parked,
        "Token expiry": panel.token_expires_at,
        "Connection": panel.state,
        "Auto-sync": panel.auto_sync,
        "Next cycle": panel.next_cycle_at,
        "Last success": panel.last_success_at,
        "Warning": " ".join(panel.warnings) or None,
        "Late": late,
    }
    answer_block(f"Sync Health of {panel.company_name}", rows)


def _last_cycle(panel: SyncHealth, joint: str) -> str:
    if panel.started_at is None:
        return "none yet"
    at = words.instant(panel.finished_at or panel.started_at)
    return joint.join(filter(None, [panel.outcome, at, panel.summary, panel.problem]))


def _show_all(panels: list[SyncHealth]) -> None:
    if not panels:
        answer("No QuickBooks company is connected yet. Run `qbo-sync connect`.")
        return
    names = ("pending", "errored", "drift", "exceptions")
    table = new_table("company", "last cycle", *names)
    for each in panels:
        counts = (each.pending, each.errored, each.drift, each.open_exceptions)
        add_row(table, each.company_name, _last_cycle(each, "\n"), *counts)
    answer_table(table)
