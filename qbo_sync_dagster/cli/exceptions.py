"""`qbo-sync exceptions`: what waits for a decision, with its cure, and the decisions themselves."""

from __future__ import annotations

import getpass
from collections.abc import Callable
from dataclasses import asdict
from datetime import datetime
from typing import Annotated

import typer

from qbo_sync_dagster.actions.cases import Choice
from qbo_sync_dagster.actions.resolving import Resolution, resolve
from qbo_sync_dagster.cli.errors import CommandError
from qbo_sync_dagster.cli.failures import ListingGroup, command_group
from qbo_sync_dagster.cli.opening import opened_engine, opened_ledger, read_settings
from qbo_sync_dagster.cli.output import (
    JsonFlag,
    answer,
    answer_block,
    answer_json,
)
from qbo_sync_dagster.cli.parameters import AnyCompany
from qbo_sync_dagster.domain.catalogue import Action
from qbo_sync_dagster.domain.cures import CURES, word
from qbo_sync_dagster.ledger import connections
from qbo_sync_dagster.ledger import exceptions as ledger_exceptions
from qbo_sync_dagster.ledger.engine import ledger_now
from qbo_sync_dagster.ledger.exceptions import StoredException
from qbo_sync_dagster.panels import cures, words
from qbo_sync_dagster.panels.deep_links import quickbooks_app, view_in_quickbooks
from qbo_sync_dagster.panels.exceptions import amounts, table_row

app = command_group(
    "exceptions", "What waits for a decision: show it, and settle it.", ListingGroup
)

Number = Annotated[int, typer.Argument(metavar="NUMBER", help="The exception's number.")]
Target = Annotated[str, typer.Argument(metavar="TARGET", help="The other record's id or number.")]
By = Annotated[str, typer.Option("--by", help="Who decides; by default the user signed in here.")]
Reason = Annotated[str, typer.Option("--reason", help="Why; kept with the exception.")]


@app.callback(invoke_without_command=True, no_args_is_help=False)
def exceptions(context: typer.Context, as_json: JsonFlag = False) -> None:
    """Without a command: the open exceptions of all companies."""
    if context.invoked_subcommand is None:
        list_(as_json=as_json)


@app.command("list")
def list_(
    company: AnyCompany = None,
    closed: Annotated[
        bool, typer.Option("--closed", help="Closed ones too, with who, when and how.")
    ] = False,
    as_json: JsonFlag = False,
) -> None:
    """List the exceptions of a company, or of all: open first, newest first."""
    with opened_ledger() as ledger, ledger.connect() as connection:
        names = {each.realm: each.company for each in connections.every(connection)}
        realm = connections.get(connection, company).realm if company else None
        listed = ledger_exceptions.listed(connection, realm, include_closed=closed)
        now = ledger_now(connection)
    if as_json:
        answer_json({"exceptions": [asdict(each) for each in listed]})
        return
    is_open = [each for each in listed if each.state == "open"]
    for each in listed:
        _show_briefly(each, names[each.realm], now)
    told = f"{words.counted(len(is_open), 'open exception')}." if is_open else "No open exceptions."
    answer(f"{told} `qbo-sync exceptions show NUMBER` says what to do." if is_open else told)


def _show_briefly(exception: StoredException, company: str, now: datetime) -> None:
    """Three lines at most: a table of so many columns breaks every word of a narrow terminal."""
    number, title, records, told, age, _, assignee = table_row(exception, now)
    answer(f"{number}  {title}")
    answer("   " + "; ".join(filter(None, [str(records), str(told)])))
    seen = words.counted(exception.count, "time")
    answer(f"   {company}, {age} old, seen {seen}, {assignee}")
    if ended := _ended(exception):
        answer(f"   {ended}")
    answer("")


@app.command("show")
def show(number: Number, as_json: JsonFlag = False) -> None:
    """Show one exception: what happened, how to resolve it, and the commands that do."""
    with opened_ledger() as ledger, ledger.connect() as connection:
        found = ledger_exceptions.get(connection, number)
        if found is None:
            raise CommandError(f"There is no exception {number}.")
        company = connections.get(connection, found.realm).company
    if as_json:
        answer_json(asdict(found))
        return
    _show(found, company, quickbooks_app(read_settings().api_base()))


def _show(exception: StoredException, company: str, app: str | None) -> None:
    times = words.counted(exception.count, "time")
    first, last = words.instant(exception.first_seen), words.instant(exception.last_seen)
    rows: dict[str, str | None] = {
        "company": company,
        "happened": exception.what_happened,
        "cure": exception.how_to_resolve,
        "amounts": amounts(exception) or None,
        "seen": f"{times}, first {first}, last {last}",
        "assigned": exception.assignee,
        "ended": _ended(exception),
    }
    rows |= {f"record {n}": _record(each, app) for n, each in enumerate(exception.records, 1)}
    answer_block(f"{exception.number}  {exception.title}", rows)
    if exception.state == "open":
        for action in cures.actions_of(exception):
            answer(f"   {cures.command_of(exception, action)}")
            answer(f"      {_help(action)}")


def _target(action: Action) -> str:
    target = CURES[action].target
    return f" TARGET is {target}." if target else ""


def _ended(exception: StoredException) -> str | None:
    if exception.state == "open":
        return None
    when = words.instant(exception.closed_at)
    return f"{exception.state} by {exception.closed_by or 'sync'}, {when}: {exception.close_reason}"


def _record(record: dict[str, str], app: str | None) -> str:
    in_quickbooks = record["side"] == "quickbooks"
    url = view_in_quickbooks(app, record["kind"], record["id"]) if in_quickbooks else None
    told = f"{record['label']} in {'QuickBooks' if in_quickbooks else 'AlgaPSA'}"
    return f"{told}, {url}" if url else told


def _without_target(action: Action) -> Callable[..., None]:
    def command(
        number: Number, reason: Reason = "", by: By = "", as_json: JsonFlag = False
    ) -> None:
        _settle(action, number, "", reason, by, as_json=as_json)

    return command


def _with_target(action: Action) -> Callable[..., None]:
    def command(
        number: Number,
        target: Target = "",
        reason: Reason = "",
        by: By = "",
        as_json: JsonFlag = False,
    ) -> None:
        _settle(action, number, target, reason, by, as_json=as_json)

    return command


def _settle(
    action: Action, number: int, target: str, reason: str, by: str, *, as_json: bool
) -> None:
    choice = Choice(number, by or _user(), reason)
    with opened_engine() as engine:
        told = resolve(engine, Resolution(action, choice, target))
    if as_json:
        answer_json({"exception": number, "action": action, "told": told})
    else:
        answer(told)


def _user() -> str:
    try:
        return getpass.getuser()
    except (KeyError, OSError):
        return "command line"


def _help(action: Action) -> str:
    return f"{CURES[action].effect}{_target(action)}"


for _action in Action:
    if _action is not Action.RECONNECT:
        _make = _with_target if CURES[_action].target else _without_target
        app.command(word(_action).replace("_", "-"), help=_help(_action))(_make(_action))
