"""`qbo-sync exceptions`: what waits for a decision, with its cure."""

from __future__ import annotations

from dataclasses import asdict

from qbo_sync_dagster.cli.opening import opened_ledger
from qbo_sync_dagster.cli.output import JsonFlag, answer, answer_json
from qbo_sync_dagster.cli.parameters import AnyCompany
from qbo_sync_dagster.domain.money import format_minor
from qbo_sync_dagster.ledger import connections
from qbo_sync_dagster.ledger import exceptions as ledger_exceptions
from qbo_sync_dagster.ledger.exceptions import StoredException


def exceptions(company: AnyCompany = None, as_json: JsonFlag = False) -> None:
    """Show open exceptions: what happened, and how to resolve it."""
    with opened_ledger() as ledger, ledger.connect() as connection:
        names = {each.realm: each.company for each in connections.every(connection)}
        realm = connections.get(connection, company).realm if company else None
        listed = ledger_exceptions.listed(connection, realm)
    if as_json:
        answer_json({"exceptions": [asdict(each) for each in listed]})
        return
    for each in listed:
        _show(each, names[each.realm])
    answer(_total(len(listed)))


def _show(exception: StoredException, company: str) -> None:
    answer(f"{exception.number}  {exception.title}")
    answer(f"   company   {company}, assigned to {exception.assignee}")
    answer(f"   seen      {_seen(exception)}")
    if exception.records:
        answer(f"   about     {', '.join(_record(each) for each in exception.records)}")
    if exception.amounts:
        pairs = (f"{name} {format_minor(minor)}" for name, minor in exception.amounts.items())
        answer(f"   amounts   {', '.join(pairs)}")
    answer(f"   happened  {exception.what_happened}")
    answer(f"   cure      {exception.how_to_resolve}")
    answer("")


def _seen(exception: StoredException) -> str:
    first, last = exception.first_seen, exception.last_seen
    times = "once" if exception.count == 1 else f"{exception.count} times"
    return f"{times}, first {first:%Y-%m-%d %H:%M}, last {last:%Y-%m-%d %H:%M} UTC"


def _record(record: dict[str, str]) -> str:
    side = "QuickBooks" if record.get("side") == "quickbooks" else "AlgaPSA"
    return f"{side} {record.get('kind', 'record')} {record.get('label') or record.get('id')}"


def _total(count: int) -> str:
    if count == 0:
        return "No open exceptions."
    return "1 open exception." if count == 1 else f"{count} open exceptions."
