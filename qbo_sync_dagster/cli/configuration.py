"""`qbo-sync configure`: a company's settings, shown or changed."""

from __future__ import annotations

from typing import Annotated

import typer

from qbo_sync_dagster.actions import configuring
from qbo_sync_dagster.actions.choices import SUBJECTS, QuickBooksLists, company_lists
from qbo_sync_dagster.cli.errors import CommandError
from qbo_sync_dagster.cli.opening import opened_engine
from qbo_sync_dagster.cli.output import (
    JsonFlag,
    add_row,
    answer,
    answer_json,
    answer_table,
    new_table,
    readable,
    remark,
    working,
)
from qbo_sync_dagster.cli.parameters import Company
from qbo_sync_dagster.ledger import connections
from qbo_sync_dagster.ledger.connections import Connection
from qbo_sync_dagster.ledger.errors import LedgerError
from qbo_sync_dagster.quickbooks.errors import QuickBooksError


def configure(
    company: Company,
    changes: Annotated[
        list[str] | None, typer.Argument(metavar="KEY=VALUE", help="Settings to change.")
    ] = None,
    as_json: JsonFlag = False,
) -> None:
    """Change settings of a company, all or none; without KEY=VALUE show them and the choices.

    Accounts, items, classes, departments, terms and tax codes are picked by name or id from the
    company's own lists: deposit-account="Checking". `none` as a value removes one.
    """
    wanted = _pairs(changes or [])
    with opened_engine() as engine:

        def lists(realm: str) -> QuickBooksLists:
            return company_lists(engine, realm)

        changed = configuring.configure(engine.ledger, company, wanted, lists)
        with engine.ledger.connect() as connection:
            standing = connections.get(connection, company)
        if wanted and not as_json:
            _tell(standing, changed)
            return
        offered = None if wanted else _offered(lists(standing.realm))
    if as_json:
        answer_json(
            {
                "settings": configuring.settings_of(standing),
                "changed": changed,
                "choices": offered and {subject: offered.choices(subject) for subject in SUBJECTS},
            }
        )
    else:
        _show(standing, offered)


def _offered(lists: QuickBooksLists) -> QuickBooksLists | None:
    """The lists, all read; None while QuickBooks can't be asked."""
    try:
        with working("Asking QuickBooks for its lists ..."):
            for subject in SUBJECTS:
                lists.choices(subject)
    except (QuickBooksError, LedgerError) as error:
        remark(f"Without names and choices: {error}")
        return None
    return lists


def _pairs(changes: list[str]) -> dict[str, str]:
    pairs: dict[str, str] = {}
    for change in changes:
        name, equals, value = change.partition("=")
        if not equals:
            raise CommandError(f"{change!r} is not KEY=VALUE. For example: auto-sync=off.")
        if name in pairs:
            raise CommandError(f"{name} is given twice. Give each setting once.")
        pairs[name] = value
    return pairs


def _show(standing: Connection, lists: QuickBooksLists | None) -> None:
    table = new_table("setting", "value", "effect", title=standing.company_name)
    for name, value in configuring.settings_of(standing).items():
        setting = configuring.SETTINGS[name]
        add_row(table, name, configuring.shown(setting, value, lists), setting.effect)
    answer_table(table)
    if lists is None:
        return
    choices = new_table("to choose from", "name", "id")
    for subject in SUBJECTS:
        for place, choice in enumerate(lists.choices(subject)):
            add_row(choices, "" if place else subject, choice.name, choice.id)
    answer_table(choices)


def _tell(standing: Connection, changed: tuple[configuring.SettingChange, ...]) -> None:
    for each in changed:
        answer(f"{each.name}: {readable(each.after_shown)} (was {readable(each.before_shown)})")
    if not changed:
        answer(f"Nothing changed: {standing.company_name} is set like that already.")
