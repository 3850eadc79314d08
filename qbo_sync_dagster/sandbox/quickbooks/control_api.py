"""The control endpoints: what tests and the demo do to the sandbox, and what they look up.

Belongs here: JSON in, JSON out. Does not: anything a real company would answer.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request as HttpRequest
from starlette.responses import Response
from starlette.routing import Route

from qbo_sync_dagster.sandbox.quickbooks import bookkeeper, calls, injection, tokens
from qbo_sync_dagster.sandbox.quickbooks.books import Books
from qbo_sync_dagster.sandbox.quickbooks.faults import ApiFault
from qbo_sync_dagster.sandbox.quickbooks.injection import RuleError
from qbo_sync_dagster.sandbox.quickbooks.realms import (
    UnknownRealmError,
    change_switches,
    insert_realm,
    load_realm,
    realm_ids,
)
from qbo_sync_dagster.sandbox.quickbooks.service import Service
from qbo_sync_dagster.sandbox.quickbooks.storage import (
    Cursor,
    advance_clock,
    clock_now,
    reset_clock,
)
from qbo_sync_dagster.sandbox.quickbooks.switches import SwitchError, Switches
from qbo_sync_dagster.sandbox.quickbooks.wire import Json, decode, encode

_OBJECTS = """
SELECT deleted, body FROM object
WHERE realm = %s AND (%s IS NULL OR entity = %s) ORDER BY entity, number, id
"""
_MANY = 500

Handler = Callable[[Cursor, Json, Json], object]


def control_routes() -> list[Route]:
    """All routes below /control."""
    realm = "/control/realms/{realm}"
    return [
        Route("/control/reset", _reset, methods=["POST"]),
        _route("GET", "/control/clock", _clock),
        _route("POST", "/control/clock/advance", _advance),
        _route("POST", "/control/clock/reset", _reset_clock),
        _route("GET", "/control/realms", lambda cursor, _path, _body: realm_ids(cursor)),
        _route("POST", "/control/realms", _create_realm),
        _route("GET", f"{realm}/switches", _switches),
        _route("PATCH", f"{realm}/switches", _set_switches),
        _route("POST", f"{realm}/seed", _seed),
        _route("POST", f"{realm}/acts", _act),
        _route("GET", realm + "/objects", _objects),
        _route("GET", realm + "/objects/{entity}", _objects),
        _route("GET", f"{realm}/calls", _calls),
        _route("DELETE", f"{realm}/calls", _forget_calls),
        _route("POST", f"{realm}/tokens", _issue_token),
        _route("POST", f"{realm}/tokens/revoke", _revoke),
        _route("POST", f"{realm}/tokens/expire", _expire),
        _route("DELETE", f"{realm}/faults", _clear_faults),
        _route("POST", "/control/faults", _add_fault),
        _route("DELETE", "/control/faults", _clear_faults),
    ]


def _route(method: str, path: str, handler: Handler) -> Route:
    async def endpoint(http: HttpRequest) -> Response:
        raw = await http.body()
        body = decode(raw) if raw else {}
        assert isinstance(body, dict)  # noqa: S101  (our own client sends nothing else)
        status, answer = await run_in_threadpool(_handled, http, handler, body)
        return Response(encode(answer), status, media_type="application/json")

    return Route(path, endpoint, methods=[method])


def _handled(http: HttpRequest, handler: Handler, body: Json) -> tuple[int, object]:
    service: Service = http.app.state.service
    try:
        with service.storage.transaction() as cursor:
            return 200, handler(cursor, dict(http.path_params), body)
    except ApiFault as refusal:
        return 400, {"Fault": refusal.as_json()}
    except (SwitchError, RuleError) as error:
        return 422, {"error": str(error)}
    except UnknownRealmError as error:
        return 404, {"error": f"There is no company {error}."}


async def _reset(http: HttpRequest) -> Response:
    service: Service = http.app.state.service
    await run_in_threadpool(service.storage.empty)
    return Response("{}", media_type="application/json")


def _books(cursor: Cursor, path: Json) -> Books:
    return Books(cursor, load_realm(cursor, path["realm"], lock=True), clock_now(cursor))


def _clock(cursor: Cursor, path: Json, body: Json) -> Json:
    return {"now": clock_now(cursor).isoformat()}


def _advance(cursor: Cursor, path: Json, body: Json) -> Json:
    advance_clock(cursor, float(body["seconds"]))
    return _clock(cursor, path, body)


def _reset_clock(cursor: Cursor, path: Json, body: Json) -> Json:
    reset_clock(cursor)
    return _clock(cursor, path, body)


def _create_realm(cursor: Cursor, path: Json, body: Json) -> Json:
    switches = Switches().changed(body.get("switches", {}))
    client = (body["client_id"], body["client_secret"])
    insert_realm(cursor, body["realm"], client, {"name": body["name"]}, switches)
    books = _books(cursor, body)
    if body.get("furnished", True):
        bookkeeper.furnish(books)
        books.flush()
    token = tokens.issue_refresh_token(cursor, body["realm"], books.now)
    return {"realm": body["realm"], "refresh_token": token}


def _switches(cursor: Cursor, path: Json, body: Json) -> Json:
    return load_realm(cursor, path["realm"]).switches.as_json()


def _set_switches(cursor: Cursor, path: Json, body: Json) -> Json:
    realm = load_realm(cursor, path["realm"], lock=True)
    return change_switches(cursor, realm, body).as_json()


def _seed(cursor: Cursor, path: Json, body: Json) -> Json:
    books = _books(cursor, path)
    identities = bookkeeper.seed(books, body["objects"])
    books.flush()
    if len(identities) >= _MANY:
        # Otherwise the planner believes in an empty table until autovacuum comes by.
        cursor.execute("ANALYZE object")
    return {"ids": identities}


def _act(cursor: Cursor, path: Json, body: Json) -> Json:
    books = _books(cursor, path)
    result = bookkeeper.act(books, body["act"], body["entity"], body["body"])
    books.flush()
    return {"object": result}


def _objects(cursor: Cursor, path: Json, body: Json) -> Json:
    load_realm(cursor, path["realm"])
    entity = path.get("entity")
    cursor.execute(_OBJECTS, (path["realm"], entity, entity))
    live: list[Any] = []
    deleted: list[Any] = []
    for is_deleted, text in cursor.fetchall():
        (deleted if is_deleted else live).append(decode(text))
    return {"live": live, "deleted": deleted}


def _calls(cursor: Cursor, path: Json, body: Json) -> Json:
    return {"calls": calls.listed(cursor, path["realm"])}


def _forget_calls(cursor: Cursor, path: Json, body: Json) -> Json:
    calls.forget(cursor, path["realm"])
    return {}


def _issue_token(cursor: Cursor, path: Json, body: Json) -> Json:
    realm = load_realm(cursor, path["realm"])
    token = tokens.issue_refresh_token(cursor, realm.id, clock_now(cursor))
    return {"refresh_token": token}


def _revoke(cursor: Cursor, path: Json, body: Json) -> Json:
    tokens.revoke_realm(cursor, path["realm"])
    return {}


def _expire(cursor: Cursor, path: Json, body: Json) -> Json:
    tokens.expire_access(cursor, path["realm"], clock_now(cursor))
    return {}


def _add_fault(cursor: Cursor, path: Json, body: Json) -> Json:
    return {"id": injection.add_rule(cursor, body)}


def _clear_faults(cursor: Cursor, path: Json, body: Json) -> Json:
    injection.clear_rules(cursor, path.get("realm"))
    return {}
