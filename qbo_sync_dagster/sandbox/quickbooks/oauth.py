"""The OAuth endpoints: code for tokens, refresh and revoke.

Belongs here: form bodies, client authentication, OAuth's own error format. Does not: tokens.
"""

from __future__ import annotations

import asyncio
import base64
import binascii
from collections.abc import Mapping
from urllib.parse import parse_qs

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request as HttpRequest
from starlette.responses import Response

from qbo_sync_dagster.sandbox.quickbooks import calls, consent, injection, tokens
from qbo_sync_dagster.sandbox.quickbooks.company_api import hung_up, response
from qbo_sync_dagster.sandbox.quickbooks.injection import Effect
from qbo_sync_dagster.sandbox.quickbooks.realms import Realm, load_realm
from qbo_sync_dagster.sandbox.quickbooks.service import HTML, Answer, Service
from qbo_sync_dagster.sandbox.quickbooks.storage import Cursor, clock_now
from qbo_sync_dagster.sandbox.quickbooks.wire import Json, decode, encode

_HARD_END_HEADER = "x-include-refresh-token-hard-expires-in"


async def token_endpoint(http: HttpRequest) -> Response:
    """POST /oauth2/v1/tokens/bearer with grant_type refresh_token or authorization_code."""
    form = {name: values[0] for name, values in parse_qs((await http.body()).decode()).items()}
    service: Service = http.app.state.service
    answer = await run_in_threadpool(_token_answer, service, http.headers, form)
    if answer.effect is not None:
        await asyncio.sleep(answer.effect.seconds)
        if answer.effect.hangs_up:
            return await hung_up(http)
    return response(answer)


async def revoke_endpoint(http: HttpRequest) -> Response:
    """POST /v2/oauth2/tokens/revoke with {"token": ...}; an empty answer."""
    service: Service = http.app.state.service
    body = decode(await http.body())
    token = str(body.get("token", "")) if isinstance(body, dict) else ""
    return response(await run_in_threadpool(_revoke, service, http.headers, token))


def _token_answer(service: Service, headers: Mapping[str, str], form: Mapping[str, str]) -> Answer:
    if form.get("grant_type") == "authorization_code":
        return _granted(service, headers, form)
    if form.get("grant_type") != "refresh_token":
        return _error(400, "unsupported_grant_type")
    with service.storage.transaction() as cursor:
        token = form.get("refresh_token", "")
        realm_id = tokens.realm_of(cursor, token)
        if realm_id is None:
            return _error(400, "invalid_grant", "Incorrect or invalid refresh token")
        realm = load_realm(cursor, realm_id)
        if _client(headers, form) != (realm.client_id, realm.client_secret):
            return _error(401, "invalid_client")
        answer = _with_effect(cursor, realm, token, headers)
        _log(cursor, realm, answer)
        return answer


def _granted(service: Service, headers: Mapping[str, str], form: Mapping[str, str]) -> Answer:
    with service.storage.transaction() as cursor:
        found = consent.take_code(cursor, form)
        if found is None:
            return _error(400, "invalid_grant", "Invalid authorization code")
        realm = load_realm(cursor, found[0])
        if _client(headers, form) != (realm.client_id, realm.client_secret):
            return _error(401, "invalid_client")
        token = tokens.issue_refresh_token(cursor, realm.id, clock_now(cursor))
        answer = _with_effect(cursor, realm, token, headers)
        _log(cursor, realm, answer)
        return answer


def _with_effect(cursor: Cursor, realm: Realm, token: str, headers: Mapping[str, str]) -> Answer:
    rules = injection.live_rules(cursor, realm.id)
    effect = injection.effect_on(cursor, rules, "token", "", "")
    if effect is not None and effect.is_before:
        return _instead(effect)
    answer = _refreshed(cursor, realm, token, headers)
    if effect is None:
        return answer
    return Answer(answer.status, injection.spoiled(effect, answer.body), effect=effect)


def _refreshed(cursor: Cursor, realm: Realm, token: str, headers: Mapping[str, str]) -> Answer:
    rotate = realm.switches.rotate_always
    try:
        grant = tokens.refresh(cursor, token, clock_now(cursor), rotate_always=rotate)
    except tokens.InvalidGrantError:
        return _error(400, "invalid_grant", "Incorrect or invalid refresh token")
    content: Json = {
        "token_type": "bearer",
        "expires_in": tokens.ACCESS_SECONDS,
        "refresh_token": grant.refresh_token,
        "x_refresh_token_expires_in": grant.refresh_seconds,
        "access_token": grant.access_token,
    }
    if headers.get(_HARD_END_HEADER) == "true":
        content["x_refresh_token_hard_expires_in"] = grant.hard_seconds
    return Answer(200, encode(content), "application/json;charset=utf-8")


def _instead(effect: Effect) -> Answer:
    if effect.hangs_up:
        return Answer(0, "", effect=effect)
    if effect.name == "fault":
        return _error(400, effect.argument or "invalid_grant")
    if effect.name in {"502_html", "html_200"}:
        return Answer(502 if effect.name == "502_html" else 200, HTML, "text/html")
    status = int(effect.name) if effect.name.isdecimal() else 500
    return _error(status, "server_error")


def _client(headers: Mapping[str, str], form: Mapping[str, str]) -> tuple[str, str]:
    """Client id and secret, from Basic authentication or the form."""
    scheme, _, encoded = headers.get("authorization", "").partition(" ")
    if scheme.lower() != "basic":
        return form.get("client_id", ""), form.get("client_secret", "")
    try:
        name, _, secret = base64.b64decode(encoded).decode().partition(":")
    except (binascii.Error, UnicodeDecodeError):
        return "", ""
    return name, secret


def _revoke(service: Service, headers: Mapping[str, str], token: str) -> Answer:
    with service.storage.transaction() as cursor:
        realm_id = tokens.realm_of(cursor, token)
        if realm_id is not None:
            realm = load_realm(cursor, realm_id)
            if _client(headers, {}) != (realm.client_id, realm.client_secret):
                return _error(401, "invalid_client")
        if not tokens.revoke(cursor, token):
            return _error(400, "invalid_request")
        return Answer(200, "")


def _error(status: int, name: str, description: str = "") -> Answer:
    content = {"error": name}
    if description:
        content["error_description"] = description
    return Answer(status, encode(content))


def _log(cursor: Cursor, realm: Realm, answer: Answer) -> None:
    call = calls.LoggedCall(
        realm=realm.id,
        kind="token",
        entity="",
        request_id="",
        items=1,
        metered=0,
        bytes_in=0,
        bytes_out=len(answer.body),
        status=answer.status,
        at=clock_now(cursor),
    )
    calls.log(cursor, call)
