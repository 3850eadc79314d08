"""A person's consent at Intuit: the page to open, the answer that comes back, and revoking it.

What belongs here: what is said to and read from Intuit. What does not: the browser, the local
address that the answer arrives at, and where tokens are kept. Intuit offers no PKCE; the random
`state` alone ties the answer to the question.
"""

from __future__ import annotations

import secrets
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from urllib.parse import parse_qs, urlencode

import httpx

from qbo_sync_dagster.quickbooks.errors import (
    ConnectionDeadError,
    NoAnswerError,
    QuickBooksError,
    ThrottledError,
)
from qbo_sync_dagster.quickbooks.faults import THROTTLE_SECONDS
from qbo_sync_dagster.quickbooks.oauth import (
    APP_REFUSED,
    StoredTokens,
    ask_for_tokens,
    post_as_app,
    read_tokens,
)
from qbo_sync_dagster.quickbooks.settings import QuickBooksSettings

_SCOPE = "com.intuit.quickbooks.accounting"
_LONGEST_CODE = 512
_LONGEST_REALM = 64


class ConsentError(QuickBooksError):
    """No consent was given, or its answer is not to be trusted: ask for it once more."""


@dataclass(frozen=True, slots=True)
class ConsentRequest:
    """One question to Intuit; `state` is a secret that only its own answer knows."""

    redirect_uri: str
    state: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class ConsentAnswer:
    """What came back: a code that is good once, and the company it is for."""

    code: str = field(repr=False)
    realm: str


def new_request(redirect_uri: str) -> ConsentRequest:
    """A question whose answer goes to `redirect_uri`, which the Intuit app must list."""
    return ConsentRequest(redirect_uri, secrets.token_urlsafe(32))


def consent_url(settings: QuickBooksSettings, request: ConsentRequest) -> str:
    """The page on which somebody chooses the company and agrees."""
    asked = {
        "client_id": settings.client_id,
        "response_type": "code",
        "scope": _SCOPE,
        "redirect_uri": request.redirect_uri,
        "state": request.state,
    }
    return f"{settings.authorize_url}?{urlencode(asked)}"


def read_answer(query: str, request: ConsentRequest) -> ConsentAnswer:
    """The answer in the query of the address that Intuit sent the browser to.

    Raises ConsentError unless it belongs to this request and says yes.
    """
    answer = parse_qs(query)
    state = _one(answer, "state")
    if not secrets.compare_digest(state.encode(), request.state.encode()):
        raise ConsentError(
            "The answer does not belong to this question (its state differs), so it was ignored. "
            "Open the address shown here, in one window only."
        )
    if error := _one(answer, "error"):
        refused = error == "access_denied"
        raise ConsentError(
            "Access was refused at Intuit, so nothing was connected."
            if refused
            else "Intuit reports a fault instead of a consent. Run this again.",
            code=error[:40],
        )
    code, realm = _one(answer, "code"), _one(answer, "realmId")
    if not 0 < len(code) <= _LONGEST_CODE or not 0 < len(realm) <= _LONGEST_REALM:
        raise ConsentError("Intuit's answer names no company or code. Run this again.")
    return ConsentAnswer(code, realm)


def exchange(
    http: httpx.Client,
    settings: QuickBooksSettings,
    request: ConsentRequest,
    answer: ConsentAnswer,
    now: datetime,
) -> StoredTokens:
    """The tokens for a code. Raises ConsentError, ConnectionDeadError (the app's credentials are
    wrong), NoAnswerError or ThrottledError."""
    form = {
        "grant_type": "authorization_code",
        "code": answer.code,
        "redirect_uri": request.redirect_uri,
    }
    try:
        return read_tokens(ask_for_tokens(http, settings, form), now)
    except ConnectionDeadError as error:
        if error.code != "invalid_grant":
            raise
        raise ConsentError(
            "Intuit did not accept the consent: its code was used already or is too old. Run this "
            "again.",
            code=error.code,
            intuit_tid=error.intuit_tid,
        ) from error


def revoke(http: httpx.Client, settings: QuickBooksSettings, refresh_token: str) -> bool:
    """End the app's access to the company at Intuit; False if it had ended before.

    Raises ConnectionDeadError (the app's credentials are wrong), NoAnswerError or ThrottledError.
    """
    response = post_as_app(http, settings, settings.revoke_url, json={"token": refresh_token})
    tid = response.intuit_tid
    if response.status == 429:
        raise ThrottledError(
            "Intuit's sign-in service asks to wait. Run this again in a minute.",
            retry_after=THROTTLE_SECONDS,
            http_status=429,
            intuit_tid=tid,
        )
    if response.status in (401, 403) or APP_REFUSED.encode() in response.content[:500]:
        raise ConnectionDeadError(
            "Intuit does not accept the app's client id and secret. Correct QBO_CLIENT_ID and "
            "QBO_CLIENT_SECRET, then retry.",
            code=APP_REFUSED,
            http_status=response.status,
            intuit_tid=tid,
        )
    if response.status not in (200, 400):
        raise NoAnswerError(
            f"Intuit's sign-in service gave no usable answer (HTTP {response.status}).",
            sent=False,
        )
    return response.status == 200


def _one(answer: Mapping[str, list[str]], name: str) -> str:
    """The value given once; a name that is given twice was tampered with."""
    values = answer.get(name, [])
    return values[0] if len(values) == 1 else ""
