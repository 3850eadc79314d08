"""Access tokens: one refresh at a time per company, the rotated token stored before it is used.

What belongs here: the refresh and when it is due. What does not: how tokens are stored, locked and
encrypted (the ledger), and what a dead connection means for a cycle (sync).
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from time import monotonic
from typing import Protocol

import httpx

from qbo_sync_dagster.quickbooks.bounded import AnswerRefusedError, read_content
from qbo_sync_dagster.quickbooks.errors import ConnectionDeadError, NoAnswerError, ThrottledError
from qbo_sync_dagster.quickbooks.faults import THROTTLE_SECONDS
from qbo_sync_dagster.quickbooks.settings import QuickBooksSettings
from qbo_sync_dagster.quickbooks.wire import UnreadableAnswerError, decode_json

# A token must outlive the longest call that starts with it (Intuit cuts calls at 120 s).
_SPARE = timedelta(seconds=180)
_ACCESS_SECONDS = 3600
# The app's own credentials are wrong: every token of the company may still be good.
APP_REFUSED = "invalid_client"
_LONGEST_LIFETIME_SECONDS = 20 * 365 * 86400
_MOST_ANSWER_BYTES = 1024 * 1024
# The company's tokens stay locked meanwhile, and a lock that is held for longer is taken away.
_LONGEST_ANSWER_SECONDS = 90.0


@dataclass(frozen=True, slots=True)
class StoredTokens:
    """What is stored of one connection. A fresh connection has a refresh token only."""

    access_token: str | None = field(repr=False)
    access_expires_at: datetime | None
    refresh_token: str = field(repr=False)
    refresh_expires_at: datetime | None


class LockedTokens(Protocol):
    """The tokens of one company while nobody else can read them for a refresh."""

    @property
    def current(self) -> StoredTokens:
        """As stored, read under the lock."""

    def save(self, new: StoredTokens) -> None:
        """Replace them; durable once the lock is released."""


class TokenStore(Protocol):
    """Where tokens live between processes."""

    def exclusive(self, realm: str) -> AbstractContextManager[LockedTokens]:
        """A lock on the company's tokens, held while inside; leaving commits what was saved."""


class TokenSource:
    """Hands out access tokens that work, refreshing them when due.

    Two refreshes at once kill a connection (the slower one uses a refresh token that has just been
    replaced), so a refresh happens under the store's lock and only if nobody else has just done it.
    """

    def __init__(
        self,
        store: TokenStore,
        http: httpx.Client,
        settings: QuickBooksSettings,
        clock: Callable[[], datetime],
    ) -> None:
        self._store = store
        self._http = http
        self._settings = settings
        self._clock = clock
        self._known: dict[str, StoredTokens] = {}
        self._tried: dict[str, StoredTokens] = {}
        self._lock = threading.Lock()

    def access_token(self, realm: str, *, rejected: str | None = None) -> str:
        """A token for one call. `rejected` is one that QuickBooks has just refused.

        Raises ConnectionDeadError when Intuit refuses the refresh token or the app's credentials,
        NoAnswerError (never sent) or ThrottledError when the token service can't be reached now.
        """
        with self._lock:
            known = self._known.get(realm)
            if known is None or not self._usable(known, rejected):
                known = self._known[realm] = self._renewed(realm, rejected)
            return known.access_token or ""

    def last_tried(self, realm: str) -> StoredTokens | None:
        """The tokens that this process used last for the company; None before its first call."""
        return self._tried.get(realm)

    def _renewed(self, realm: str, rejected: str | None) -> StoredTokens:
        with self._store.exclusive(realm) as locked:
            tokens = self._tried[realm] = locked.current
            if not self._usable(tokens, rejected):
                tokens = self._tried[realm] = self._refreshed(tokens)
                locked.save(tokens)
        # Only here, after the store has committed, may the new token be used.
        return tokens

    def _usable(self, tokens: StoredTokens, rejected: str | None) -> bool:
        if not tokens.access_token or tokens.access_token == rejected:
            return False
        return (
            tokens.access_expires_at is not None
            and self._clock() + _SPARE < tokens.access_expires_at
        )

    def _refreshed(self, old: StoredTokens) -> StoredTokens:
        form = {"grant_type": "refresh_token", "refresh_token": old.refresh_token}
        now = self._clock()
        return read_tokens(ask_for_tokens(self._http, self._settings, form), now, old)


def ask_for_tokens(
    http: httpx.Client, settings: QuickBooksSettings, form: Mapping[str, str]
) -> Mapping[str, object]:
    """The token service's answer to a form. Raises like `TokenSource.access_token`."""
    return _read_token_answer(post_as_app(http, settings, settings.token_url, data=form))


@dataclass(frozen=True, slots=True)
class AppAnswer:
    """What Intuit's sign-in service answered."""

    status: int
    content: bytes = field(repr=False)
    intuit_tid: str | None


def post_as_app(
    http: httpx.Client,
    settings: QuickBooksSettings,
    url: str,
    *,
    data: Mapping[str, str] | None = None,
    json: Mapping[str, str] | None = None,
) -> AppAnswer:
    """One call to Intuit's sign-in service as our app. Raises NoAnswerError (never sent)."""
    deadline = monotonic() + _LONGEST_ANSWER_SECONDS
    try:
        with http.stream(
            "POST",
            url,
            data=data,
            json=json,
            auth=httpx.BasicAuth(settings.client_id, settings.client_secret),
            headers={"Accept": "application/json"},
            timeout=httpx.Timeout(
                settings.timeout_seconds, connect=settings.connect_timeout_seconds
            ),
            follow_redirects=False,
        ) as response:
            content = read_content(response, _MOST_ANSWER_BYTES, monotonic, deadline)
            return AppAnswer(response.status_code, content, response.headers.get("intuit_tid"))
    except AnswerRefusedError as refusal:
        raise _unreachable(str(refusal)) from refusal
    except (httpx.HTTPError, httpx.InvalidURL) as error:
        raise _unreachable(type(error).__name__) from error


def read_tokens(
    answer: Mapping[str, object], now: datetime, old: StoredTokens | None = None
) -> StoredTokens:
    """The tokens of an answer asked for at `now`; `old` are those that it replaces.

    Raises NoAnswerError for an answer without tokens.
    """
    access, refresh = answer.get("access_token"), answer.get("refresh_token")
    if not isinstance(access, str) or not access:
        raise _unreachable("its answer holds no access token")
    if not isinstance(refresh, str) or not refresh:
        # An answer without a new refresh token leaves the old one valid; never store an empty.
        refresh = old.refresh_token if old else ""
    if not refresh:
        raise _unreachable("its answer holds no refresh token")
    refresh_seconds = _seconds(answer.get("x_refresh_token_expires_in"))
    expires_at = now + timedelta(seconds=refresh_seconds) if refresh_seconds else None
    return StoredTokens(
        access_token=access,
        access_expires_at=now
        + timedelta(seconds=_seconds(answer.get("expires_in")) or _ACCESS_SECONDS),
        refresh_token=refresh,
        refresh_expires_at=expires_at or (old.refresh_expires_at if old else None),
    )


def _read_token_answer(response: AppAnswer) -> Mapping[str, object]:
    try:
        body = decode_json(response.content)
    except UnreadableAnswerError:
        body = None
    answer: Mapping[str, object] = body if isinstance(body, dict) else {}
    if response.status == 200 and answer:
        return answer
    if response.status == 429:
        raise ThrottledError(
            "Intuit's sign-in service asks to wait. It is asked again.",
            retry_after=THROTTLE_SECONDS,
            http_status=429,
            intuit_tid=response.intuit_tid,
        )
    _raise_if_dead(answer.get("error"), response)
    raise _unreachable(f"HTTP {response.status}")


def _raise_if_dead(error: object, response: AppAnswer) -> None:
    cures = {
        "invalid_grant": "Intuit no longer accepts the connection's refresh token. Reconnect the "
        "company to QuickBooks; nothing is sent until then.",
        APP_REFUSED: "Intuit does not accept the app's client id and secret. Correct "
        "QBO_CLIENT_ID and QBO_CLIENT_SECRET, then retry.",
    }
    if isinstance(error, str) and error in cures:
        raise ConnectionDeadError(
            cures[error],
            code=error,
            http_status=response.status,
            intuit_tid=response.intuit_tid,
        )


def _unreachable(reason: str) -> NoAnswerError:
    return NoAnswerError(
        f"Intuit's sign-in service gave no usable answer ({reason}). It is asked again with the "
        "next call.",
        sent=False,
    )


def _seconds(value: object) -> int:
    """A lifetime as sent (number or digits), 0 if missing or absurd."""
    if isinstance(value, str) and value.isdigit() and len(value) <= 12:
        value = int(value)
    if isinstance(value, int) and not isinstance(value, bool):
        return value if 0 < value <= _LONGEST_LIFETIME_SECONDS else 0
    return 0
