"""`qbo-sync notifications`: where a company's messages to people go."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

from qbo_sync_dagster.actions import notifying
from qbo_sync_dagster.cli.errors import CommandError
from qbo_sync_dagster.cli.failures import command_group
from qbo_sync_dagster.cli.opening import opened_ledger, read_settings
from qbo_sync_dagster.cli.output import JsonFlag, answer, answer_json, working
from qbo_sync_dagster.cli.parameters import Company
from qbo_sync_dagster.ledger.tokens import TokenCipher
from qbo_sync_dagster.notifications.delivery import Delivery

app = command_group("notifications", "Messages to people by mail, Slack, Teams and the like.")

_TOLD = {
    Delivery.SENT: "arrived",
    Delivery.FAILED: "was refused or could not be reached",
    Delivery.UNKNOWN: "gave no answer in time; look whether it arrived",
}


@app.command("set")
def set_(
    company: Company,
    file: Annotated[
        Path | None,
        typer.Argument(
            help="File with one apprise address a line, - for standard input; asked for without "
            "it. Addresses hold passwords, so they are never arguments."
        ),
    ] = None,
    none: Annotated[bool, typer.Option("--none", help="Send no messages any more.")] = False,
    as_json: JsonFlag = False,
) -> None:
    """Say where messages go: new exceptions, a failed connection, one that is about to lapse.

    Replaces the former targets. They are stored encrypted.
    """
    urls = [] if none else _addresses(file)
    if not urls and not none:
        raise CommandError("No address was given. --none switches messages off.")
    with opened_ledger() as ledger:
        shown = notifying.set_targets(ledger, _cipher(), company, urls)
    _tell(shown, as_json=as_json)


@app.command("show")
def show(company: Company, as_json: JsonFlag = False) -> None:
    """Show where messages go, without passwords."""
    with opened_ledger() as ledger:
        shown = notifying.shown_targets(ledger, _cipher(), company)
    _tell(shown, as_json=as_json)


@app.command("test")
def try_out(company: Company, as_json: JsonFlag = False) -> None:
    """Send a test message to every target. Ends with exit code 1 if one did not arrive."""
    with opened_ledger() as ledger, working("Sending ..."):
        outcomes = notifying.send_test(ledger, _cipher(), company)
    if as_json:
        answer_json({"targets": outcomes})
    else:
        for name, outcome in outcomes.items():
            answer(f"{name}: {_TOLD[outcome]}.")
    if set(outcomes.values()) != {Delivery.SENT}:
        raise typer.Exit(1)


def _cipher() -> TokenCipher:
    return TokenCipher(read_settings().token_key())


def _addresses(file: Path | None) -> list[str]:
    if file is None and sys.stdin.isatty():
        return [typer.prompt("Address", hide_input=True, err=True)]
    text = sys.stdin.read() if file is None or str(file) == "-" else file.read_text()
    return [line for line in text.splitlines() if line.strip()]


def _tell(shown: tuple[str, ...], *, as_json: bool) -> None:
    if as_json:
        answer_json({"targets": shown})
    elif not shown:
        answer("No messages are sent.")
    else:
        for name in shown:
            answer(name)
