"""One call over HTTP until it is answered or given up: tokens, pace, retries, faults.

What belongs here: how a call is sent and what its answer means for sending. What does not: which
calls exist. stamina is not used for the read retries: it sleeps on its own, and here every wait
must go through the injected sleep, with the cycle's lease renewed before it.
"""

from __future__ import annotations

import secrets
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

import httpx

from qbo_sync_dagster.quickbooks.bounded import (
    ACCEPTED_ENCODING,
    AnswerRefusedError,
    read_content,
)
from qbo_sync_dagster.quickbooks.calls import Call, CallKind, CallRecord
from qbo_sync_dagster.quickbooks.errors import ConnectionDeadError, NoAnswerError, ThrottledError
from qbo_sync_dagster.quickbooks.faults import (
    ACCESS_TOKEN_REJECTED,
    THROTTLE_SECONDS,
    Fault,
    error_for,
    parse_fault,
)
from qbo_sync_dagster.quickbooks.oauth import TokenSource
from qbo_sync_dagster.quickbooks.pace import Pacer
from qbo_sync_dagster.quickbooks.settings import QuickBooksSettings
from qbo_sync_dagster.quickbooks.wire import UnreadableAnswerError, decode_json

# Intuit cuts its own calls here, so a trickle that lasts longer is no answer.
LONGEST_ANSWER_SECONDS = 120.0
_READ_TRIES = 3
_FIRST_RETRY_SECONDS = 1.0
_LONGEST_RETRY_AFTER = 600.0
_SHORT_WAIT_SECONDS = 10.0
_NEVER_SENT = (
    httpx.ConnectError,
    httpx.ConnectTimeout,
    httpx.PoolTimeout,
    httpx.UnsupportedProtocol,
    httpx.InvalidURL,
)
_jitter = secrets.SystemRandom()


@dataclass(frozen=True, slots=True)
class Answer:
    """A call's JSON object; faults never get this far."""

    body: dict[str, Any]
    intuit_tid: str | None
    http_status: int


@dataclass(frozen=True, slots=True)
class _Reply:
    status: int
    content: bytes
    intuit_tid: str | None
    retry_after: float


class _AccessTokenRefusedError(Exception):
    """QuickBooks refused the access token: refresh it and send the same call once more."""

    def __init__(self, death: ConnectionDeadError) -> None:
        super().__init__(str(death))
        self.death = death


def short_waits_only(seconds: float) -> bool:
    """The wait budget of a caller without a deadline: retries yes, a minute's throttling no."""
    return seconds <= _SHORT_WAIT_SECONDS


def new_http_client(settings: QuickBooksSettings) -> httpx.Client:
    """The connection pool for one process. Idle connections are dropped before servers drop them
    (uvicorn after 5 s): a write on a dying connection would be left in doubt for nothing."""
    return httpx.Client(
        timeout=httpx.Timeout(settings.timeout_seconds, connect=settings.connect_timeout_seconds),
        limits=httpx.Limits(max_connections=10, keepalive_expiry=3.0),
        follow_redirects=False,
        headers={"Accept-Encoding": ACCEPTED_ENCODING},
    )


class Transport:
    """Sends the calls of one realm. `clock` is monotonic seconds."""

    def __init__(
        self,
        settings: QuickBooksSettings,
        tokens: TokenSource,
        realm: str,
        *,
        http: httpx.Client,
        pace: Pacer,
        clock: Callable[[], float],
        sleep: Callable[[float], None],
        before_call: Callable[[CallKind], None],
        meter: Callable[[CallRecord], None],
        wait_budget: Callable[[float], bool],
    ) -> None:
        self._settings = settings
        self._tokens = tokens
        self._realm = realm
        self._company_url = f"{settings.api_base_url.rstrip('/')}/{quote(realm, safe='')}"
        self._http = http
        self._pace = pace
        self._clock = clock
        self._sleep = sleep
        self._before_call = before_call
        self._meter = meter
        self._wait_budget = wait_budget

    def run(self, call: Call) -> Answer:
        """The answer to `call`.

        Sent once more after a refused access token; after 429 as long as the wait budget allows
        (429 says that nothing was done); a read, but never a write, again after no answer.
        """
        rejected: str | None = None
        unanswered = 0
        while True:
            token = ""
            try:
                token = self._tokens.access_token(self._realm, rejected=rejected)
                return self._send(call, token)
            except _AccessTokenRefusedError as refusal:
                if rejected is not None:
                    raise refusal.death from None
                rejected = token
            except ThrottledError as throttled:
                self._pace.pause(throttled.retry_after)
                if not self._wait_budget(throttled.retry_after):
                    raise
            except NoAnswerError:
                unanswered += 1
                wait = _FIRST_RETRY_SECONDS * 4 ** (unanswered - 1) + _jitter.uniform(0, 1)
                if not call.kind.metered or unanswered >= _READ_TRIES:
                    raise
                if not self._wait_budget(wait):
                    raise
                self._before_call(call.kind)
                self._sleep(wait)

    def _send(self, call: Call, token: str) -> Answer:
        renew = lambda: self._before_call(call.kind)  # noqa: E731
        with self._pace.slot(batch=call.kind is CallKind.BATCH, before_wait=renew):
            self._before_call(call.kind)
            reply = self._metered(call, token)
        return _read(call, reply)

    def _metered(self, call: Call, token: str) -> _Reply:
        started = self._clock()
        reply: _Reply | None = None
        try:
            reply = self._exchange(call, token, deadline=started + LONGEST_ANSWER_SECONDS)
            return reply
        finally:
            self._meter(
                CallRecord(
                    kind=call.kind,
                    entity=call.entity,
                    items=call.items,
                    metered=call.kind.metered,
                    http_status=reply.status if reply else None,
                    seconds=self._clock() - started,
                    intuit_tid=reply.intuit_tid if reply else None,
                )
            )

    def _exchange(self, call: Call, token: str, *, deadline: float) -> _Reply:
        try:
            with self._http.stream(
                "GET" if call.content is None else "POST",
                f"{self._company_url}/{call.path}",
                params={**call.params, "minorversion": str(self._settings.minor_version)},
                content=call.content,
                headers=_headers(call, token),
                timeout=httpx.Timeout(
                    self._settings.timeout_seconds, connect=self._settings.connect_timeout_seconds
                ),
                follow_redirects=False,
            ) as response:
                return _Reply(
                    status=response.status_code,
                    content=self._content(call, response, deadline),
                    intuit_tid=response.headers.get("intuit_tid"),
                    retry_after=_retry_after(response.headers.get("retry-after")),
                )
        except _NEVER_SENT as error:
            raise _no_answer(call, "it could not be reached", sent=False) from error
        except httpx.HTTPError as error:
            raise _no_answer(call, type(error).__name__) from error

    def _content(self, call: Call, response: httpx.Response, deadline: float) -> bytes:
        most = self._settings.max_response_bytes
        try:
            return read_content(response, most, self._clock, deadline)
        except AnswerRefusedError as refusal:
            raise _no_answer(call, str(refusal), status=response.status_code) from refusal


def _headers(call: Call, token: str) -> dict[str, str]:
    headers = {"Accept": "application/json", "Authorization": f"Bearer {token}"}
    if call.content is not None:
        headers["Content-Type"] = call.content_type
    return headers


def _read(call: Call, reply: _Reply) -> Answer:
    """The reply's object, or the error it stands for. A fault counts whatever the HTTP status."""
    try:
        body = decode_json(reply.content)
    except UnreadableAnswerError:
        body = None
    if faults := parse_fault(reply.status, body):
        raise _fault_error(call, reply, faults)
    if reply.status == 401:
        raise _fault_error(call, reply, [Fault(ACCESS_TOKEN_REJECTED, "", "", None, "")])
    if reply.status == 429:
        raise _fault_error(call, reply, [Fault("3001", "", "", None, "")])
    if isinstance(body, dict) and 200 <= reply.status < 300:
        return Answer(body, reply.intuit_tid, reply.status)
    raise _no_answer(call, f"HTTP {reply.status}", status=reply.status, tid=reply.intuit_tid)


def _fault_error(call: Call, reply: _Reply, faults: list[Fault]) -> Exception:
    error = error_for(
        faults,
        action=call.action,
        status=reply.status,
        intuit_tid=reply.intuit_tid,
        retry_after=reply.retry_after,
    )
    about_token = reply.status == 401 or error.code == ACCESS_TOKEN_REJECTED
    if about_token and isinstance(error, ConnectionDeadError):
        return _AccessTokenRefusedError(error)
    return error


def _retry_after(header: str | None) -> float:
    """Seconds QuickBooks asks for, else its documented minute; with jitter, so that companies
    throttled together do not come back together."""
    stated = float(header) if header and header.isdigit() and len(header) <= 6 else THROTTLE_SECONDS
    return min(stated, _LONGEST_RETRY_AFTER) + _jitter.uniform(0, 5)


def _no_answer(
    call: Call, reason: str, *, sent: bool = True, status: int | None = None, tid: str | None = None
) -> NoAnswerError:
    cure = "It is asked again." if call.kind.metered else "What became of it is read back first."
    if not sent:
        cure = "Nothing was sent; it is tried again."
    return NoAnswerError(
        f"QuickBooks gave no usable answer when asked to {call.action} ({reason}). {cure}",
        sent=sent,
        http_status=status,
        intuit_tid=tid,
    )
