"""`qbo-sync exceptions`: what waits for a decision, with its cure."""

from __future__ import annotations

from dataclasses import asdict

from qbo_sync_dagster.cli.opening import opened_ledger, read_settings
from qbo_sync_dagster.cli.output import JsonFlag, answer, answer_block, answer_json
from qbo_sync_dagster.cli.parameters import AnyCompany
from qbo_sync_dagster.domain.money import format_minor
from qbo_sync_dagster.ledger import connections
from qbo_sync_dagster.ledger import exceptions as ledger_exceptions
from qbo_sync_dagster.ledger.exceptions import StoredException
from qbo_sync_dagster.panels import words
from qbo_sync_dagster.panels.deep_links import quickbooks_app, view_in_quickbooks


def exceptions(company: AnyCompany = None, as_json: JsonFlag = False) -> None:
    """Show open exceptions: what happened, and how to resolve it."""
    with opened_ledger() as ledger, ledger.connect() as connection:
        names = {each.realm: each.company for each in connections.every(connection)}
        realm = connections.get(connection, company).realm if company else None
        listed = ledger_exceptions.listed(connection, realm)
    if as_json:
        answer_json({"exceptions": [asdict(each) for each in listed]})
        return
    app = quickbooks_app(read_settings().api_base())
    for each in listed:
        _show(each, names[each.realm], app)
    answer(f"{words.counted(len(listed), 'open exception')}." if listed else "No open exceptions.")


def _show(exception: StoredException, company: str, app: str | None) -> None:
    amounts = (f"{name} {format_minor(minor)}" for name, minor in exception.amounts.items())
    times = words.counted(exception.count, "time")
    first, last = words.instant(exception.first_seen), words.instant(exception.last_seen)
    rows: dict[str, str | None] = {
        "company": company,
        "happened": exception.what_happened,
        "cure": exception.how_to_resolve,
        "amounts": ", ".join(amounts) or None,
        "seen": f"{times}, first {first}, last {last}",
        "assigned": exception.assignee,
    }
    rows |= {f"record {n}": _record(each, app) for n, each in enumerate(exception.records, 1)}
    answer_block(f"{exception.number}  {exception.title}", rows)


def _record(record: dict[str, str], app: str | None) -> str:
    in_quickbooks = record["side"] == "quickbooks"
    url = view_in_quickbooks(app, record["kind"], record["id"]) if in_quickbooks else None
    told = f"{record['label']} in {'QuickBooks' if in_quickbooks else 'AlgaPSA'}"
    return f"{told}, {url}" if url else told
