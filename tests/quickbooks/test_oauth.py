"""Access tokens: refreshed once, stored before use, never overwritten with nothing."""

from __future__ import annotations

import base64
import threading
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import timedelta
from typing import Any
from urllib.parse import parse_qs

import httpx
import pytest

from qbo_sync_dagster.quickbooks.errors import ConnectionDeadError, NoAnswerError, ThrottledError

Ok = Callable[..., httpx.Response]


def expire(company: Any) -> None:
    company.store.tokens = replace(company.store.tokens, access_expires_at=company.clock.now())


def test_a_valid_token_is_used_without_asking_anybody(company: Any) -> None:
    assert company.tokens().access_token("9341453") == "access-1"
    assert company.token_requests == []


def test_an_expired_token_is_refreshed_as_intuit_documents_it(
    company: Any, fresh_tokens: httpx.Response
) -> None:
    expire(company)
    company.token_replies = [fresh_tokens]
    assert company.tokens().access_token("9341453") == "access-2"
    (request,) = company.token_requests
    assert parse_qs(request.content.decode()) == {
        "grant_type": ["refresh_token"],
        "refresh_token": ["refresh-1"],
    }
    credentials = base64.b64encode(b"app-id:app-secret").decode()
    assert request.headers["Authorization"] == f"Basic {credentials}"
    assert request.headers["Accept"] == "application/json"
    assert request.extensions["timeout"]["connect"] == 10.0
    now = company.clock.now()
    assert company.store.tokens.refresh_token == "refresh-2"
    assert company.store.tokens.access_expires_at == now + timedelta(hours=1)
    assert company.store.tokens.refresh_expires_at == now + timedelta(seconds=8726400)


def test_a_connection_that_has_only_a_refresh_token_begins_with_a_refresh(
    company: Any, fresh_tokens: httpx.Response
) -> None:
    company.store.tokens = replace(company.store.tokens, access_token=None, access_expires_at=None)
    company.token_replies = [fresh_tokens]
    assert company.tokens().access_token("9341453") == "access-2"


def test_a_token_about_to_expire_is_not_started_with(
    company: Any, fresh_tokens: httpx.Response
) -> None:
    company.clock.seconds += 3600 - 170
    company.token_replies = [fresh_tokens]
    assert company.tokens().access_token("9341453") == "access-2"


def test_the_rotated_token_is_stored_before_it_is_used(
    company: Any, fresh_tokens: httpx.Response, ok: Ok
) -> None:
    expire(company)
    company.token_replies = [fresh_tokens]
    company.replies = [ok({"Invoice": {"Id": "1", "SyncToken": "0"}})]
    company.client().read("Invoice", "1")
    assert company.store.events == ["saved", "released", "called"]


def test_a_token_that_could_not_be_stored_is_not_used(
    company: Any, fresh_tokens: httpx.Response
) -> None:
    expire(company)
    company.token_replies = [fresh_tokens, fresh_tokens]

    def broken(_: object) -> None:
        raise OSError("disk full")

    company.store.save = broken
    tokens = company.tokens()
    for _ in range(2):
        with pytest.raises(OSError, match="disk full"):
            tokens.access_token("9341453")
    assert len(company.token_requests) == 2


def test_a_refused_token_that_another_process_has_replaced_is_not_refreshed_again(
    company: Any,
) -> None:
    tokens = company.tokens()
    assert tokens.access_token("9341453") == "access-1"
    company.store.tokens = replace(company.store.tokens, access_token="access-9")
    assert tokens.access_token("9341453", rejected="access-1") == "access-9"
    assert company.token_requests == []


def test_two_processes_that_find_the_token_expired_refresh_it_once(
    company: Any, fresh_tokens: httpx.Response
) -> None:
    expire(company)
    company.token_replies = [fresh_tokens]
    sources = [company.tokens(), company.tokens()]
    got: list[str] = []
    threads = [
        threading.Thread(target=lambda s=s: got.append(s.access_token("9341453"))) for s in sources
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert got == ["access-2", "access-2"]
    assert len(company.token_requests) == 1


@pytest.mark.parametrize("error", ["invalid_grant", "invalid_client"])
def test_a_refused_refresh_token_is_a_dead_connection_and_keeps_what_is_stored(
    company: Any, error: str
) -> None:
    expire(company)
    before = company.store.tokens
    company.token_replies = [httpx.Response(400, json={"error": error})]
    with pytest.raises(ConnectionDeadError) as caught:
        company.tokens().access_token("9341453")
    assert caught.value.code == error
    assert company.store.tokens == before
    assert company.store.events == []


@pytest.mark.parametrize(
    "reply",
    [
        httpx.ConnectError("refused"),
        httpx.ReadTimeout("slow"),
        httpx.Response(502, text="<html>Bad Gateway</html>"),
        httpx.Response(200, text="<html>Welcome</html>"),
        httpx.Response(200, json={"token_type": "bearer"}),
        httpx.Response(200, json={"access_token": "", "refresh_token": ""}),
        httpx.Response(200, json=["access_token"]),
        httpx.Response(400, json={"error": "invalid_request"}),
        httpx.Response(400, json={"error": ["invalid_grant"]}),
    ],
)
def test_trouble_at_the_sign_in_service_is_not_a_dead_connection(company: Any, reply: Any) -> None:
    expire(company)
    before = company.store.tokens
    company.token_replies = [reply]
    with pytest.raises(NoAnswerError) as caught:
        company.tokens().access_token("9341453")
    assert not caught.value.sent
    assert company.store.tokens == before


def test_an_endless_answer_of_the_sign_in_service_is_not_read_to_its_end(company: Any) -> None:
    read = 0

    def endless() -> Iterator[bytes]:
        nonlocal read
        while True:
            read += 1
            yield b" " * 100_000

    expire(company)
    company.token_replies = [httpx.Response(200, content=endless())]
    with pytest.raises(NoAnswerError, match="too large"):
        company.tokens().access_token("9341453")
    assert read < 20
    assert company.store.tokens.refresh_token == "refresh-1"


@pytest.mark.parametrize("status", [301, 302, 307, 308])
def test_a_redirect_of_the_sign_in_service_takes_the_refresh_token_nowhere(
    company: Any, status: int
) -> None:
    expire(company)
    moved = httpx.Response(status, headers={"Location": "https://example.com/elsewhere"})
    company.token_replies = [moved]
    with pytest.raises(NoAnswerError):
        company.tokens().access_token("9341453")
    assert company.requests == []


def test_a_throttled_sign_in_service_is_waited_for(company: Any) -> None:
    expire(company)
    company.token_replies = [httpx.Response(429)]
    with pytest.raises(ThrottledError):
        company.tokens().access_token("9341453")


def test_an_answer_without_a_new_refresh_token_keeps_the_old_one(company: Any) -> None:
    expire(company)
    company.token_replies = [httpx.Response(200, json={"access_token": "a", "expires_in": "7200"})]
    company.tokens().access_token("9341453")
    assert company.store.tokens.refresh_token == "refresh-1"
    assert company.store.tokens.access_expires_at == company.clock.now() + timedelta(hours=2)


@pytest.mark.parametrize("lifetime", [10**30, -5, "soon", None, True])
def test_an_absurd_lifetime_counts_as_an_hour(company: Any, lifetime: object) -> None:
    expire(company)
    body = {"access_token": "a", "expires_in": lifetime, "x_refresh_token_expires_in": lifetime}
    company.token_replies = [httpx.Response(200, json=body)]
    company.tokens().access_token("9341453")
    assert company.store.tokens.access_expires_at == company.clock.now() + timedelta(hours=1)
    assert company.store.tokens.refresh_expires_at is None


def test_tokens_and_the_client_secret_do_not_show(company: Any) -> None:
    shown = repr(company.store.tokens) + repr(company.settings)
    assert "access-1" not in shown
    assert "refresh-1" not in shown
    assert "app-secret" not in shown
