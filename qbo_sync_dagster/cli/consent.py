"""`qbo-sync connect` and `qbo-sync connections reconnect`: a consent given in the browser."""

from __future__ import annotations

import sys
import webbrowser
from typing import Annotated
from urllib.parse import urlsplit

import typer

from qbo_sync_dagster.actions import consenting, values
from qbo_sync_dagster.cli.callback import CallbackServer
from qbo_sync_dagster.cli.connections import tell_connected
from qbo_sync_dagster.cli.errors import CommandError
from qbo_sync_dagster.cli.opening import opened_engine
from qbo_sync_dagster.cli.output import JsonFlag, remark
from qbo_sync_dagster.cli.parameters import Company
from qbo_sync_dagster.quickbooks import consent
from qbo_sync_dagster.sync.engine import SyncEngine

_PORT = 8477
_WAIT_SECONDS = 600.0

Port = Annotated[int, typer.Option(help="Local port for Intuit's answer.")]
RedirectUri = Annotated[
    str | None,
    typer.Option(
        help="The redirect URI that the Intuit app lists, if it is another than "
        f"http://localhost:{_PORT}/callback. Must lead to this machine, unless --paste is given."
    ),
]
Browser = Annotated[bool, typer.Option(help="Open the page in a browser, or only print it.")]
Paste = Annotated[
    bool,
    typer.Option("--paste", help="Paste the address the browser ended at; for a remote machine."),
]


def connect(
    tenant: Annotated[str, typer.Option(help="AlgaPSA's tenant id.")],
    time_zone: Annotated[str, typer.Option(help="The books' time zone: America/New_York.")],
    name: Annotated[
        str | None, typer.Option(help="The company's name, for people; QuickBooks' without it.")
    ] = None,
    go_live: Annotated[
        str | None,
        typer.Option(help="First day whose documents are sent: 2026-01-31; today without it."),
    ] = None,
    port: Port = _PORT,
    redirect_uri: RedirectUri = None,
    browser: Browser = True,
    paste: Paste = False,
    as_json: JsonFlag = False,
) -> None:
    """Connect a QuickBooks company: choose it at Intuit, in the browser."""
    wanted = consenting.CompanyToAdd(
        tenant=values.read_algapsa_id(tenant, "The tenant"),
        time_zone=values.read_time_zone(time_zone),
        company_name=name,
        go_live_date=values.read_date(go_live, "--go-live") if go_live else None,
    )
    with opened_engine() as engine:
        request, query = _asked(engine, port, redirect_uri, browser=browser, paste=paste)
        connected = consenting.connect_with_consent(engine, request, query, wanted)
    tell_connected(connected, as_json=as_json)


def reconnect(
    company: Company,
    port: Port = _PORT,
    redirect_uri: RedirectUri = None,
    browser: Browser = True,
    paste: Paste = False,
    as_json: JsonFlag = False,
) -> None:
    """Renew a company's authorization in the browser. Links, settings and position are kept."""
    with opened_engine() as engine:
        standing = consenting.company_to_reconnect(engine, company)
        request, query = _asked(engine, port, redirect_uri, browser=browser, paste=paste)
        connected = consenting.reconnect_with_consent(engine, standing, request, query)
    tell_connected(connected, as_json=as_json)


def _asked(
    engine: SyncEngine, port: int, redirect_uri: str | None, *, browser: bool, paste: bool
) -> tuple[consent.ConsentRequest, str]:
    """The question and the query that came back."""
    if paste:
        request = consent.new_request(redirect_uri or f"http://localhost:{port}/callback")
        _show(engine, request, browser=browser)
        return request, _pasted()
    try:
        server = CallbackServer(port)
    except OSError as error:
        raise CommandError(
            f"Port {port} of this machine is taken ({error.strerror}). Choose another one with "
            "--port, and list its address in the Intuit app."
        ) from error
    try:
        request = consent.new_request(redirect_uri or server.redirect_uri)
        _show(engine, request, browser=browser)
        query = server.wait(lambda query: _is_ours(query, request), _WAIT_SECONDS)
    finally:
        server.close()
    if query is None:
        raise CommandError("Nobody agreed within 10 minutes. Run this again.")
    return request, query


def _is_ours(query: str, request: consent.ConsentRequest) -> None:
    """Let a refusal at Intuit pass, too: it ends the wait, and is told when it is read."""
    try:
        consent.read_answer(query, request)
    except consent.ConsentError as error:
        if error.code is None:
            raise


def _show(engine: SyncEngine, request: consent.ConsentRequest, *, browser: bool) -> None:
    url = consent.consent_url(engine.config.quickbooks, request)
    remark("Open this page, choose the company and agree:")
    remark(url)
    if browser:
        webbrowser.open(url)


def _pasted() -> str:
    remark("Then paste the whole address that the browser ended at:")
    return urlsplit(_pasted_line().strip()).query


def _pasted_line() -> str:
    return sys.stdin.readline()
