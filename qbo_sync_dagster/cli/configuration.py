"""`qbo-sync configure`: a company's settings, shown or changed."""

from __future__ import annotations

from typing import Annotated

import typer

from qbo_sync_dagster.actions import configuring
from qbo_sync_dagster.cli.errors import CommandError
from qbo_sync_dagster.cli.opening import opened_ledger
from qbo_sync_dagster.cli.output import (
    JsonFlag,
    add_row,
    answer,
    answer_json,
    answer_table,
    new_table,
    readable,
)
from qbo_sync_dagster.cli.parameters import Company
from qbo_sync_dagster.ledger import connections
from qbo_sync_dagster.ledger.connections import Connection


def configure(
    company: Company,
    changes: Annotated[
        list[str] | None, typer.Argument(metavar="KEY=VALUE", help="Settings to change.")
    ] = None,
    as_json: JsonFlag = False,
) -> None:
    """Change settings of a company, all or none; without KEY=VALUE show them.

    `none` as a value removes an id.
    """
    wanted = _pairs(changes or [])
    with opened_ledger() as ledger:
        changed = configuring.configure(ledger, company, wanted)
        with ledger.connect() as connection:
            standing = connections.get(connection, company)
    if as_json:
        answer_json({"settings": configuring.settings_of(standing), "changed": changed})
    elif not wanted:
        _show(standing)
    else:
        _tell(standing, changed)


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


def _show(standing: Connection) -> None:
    table = new_table("setting", "value", "effect", title=standing.company_name)
    for name, value in configuring.settings_of(standing).items():
        add_row(table, name, value, configuring.SETTINGS[name].effect)
    answer_table(table)


def _tell(standing: Connection, changed: tuple[configuring.SettingChange, ...]) -> None:
    for each in changed:
        answer(f"{each.name}: {readable(each.after)} (was {readable(each.before)})")
    if not changed:
        answer(f"Nothing changed: {standing.company_name} is set like that already.")
