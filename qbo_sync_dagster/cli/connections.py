"""`qbo-sync connections`: which QuickBooks companies are connected, and connecting one."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Annotated

import typer

from qbo_sync_dagster.actions import configuring, connecting, disconnecting, moving, values
from qbo_sync_dagster.cli.errors import CommandError
from qbo_sync_dagster.cli.failures import command_group
from qbo_sync_dagster.cli.opening import opened_engine, opened_ledger, read_settings
from qbo_sync_dagster.cli.output import (
    JsonFlag,
    answer,
    answer_block,
    answer_json,
    remark,
    working,
)
from qbo_sync_dagster.cli.parameters import Company
from qbo_sync_dagster.ledger import connections
from qbo_sync_dagster.ledger.connections import Connection
from qbo_sync_dagster.ledger.tokens import TokenCipher

app = command_group("connections", "Connected QuickBooks companies.")

_TOKEN_VARIABLE = "QBO_REFRESH_TOKEN"  # noqa: S105 - the name of a variable
_COLUMNS = {
    "company": "company",
    "realm": "realm",
    "name": "company_name",
    "tenant": "tenant",
    "state": "state",
    "default": "is_default",
    "auto_sync": "auto_sync",
    "time_zone": "time_zone",
    "go_live": "go_live_date",
}


@app.command("add")
def add(
    tenant: Annotated[str, typer.Option(help="AlgaPSA's tenant id.")],
    realm: Annotated[str, typer.Option(help="The company's realm id at QuickBooks.")],
    name: Annotated[str, typer.Option(help="The company's name, for people.")],
    time_zone: Annotated[str, typer.Option(help="The books' time zone: America/New_York.")],
    go_live: Annotated[
        str | None,
        typer.Option(help="First day whose documents are sent: 2026-01-31; today without it."),
    ] = None,
    token_file: Annotated[
        Path | None,
        typer.Option(
            help="File with the refresh token, - for standard input. Without it the token is "
            f"taken from {_TOKEN_VARIABLE}, or asked for."
        ),
    ] = None,
    as_json: JsonFlag = False,
) -> None:
    """Connect a QuickBooks company, or reconnect one whose authorization lapsed.

    Reconnecting keeps links, settings and the position, so that the next cycle catches up.
    """
    wanted = connecting.CompanyToConnect(
        tenant=tenant,
        realm=realm,
        company_name=name,
        time_zone=time_zone,
        go_live_date=values.read_date(go_live, "--go-live") if go_live else None,
        refresh_token=_refresh_token(token_file),
    )
    cipher = TokenCipher(read_settings().token_key())
    with opened_ledger() as ledger:
        connected = connecting.connect_company(ledger, cipher, wanted)
    tell_connected(connected, as_json=as_json)


@app.command("prepare")
def prepare(
    tenant: Annotated[str, typer.Option(help="AlgaPSA's tenant id.")],
    realm: Annotated[str, typer.Option(help="The company's id, as QuickBooks' settings show it.")],
    name: Annotated[str, typer.Option(help="The company's name, for people.")],
    time_zone: Annotated[str, typer.Option(help="The books' time zone: America/New_York.")],
    go_live: Annotated[
        str | None,
        typer.Option(help="First day whose documents are written: 2026-01-31; today without it."),
    ] = None,
    as_json: JsonFlag = False,
) -> None:
    """Enter a company that is not connected, so that files can be written for it.

    `qbo-sync batches csv` writes them. `qbo-sync connect` connects the company later; what a file
    took to QuickBooks is not sent again then.
    """
    wanted = connecting.CompanyToPrepare(
        tenant=tenant,
        realm=realm,
        company_name=name,
        time_zone=time_zone,
        go_live_date=values.read_date(go_live, "--go-live") if go_live else None,
    )
    with opened_ledger() as ledger:
        company = connecting.prepare_company(ledger, wanted)
    if as_json:
        answer_json(_told(company))
        return
    answer(
        f"{company.company_name} is entered as {company.company}, without a connection. Invoices "
        f"dated {company.go_live_date} or later can be written to a file: "
        f"`qbo-sync batches csv {company.company} FILE`."
    )


@app.command("list")
def list_companies(as_json: JsonFlag = False) -> None:
    """Show the connected companies."""
    with opened_ledger() as ledger, ledger.connect() as connection:
        companies = connections.every(connection)
    if as_json:
        answer_json({"companies": [_told(company) for company in companies]})
    elif not companies:
        answer("No QuickBooks company is connected yet.")
    else:
        for company in companies:
            _show(company)


@app.command("make-default")
def make_default(company: Company) -> None:
    """Let new documents of the tenant go to this company. Moves no document."""
    with opened_ledger() as ledger:
        changed = configuring.make_default(ledger, company)
        with ledger.connect() as connection:
            name = connections.get(connection, company).company_name
    told = "is the default company now" if changed else "was the default company already"
    answer(f"{name} {told}.")


@app.command("move")
def move(
    document: Annotated[str, typer.Argument(help="Its number in AlgaPSA, or its id.")],
    company: Company,
) -> None:
    """Send one finalized invoice or credit note to this company instead of the default one.

    Only before anything of it was sent or linked: a document belongs to one company.
    """
    with opened_engine() as engine:
        moved = moving.move_document(engine, document, company, "command line")
    told = "goes to" if moved.is_new else "belongs already to"
    answer(f"{moved.number} {told} {moved.company.company_name}.")


@app.command("disconnect")
def disconnect(company: Company, as_json: JsonFlag = False) -> None:
    """Stop syncing a company and revoke its authorization at Intuit. Others go on.

    Links, settings and the position are kept, so that it can be connected again.
    """
    with opened_engine() as engine, working("Revoking the authorization ..."):
        ended = disconnecting.disconnect_company(engine, company)
    if ended.still_default:
        remark(
            "It is still the default company, so new documents wait for it. Make another one the "
            "default: `qbo-sync connections make-default REALM`."
        )
    if as_json:
        answer_json({**_told(ended.connection), "not_revoked": ended.not_revoked})
    else:
        answer(f"{ended.connection.company_name} is disconnected. Its links are kept.")
    if ended.not_revoked:
        raise CommandError(
            f"Intuit still holds the authorization: {ended.not_revoked} Run this again, or remove "
            "the app in QuickBooks under Apps."
        )


@app.command("forget")
def forget(
    company: Company,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask; for programs.")] = False,
) -> None:
    """Delete what is known of a disconnected company: links, history, exceptions, settings.

    Its audit log stays. Documents that were sent there are never sent to another company.
    """
    with opened_ledger() as ledger:
        with ledger.connect() as connection:
            key = connections.get(connection, company).company
        if not yes and typer.prompt(f"Type {key} to delete all of it", err=True) != key:
            raise CommandError("That is not its key. Nothing was deleted.")
        forgotten = disconnecting.forget_company(ledger, company)
    answer(f"{forgotten.company_name} is forgotten. Its partition goes within a minute.")


def _show(company: Connection) -> None:
    auto_sync = "on" if company.auto_sync else "off"
    rows = {
        "name": company.company_name,
        "realm": company.realm,
        "tenant": company.tenant,
        "state": f"{company.state}, auto-sync {auto_sync}",
        "books": f"{company.time_zone}, live since {company.go_live_date}",
        "default": "company of this tenant" if company.is_default else None,
    }
    answer_block(company.company, rows)


def _refresh_token(token_file: Path | None) -> str:
    if token_file is not None:
        return sys.stdin.read() if str(token_file) == "-" else token_file.read_text()
    if from_environment := os.environ.get(_TOKEN_VARIABLE):
        return from_environment
    if not sys.stdin.isatty():
        raise CommandError(
            "The refresh token is missing. Give it in a file (--token-file), in "
            f"{_TOKEN_VARIABLE}, or run this on a terminal to be asked for it."
        )
    token: str = typer.prompt("Refresh token", hide_input=True, err=True)
    return token


def tell_connected(connected: connecting.Connected, *, as_json: bool) -> None:
    company = connected.connection
    for kept in connected.kept:
        remark(f"Kept as it was: {kept}. `qbo-sync configure` changes settings.")
    if connected.waiting_for:
        remark(
            f"New documents wait for {connected.waiting_for}, the default company, which is not "
            "connected. To send them here: `qbo-sync connections make-default "
            f"{company.company}`."
        )
    if as_json:
        answer_json({**_told(company), "reconnected": connected.reconnected})
    elif connected.reconnected:
        answer(f"{company.company_name} is connected again. The next cycle catches up.")
    else:
        answer(
            f"{company.company_name} is connected as {company.company}; documents dated "
            f"{company.go_live_date} or later are sent. Check it with `qbo-sync doctor`."
        )


def _told(company: Connection) -> dict[str, object]:
    return {name: getattr(company, column) for name, column in _COLUMNS.items()}
