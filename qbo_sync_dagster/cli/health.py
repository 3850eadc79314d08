"""`qbo-sync health`: the Sync Health panel, of one company or of all side by side."""

from __future__ import annotations

from dataclasses import asdict

from qbo_sync_dagster.cli.opening import opened_engine
from qbo_sync_dagster.cli.output import (
    JsonFlag,
    add_row,
    answer,
    answer_json,
    answer_table,
    new_table,
    readable,
)
from qbo_sync_dagster.cli.parameters import AnyCompany
from qbo_sync_dagster.ledger import connections
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
    if as_json:
        answer_json({"companies": [asdict(panel) for panel in panels]})
    elif company is not None:
        _show_one(panels[0])
    else:
        _show_all(panels)


def _show_one(panel: SyncHealth) -> None:
    table = new_table("Sync Health", panel.company_name)
    for name, value in _rows(panel):
        add_row(table, name, value)
    answer_table(table)


def _rows(panel: SyncHealth) -> list[tuple[str, object]]:
    return [
        ("Last Sync Cycle", _last_cycle(panel)),
        ("Pending ops", panel.pending),
        ("Errored ops", panel.errored),
        ("Drift", panel.drift),
        ("Open exceptions", panel.open_exceptions),
        ("Parked changes", panel.parked),
        ("Token expiry", panel.token_expires_at),
        ("Connection", panel.state),
        ("Auto-sync", panel.auto_sync),
        ("Next cycle", panel.next_cycle_at),
        ("Last success", panel.last_success_at),
    ]


def _last_cycle(panel: SyncHealth) -> str:
    if panel.started_at is None:
        return "none yet"
    at = readable(panel.finished_at or panel.started_at)
    return "\n".join(filter(None, [f"{panel.outcome}, {at}", panel.summary, panel.problem]))


def _show_all(panels: list[SyncHealth]) -> None:
    if not panels:
        answer("No QuickBooks company is connected yet. Run `qbo-sync connections add`.")
        return
    names = ("pending", "errored", "drift", "exceptions", "auto-sync")
    table = new_table("company", "last cycle", *names)
    for each in panels:
        counts = (each.pending, each.errored, each.drift, each.open_exceptions, each.auto_sync)
        add_row(table, each.company_name, _last_cycle(each), *counts)
    answer_table(table)
