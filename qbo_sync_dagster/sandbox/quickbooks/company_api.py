"""The company endpoints over HTTP: from a Starlette request to a call, and the answer back.

Belongs here: URLs, headers, content types, delays and lost connections. Does not: the books.
"""

from __future__ import annotations

import asyncio
from contextlib import suppress
from typing import Any

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request as HttpRequest
from starlette.responses import Response

from qbo_sync_dagster.sandbox.quickbooks import dispatch
from qbo_sync_dagster.sandbox.quickbooks.entities import BY_SEGMENT, SINGLETONS
from qbo_sync_dagster.sandbox.quickbooks.faults import ApiFault, fault, unsupported
from qbo_sync_dagster.sandbox.quickbooks.query import refused_statement
from qbo_sync_dagster.sandbox.quickbooks.service import (
    HTML,
    Answer,
    Request,
    Service,
    transaction_id,
)
from qbo_sync_dagster.sandbox.quickbooks.wire import Json, decode

_SINGLETON_SEGMENTS = {name.lower(): name for name in SINGLETONS}
# Where the outermost layer leaves the way to close the connection.
HANG_UP = "sandbox.hang_up"


async def company_endpoint(http: HttpRequest) -> Response:
    """Any call below /v3/company/{realm}/."""
    service: Service = http.app.state.service
    request = read_request(http, await http.body())
    answer = await run_in_threadpool(service.answer, request)
    effect = answer.effect
    delay = answer.latency_ms / 1000 + (effect.seconds if effect else 0)
    if delay:
        # A server that is told to end does not wait for its slowest answer.
        with suppress(asyncio.CancelledError):
            await asyncio.sleep(delay)
    if effect is not None and effect.hangs_up:
        return await hung_up(http)
    if effect is not None and effect.name == "502_after_commit":
        answer = Answer(502, HTML, "text/html")
    return response(answer)


def response(answer: Answer) -> Response:
    """The answer with the headers that Intuit sends."""
    headers = {
        "intuit_tid": transaction_id(),
        "qbo-version": "sandbox",
        "cache-control": "max-age=0, no-cache, no-store, must-revalidate, private",
        "x-content-type-options": "nosniff",
        **answer.headers,
        "content-type": answer.content_type,
    }
    return Response(answer.body, answer.status, headers)


async def hung_up(http: HttpRequest) -> Response:
    """Close the connection without an answer."""
    http.scope[HANG_UP]()
    # The server must notice the closed connection before it sees this response.
    await asyncio.sleep(0.01)
    return Response()


def read_request(http: HttpRequest, raw: bytes) -> Request:
    """What the call asks for. A call that makes no sense carries its refusal with it: who may
    call at all is judged first."""
    base = Request(
        realm=http.path_params["realm"],
        authorization=http.headers.get("authorization", ""),
        kind="read" if http.method == "GET" else "create",
        entity="",
        request_id=http.query_params.get("requestid", ""),
        raw=raw.decode("utf-8", "replace") or str(http.url.query),
    )
    try:
        return _parsed(http, base, raw)
    except ApiFault as refusal:
        return _with(base, refusal=refusal)


def _parsed(http: HttpRequest, base: Request, raw: bytes) -> Request:
    segment, _, identity = http.path_params["rest"].strip("/").partition("/")
    if segment == "query":
        statement = _statement(http, raw)
        entity = dispatch.queried_entity(statement)
        return _with(base, kind="query", statement=statement, entity=entity, raw=statement)
    _check_accepts_json(http)
    if segment == "cdc" and http.method == "GET":
        names = http.query_params.get("entities", "")
        since = http.query_params.get("changedSince", "")
        return _with(base, kind="cdc", entity=names, changed_since=since)
    if segment == "batch" and http.method == "POST":
        return _with(base, kind="batch", envelope=_json(http, raw))
    if segment in _SINGLETON_SEGMENTS and http.method == "GET":
        return _with(base, kind="read", entity=_SINGLETON_SEGMENTS[segment])
    if segment not in BY_SEGMENT:
        raise unsupported(segment[:60] or "of no entity")
    entity = BY_SEGMENT[segment].name
    if "/" in identity:
        raise unsupported(f"{segment}/{identity[:40]}")
    if http.method == "GET":
        if "include" in http.query_params:
            raise unsupported("include in a read")
        return _with(base, kind="read", entity=entity, identity=identity or "0")
    if identity:
        raise unsupported(f"POST {segment}/{identity[:40]}")
    return _write(http, _with(base, entity=entity), raw)


def _write(http: HttpRequest, base: Request, raw: bytes) -> Request:
    body = _json(http, raw)
    if not isinstance(body, dict):
        raise fault("2010", "Property Name:failed to parse json object")
    operation = http.query_params.get("operation", "")
    include = http.query_params.get("include", "")
    includes = tuple(include.split(",")) if include else ()
    kind = dispatch.kind_of_write(operation, includes, body)
    if kind == "void":
        # Each has its own form of void and refuses the other's.
        expected = "void" if base.entity == "Invoice" else "update"
        if operation != expected:
            raise unsupported(f"void of {base.entity} as operation={operation}")
    return _with(base, kind=kind, body=body, includes=includes)


def _with(base: Request, **values: Any) -> Request:  # noqa: ANN401  (fields of Request)
    names = base.__slots__
    return Request(**{**{name: getattr(base, name) for name in names}, **values})


def _check_accepts_json(http: HttpRequest) -> None:
    """Clients that do not ask for JSON get XML from Intuit, which is not modelled."""
    if "application/json" not in http.headers.get("accept", ""):
        raise unsupported("an answer in XML (send Accept: application/json): it")


def _statement(http: HttpRequest, raw: bytes) -> str:
    if http.method == "GET":
        _check_accepts_json(http)
        return http.query_params.get("query", "")
    if not http.headers.get("content-type", "").startswith("application/text"):
        raise refused_statement()
    _check_accepts_json(http)
    return raw.decode("utf-8", "replace")


def _json(http: HttpRequest, raw: bytes) -> Json | object:
    if not http.headers.get("content-type", "").startswith("application/json"):
        raise unsupported("a body that is not application/json: it")
    try:
        return decode(raw)
    except ValueError as error:
        raise fault("2010", "Property Name:failed to parse json object") from error
