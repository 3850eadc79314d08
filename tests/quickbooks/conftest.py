"""A company at the other end of httpx's mock transport, a clock that only sleeping moves, and a
token store in memory: what the gateway's unit tests talk to."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest

from qbo_sync_dagster.quickbooks.calls import CallKind, CallRecord
from qbo_sync_dagster.quickbooks.client import QuickBooksClient
from qbo_sync_dagster.quickbooks.oauth import StoredTokens, TokenSource
from qbo_sync_dagster.quickbooks.pace import Pacer
from qbo_sync_dagster.quickbooks.settings import QuickBooksSettings

START = datetime(2026, 3, 2, 9, 0, tzinfo=UTC)
TOKEN_URL = "https://oauth.example.com/tokens/bearer"
API = "https://quickbooks.example.com/v3/company"

Reply = httpx.Response | Exception


@dataclass
class ManualClock:
    """Seconds that pass only by sleeping."""

    seconds: float = 1000.0
    sleeps: list[float] = field(default_factory=list)

    def monotonic(self) -> float:
        return self.seconds

    def now(self) -> datetime:
        return START + timedelta(seconds=self.seconds - 1000.0)

    def sleep(self, seconds: float) -> None:
        self.sleeps.append(seconds)
        self.seconds += seconds


class MemoryTokenStore:
    """A token store whose lock is real and whose events are kept in order."""

    def __init__(self, tokens: StoredTokens) -> None:
        self.tokens = tokens
        self.events: list[str] = []
        self._lock = threading.Lock()

    @contextmanager
    def exclusive(self, realm: str) -> Iterator[MemoryTokenStore]:
        with self._lock:
            yield self
            self.events.append("released")

    @property
    def current(self) -> StoredTokens:
        return self.tokens

    def save(self, new: StoredTokens) -> None:
        self.events.append("saved")
        self.tokens = new


@dataclass
class Company:
    """The far end: replies in order, requests kept, and a client that talks to it."""

    clock: ManualClock
    store: MemoryTokenStore
    replies: list[Reply | Callable[[httpx.Request], Reply]] = field(default_factory=list)
    token_replies: list[Reply] = field(default_factory=list)
    requests: list[httpx.Request] = field(default_factory=list)
    token_requests: list[httpx.Request] = field(default_factory=list)
    hooks: list[CallKind] = field(default_factory=list)
    records: list[CallRecord] = field(default_factory=list)
    settings: QuickBooksSettings = field(
        default_factory=lambda: QuickBooksSettings(API, TOKEN_URL, "app-id", "app-secret")
    )
    pacer: Pacer | None = None

    def answer(self, request: httpx.Request) -> httpx.Response:
        if str(request.url) == TOKEN_URL:
            self.token_requests.append(request)
            reply: Any = self.token_replies.pop(0)
        else:
            self.requests.append(request)
            self.store.events.append("called")
            reply = self.replies.pop(0)
        reply = reply(request) if callable(reply) else reply
        if isinstance(reply, Exception):
            raise reply
        assert isinstance(reply, httpx.Response)
        return reply

    def http(self) -> httpx.Client:
        return httpx.Client(transport=httpx.MockTransport(self.answer))

    def tokens(self) -> TokenSource:
        return TokenSource(self.store, self.http(), self.settings, self.clock.now)

    def client(self, **changes: Any) -> QuickBooksClient:
        self.pacer = self.pacer or Pacer(self.clock.monotonic, self.clock.sleep)
        wiring: dict[str, Any] = {
            "http": self.http(),
            "pace": self.pacer,
            "clock": self.clock.monotonic,
            "sleep": self.clock.sleep,
            "before_call": self.hooks.append,
            "meter": self.records.append,
        }
        return QuickBooksClient(self.settings, self.tokens(), "9341453", **(wiring | changes))

    def sent(self, index: int = -1) -> Any:
        """The JSON body of a request."""
        return json.loads(self.requests[index].content)


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock()


@pytest.fixture
def company(clock: ManualClock) -> Company:
    tokens = StoredTokens("access-1", START + timedelta(hours=1), "refresh-1", None)
    return Company(clock, MemoryTokenStore(tokens))


@pytest.fixture
def ok() -> Callable[..., httpx.Response]:
    """A 200 answer with QuickBooks' time and trace id."""

    def reply(body: dict[str, Any], **headers: str) -> httpx.Response:
        timed = {"time": "2026-03-02T01:00:00.500-08:00", **body}
        return httpx.Response(200, json=timed, headers={"intuit_tid": "1-abc", **headers})

    return reply


@pytest.fixture
def fault() -> Callable[..., httpx.Response]:
    """A service-level fault as Intuit sends it."""

    def reply(code: str, detail: str = "", status: int = 400, element: str = "") -> httpx.Response:
        error = {"Message": "A message", "Detail": detail, "code": code, "element": element}
        body = {"Fault": {"Error": [error], "type": "ValidationFault"}, "time": "x"}
        return httpx.Response(status, json=body, headers={"intuit_tid": "1-fault"})

    return reply


@pytest.fixture
def refused_token() -> httpx.Response:
    """The gateway's lower-case envelope for an expired access token."""
    message = "message=AuthenticationFailed; errorCode=003200; statusCode=401"
    error = {"message": message, "detail": "Token expired: access-1", "code": "3200"}
    body = {"warnings": None, "fault": {"error": [error], "type": "AUTHENTICATION"}, "time": 1}
    return httpx.Response(401, json=body)


@pytest.fixture
def fresh_tokens() -> httpx.Response:
    body = {
        "access_token": "access-2",
        "refresh_token": "refresh-2",
        "token_type": "bearer",
        "expires_in": 3600,
        "x_refresh_token_expires_in": 8726400,
    }
    return httpx.Response(200, json=body)
