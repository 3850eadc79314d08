"""The ASGI application: all routes of the sandbox over one database.

Belongs here: routing and wiring. Does not: what any route does.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from starlette.applications import Starlette
from starlette.requests import Request as HttpRequest
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route
from starlette.types import ASGIApp, Receive, Scope, Send

from qbo_sync_dagster.sandbox.quickbooks.company_api import HANG_UP, company_endpoint
from qbo_sync_dagster.sandbox.quickbooks.consent import answer_endpoint, authorize_endpoint
from qbo_sync_dagster.sandbox.quickbooks.control_api import control_routes
from qbo_sync_dagster.sandbox.quickbooks.oauth import revoke_endpoint, token_endpoint
from qbo_sync_dagster.sandbox.quickbooks.service import Service
from qbo_sync_dagster.sandbox.quickbooks.storage import Storage


def build_app(dsn: str) -> ASGIApp:
    """The sandbox over the database of this URL; its tables are made if they are not there."""
    app = Starlette(
        routes=[
            Route("/health", _health),
            Route("/connect/oauth2", authorize_endpoint),
            Route("/connect/oauth2/answer", answer_endpoint),
            Route("/oauth2/v1/tokens/bearer", token_endpoint, methods=["POST"]),
            Route("/v2/oauth2/tokens/revoke", revoke_endpoint, methods=["POST"]),
            Route("/v3/company/{realm}/{rest:path}", company_endpoint, methods=["GET", "POST"]),
            *control_routes(),
        ]
    )
    app.state.service = Service(Storage(dsn))
    return _with_hang_up(app)


async def _health(_http: HttpRequest) -> Response:
    return PlainTextResponse("ok")


def _with_hang_up(app: ASGIApp) -> ASGIApp:
    """Let an endpoint close the connection: ASGI itself knows no such thing, but uvicorn's `send`
    is a method of the object that holds the connection."""

    async def outermost(scope: Scope, receive: Receive, send: Send) -> None:
        scope[HANG_UP] = _closer(send)
        await app(scope, receive, send)

    return outermost


def _closer(send: Any) -> Callable[[], None]:  # noqa: ANN401  (a bound method of uvicorn)
    cycle = getattr(send, "__self__", None)

    def close() -> None:
        cycle.transport.abort()  # type: ignore[union-attr]

    return close
