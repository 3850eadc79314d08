"""`qbo-sync sandbox`: the local QuickBooks Online alone, for trying the engine against it."""

from __future__ import annotations

import time
from contextlib import suppress
from pathlib import Path
from typing import Annotated

import httpx
import typer

from qbo_sync_dagster.cli.demo.folder import data_folder, only_one
from qbo_sync_dagster.cli.demo.services import chosen_port
from qbo_sync_dagster.cli.ending import EndAskedError, orderly_end
from qbo_sync_dagster.cli.errors import CommandError
from qbo_sync_dagster.cli.failures import command_group
from qbo_sync_dagster.cli.output import JsonFlag, answer, answer_json, remark, working
from qbo_sync_dagster.sandbox import postgres
from qbo_sync_dagster.sandbox.quickbooks.control import CLIENT_ID, CLIENT_SECRET
from qbo_sync_dagster.sandbox.quickbooks.process import SandboxProcess

app = command_group("sandbox", "A local QuickBooks Online.")

_FIRST_COMPANY = "Northwind IT"
_CHECK_SECONDS = 2.0


@app.callback()
def group() -> None:
    """Keep `serve` a command of its own, although it is the only one."""


@app.command("serve")
def serve(
    port: Annotated[int, typer.Option(help="Port to listen on; 0 takes any free one.")] = 8765,
    as_json: JsonFlag = False,
) -> None:
    """Serve a sandbox QuickBooks Online until it is ended; its companies are kept."""
    with only_one(folder := data_folder("sandbox"), "sandbox"):
        free_port = chosen_port(port) if port else 0
        try:
            with suppress(EndAskedError), orderly_end():
                _serve(folder / "postgres", free_port, as_json=as_json)
        finally:
            postgres.stop_server(folder / "postgres")
    remark("The sandbox has ended.")


def _serve(server_folder: Path, port: int, *, as_json: bool) -> None:
    with working("Starting PostgreSQL ..."):
        server = postgres.start(server_folder)
    with SandboxProcess(server.create_database("quickbooks"), port) as sandbox:
        _announce(sandbox, as_json=as_json)
        try:
            while sandbox.control.realms():
                time.sleep(_CHECK_SECONDS)
        except httpx.HTTPError as error:
            raise CommandError("The sandbox ended by itself. Start it again.") from error


def _settings(sandbox: SandboxProcess) -> dict[str, str]:
    first = sandbox.control.realms()[0]
    return {
        "QBO_ENVIRONMENT": "sandbox",
        "QBO_ALLOW_OTHER_HOSTS": "true",
        "QBO_API_BASE_URL": sandbox.api_base,
        "QBO_OAUTH_TOKEN_URL": sandbox.token_url,
        "QBO_OAUTH_AUTHORIZE_URL": sandbox.control.authorize_url,
        "QBO_OAUTH_REVOKE_URL": sandbox.control.revoke_url,
        "QBO_CLIENT_ID": CLIENT_ID,
        "QBO_CLIENT_SECRET": CLIENT_SECRET,
        "QBO_REFRESH_TOKEN": sandbox.control.refresh_token(first),
    }


def _announce(sandbox: SandboxProcess, *, as_json: bool) -> None:
    if not sandbox.control.realms():
        sandbox.control.create_realm(_FIRST_COMPANY)
    settings = _settings(sandbox)
    realms = sandbox.control.realms()
    if as_json:
        answer_json({"url": sandbox.base_url, "realms": realms, "environment": settings})
        return
    answer(f"# The sandbox listens at {sandbox.base_url}; its remote control is under /control.")
    answer(f"# Companies: {', '.join(realms)}. A refresh token of the first is below.")
    for name, value in settings.items():
        answer(f"export {name}={value}")
