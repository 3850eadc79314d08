"""The page on which somebody lets the app into a company, and the codes that it hands out.

Belongs here: what happens in the browser, and a code's life. Does not: tokens.
"""

from __future__ import annotations

import html
import secrets
from collections.abc import Mapping
from datetime import timedelta
from urllib.parse import urlencode

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request as HttpRequest
from starlette.responses import HTMLResponse, RedirectResponse, Response

from qbo_sync_dagster.sandbox.quickbooks.service import Service
from qbo_sync_dagster.sandbox.quickbooks.storage import Cursor, clock_now

_CODE_LIFE = timedelta(minutes=10)
_NEEDED = ("client_id", "response_type", "scope", "redirect_uri", "state")
_COMPANIES = "SELECT realm, company->>'name' FROM realm WHERE client_id = %s ORDER BY realm"
_INSERT = """
INSERT INTO authorization_code (code, realm, client_id, redirect_uri, expires_at)
VALUES (%s, %s, %s, %s, %s)
"""
_TAKE = """
DELETE FROM authorization_code WHERE code = %s RETURNING realm, client_id, redirect_uri, expires_at
"""


async def authorize_endpoint(http: HttpRequest) -> Response:
    """GET /connect/oauth2: which company may the app enter?"""
    asked = dict(http.query_params)
    missing = [name for name in _NEEDED if not asked.get(name)]
    if missing or asked["response_type"] != "code":
        return HTMLResponse(f"<p>Bad request: {', '.join(missing) or 'response_type'}</p>", 400)
    companies = await run_in_threadpool(_companies, http.app.state.service, asked["client_id"])
    if not companies:
        return HTMLResponse("<p>The app's client id is unknown.</p>", 400)
    choices = [(name, {"realm": realm}) for realm, name in companies.items()]
    links = "".join(
        f'<li><a href="/connect/oauth2/answer?{html.escape(urlencode(asked | more))}">'
        f"{html.escape(name)}</a></li>"
        for name, more in [*choices, ("Cancel", {"cancel": "yes"})]
    )
    return HTMLResponse(f"<h1>Connect to which company?</h1><ul>{links}</ul>")


async def answer_endpoint(http: HttpRequest) -> Response:
    """GET /connect/oauth2/answer: back to the app, with a code or a refusal."""
    asked = dict(http.query_params)
    back = {"state": asked["state"]}
    if "realm" in asked:
        code = await run_in_threadpool(_issue, http.app.state.service, asked)
        back |= {"code": code, "realmId": asked["realm"]}
    else:
        back |= {"error": "access_denied"}
    return RedirectResponse(f"{asked['redirect_uri']}?{urlencode(back)}", 302)


def take_code(cursor: Cursor, form: Mapping[str, str]) -> tuple[str, str] | None:
    """Company and client id of a code, which is good once; None if it is not good."""
    cursor.execute(_TAKE, (form.get("code", ""),))
    row = cursor.fetchone()
    if row is None or row[2] != form.get("redirect_uri") or clock_now(cursor) >= row[3]:
        return None
    return row[0], row[1]


def _companies(service: Service, client_id: str) -> dict[str, str]:
    with service.storage.transaction() as cursor:
        cursor.execute(_COMPANIES, (client_id,))
        return {realm: name or realm for realm, name in cursor.fetchall()}


def _issue(service: Service, asked: Mapping[str, str]) -> str:
    code = f"AB11{secrets.token_urlsafe(30)}"
    with service.storage.transaction() as cursor:
        expires_at = clock_now(cursor) + _CODE_LIFE
        values = (code, asked["realm"], asked["client_id"], asked["redirect_uri"], expires_at)
        cursor.execute(_INSERT, values)
    return code
