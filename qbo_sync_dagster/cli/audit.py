"""`qbo-sync audit`: is the record of what was done still as it was written?"""

from __future__ import annotations

import re
from typing import Annotated

import typer

from qbo_sync_dagster.cli.errors import CommandError
from qbo_sync_dagster.cli.failures import command_group
from qbo_sync_dagster.cli.opening import opened_ledger
from qbo_sync_dagster.cli.output import JsonFlag, answer, answer_json, working
from qbo_sync_dagster.cli.parameters import AnyCompany
from qbo_sync_dagster.ledger.audit import Head
from qbo_sync_dagster.panels import words
from qbo_sync_dagster.sync.auditing import Audited, verify_logs

app = command_group("audit", "The log of every effect on either side.")

_SEEN = re.compile(r"(\d{1,18}):([0-9a-f]{64})")


@app.callback()
def audit() -> None:
    """The log of every effect on either side."""


@app.command("verify")
def verify(
    company: AnyCompany = None,
    seen: Annotated[
        str | None,
        typer.Option(
            help="ROWS:DIGEST that an earlier run showed, so that a log which was written anew "
            "as a whole shows, too. Needs REALM."
        ),
    ] = None,
    as_json: JsonFlag = False,
) -> None:
    """Check that no row of the audit log was changed, taken out, put in or moved.

    Names the first row that was, and ends with exit code 1 then.
    """
    head = _head(seen, company)
    with opened_ledger() as ledger, working("Following the audit log ..."):
        found = list(verify_logs(ledger, company, head))
    if as_json:
        answer_json({"unbroken": not _broken(found), "companies": found})
    else:
        for each in found:
            answer(_told(each))
        if not found:
            answer("There is no audit log yet: no company was ever connected.")
    if _broken(found):
        raise typer.Exit(1)


def _told(each: Audited) -> str:
    who = f"{each.company_name} ({each.realm})"
    if each.problem:
        return (
            f"{who}: BROKEN. {each.problem} {words.counted(each.rows, 'row')} before it "
            "hold together. Compare with a backup of the ledger to see what was done."
        )
    if not each.rows:
        return f"{who}: no rows yet."
    return f"{who}: {words.counted(each.rows, 'row')}, unbroken. Head {each.rows}:{each.digest}"


def _broken(found: list[Audited]) -> bool:
    return any(each.problem for each in found)


def _head(seen: str | None, company: str | None) -> Head | None:
    if seen is None:
        return None
    match = _SEEN.fullmatch(seen.strip())
    if match is None or company is None:
        raise CommandError(
            "--seen takes what an earlier `qbo-sync audit verify` showed as the head of one "
            "company, such as 120:5f3a..., together with that company's REALM."
        )
    return Head(int(match[1]), match[2])
