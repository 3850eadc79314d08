"""What goes over the wire, and what an answer makes of a call."""

from __future__ import annotations

import gzip
import json
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import httpx
import pytest

from qbo_sync_dagster.quickbooks.calls import CallKind, Write
from qbo_sync_dagster.quickbooks.errors import (
    ConnectionDeadError,
    DuplicateNumberError,
    FaultError,
    NoAnswerError,
    ObjectNotFoundError,
    ThrottledError,
)
from qbo_sync_dagster.quickbooks.query import Query
from qbo_sync_dagster.quickbooks.transport import new_http_client

Ok = Callable[..., httpx.Response]
SINCE = datetime(2026, 3, 2, 8, 55, tzinfo=UTC)
CREATE = Write("create", "Payment", {"TotalAmt": 5}, "request-1")
PAYMENT = {"Payment": {"Id": "7", "SyncToken": "0"}}
INVOICE = {"Invoice": {"Id": "1", "SyncToken": "0"}}


def patient(_: float) -> bool:
    return True


def test_every_call_says_who_where_and_which_version(company: Any, ok: Ok) -> None:
    company.replies = [ok(INVOICE)]
    company.client().read("Invoice", "1")
    (request,) = company.requests
    assert request.method == "GET"
    assert request.url.path == "/v3/company/9341453/invoice/1"
    assert request.url.params["minorversion"] == "75"
    assert request.headers["Accept"] == "application/json"
    assert request.headers["Authorization"] == "Bearer access-1"


def test_every_call_has_its_timeouts(company: Any, ok: Ok) -> None:
    company.replies = [ok(INVOICE), ok(PAYMENT)]
    company.client().read("Invoice", "1")
    company.client().write(CREATE)
    for request in company.requests:
        assert request.extensions["timeout"] == {
            "connect": 10.0,
            "read": 60.0,
            "write": 60.0,
            "pool": 60.0,
        }


def test_an_identifier_cannot_leave_its_place_in_the_path(company: Any, ok: Ok) -> None:
    company.replies = [ok(INVOICE)]
    company.client().read("Invoice", "1/../../other?x=1")
    assert company.requests[0].url.raw_path.startswith(
        b"/v3/company/9341453/invoice/1%2F..%2F..%2Fother%3Fx%3D1?"
    )


def test_an_expired_token_is_refreshed_once_and_the_same_request_sent_again(
    company: Any, refused_token: httpx.Response, fresh_tokens: httpx.Response, ok: Ok
) -> None:
    company.replies = [refused_token, ok(PAYMENT)]
    company.token_replies = [fresh_tokens]
    assert company.client().write(CREATE).object.id == "7"
    first, second = company.requests
    assert first.url.params["requestid"] == second.url.params["requestid"] == "request-1"
    assert first.content == second.content
    assert second.headers["Authorization"] == "Bearer access-2"


def test_a_token_refused_right_after_its_refresh_is_a_dead_connection(
    company: Any, refused_token: httpx.Response, fresh_tokens: httpx.Response
) -> None:
    company.replies = [refused_token, refused_token]
    company.token_replies = [fresh_tokens]
    with pytest.raises(ConnectionDeadError):
        company.client().write(CREATE)
    assert len(company.requests) == 2


def test_a_401_without_a_fault_is_an_expired_token_too(
    company: Any, fresh_tokens: httpx.Response, ok: Ok
) -> None:
    company.replies = [httpx.Response(401, text="Unauthorized"), ok(INVOICE)]
    company.token_replies = [fresh_tokens]
    assert company.client().read("Invoice", "1").id == "1"


def test_a_company_that_is_not_authorised_is_not_asked_again(company: Any, fault: Ok) -> None:
    company.replies = [fault("3100", status=403)]
    with pytest.raises(ConnectionDeadError):
        company.client().read("Invoice", "1")
    assert len(company.requests) == 1


@pytest.mark.parametrize(
    "trouble",
    [
        httpx.ReadTimeout("slow"),
        httpx.RemoteProtocolError("Server disconnected without sending a response."),
        httpx.ReadError("reset"),
        httpx.Response(502, text="<html>Bad Gateway</html>"),
        httpx.Response(503, text=""),
        httpx.Response(200, text="<html>Sign in</html>"),
        httpx.Response(200, json=["not", "an", "object"]),
        httpx.Response(302, headers={"Location": "https://elsewhere.example.com/"}),
        httpx.Response(404, text="Not Found"),
    ],
)
def test_a_write_without_an_answer_is_in_doubt_and_never_sent_again(
    company: Any, trouble: Any
) -> None:
    company.replies = [trouble]
    with pytest.raises(NoAnswerError) as caught:
        company.client(wait_budget=patient).write(CREATE)
    assert caught.value.sent
    assert len(company.requests) == 1


def test_quickbooks_own_error_leaves_a_write_in_doubt(company: Any, fault: Ok) -> None:
    company.replies = [fault("10000", status=500)]
    with pytest.raises(NoAnswerError) as caught:
        company.client(wait_budget=patient).write(CREATE)
    assert caught.value.code == "10000"
    assert len(company.requests) == 1


@pytest.mark.parametrize("trouble", [httpx.ConnectError("x"), httpx.ConnectTimeout("x")])
def test_a_write_that_never_left_is_not_in_doubt(company: Any, trouble: Exception) -> None:
    company.replies = [trouble]
    with pytest.raises(NoAnswerError) as caught:
        company.client().write(CREATE)
    assert not caught.value.sent


def test_a_read_without_an_answer_is_tried_three_times_with_growing_waits(
    company: Any, ok: Ok
) -> None:
    company.replies = [httpx.ReadTimeout("slow"), httpx.Response(502, text="<html>"), ok(INVOICE)]
    assert company.client().read("Invoice", "1").id == "1"
    first, second = company.clock.sleeps
    assert 1 <= first <= 2
    assert 4 <= second <= 5
    company.replies = [httpx.ReadTimeout("slow")] * 3
    with pytest.raises(NoAnswerError):
        company.client().read("Invoice", "1")
    assert company.replies == []


def test_a_read_is_not_tried_again_when_the_cycle_has_no_time(company: Any) -> None:
    company.replies = [httpx.ReadTimeout("slow")]
    with pytest.raises(NoAnswerError):
        company.client(wait_budget=lambda _: False).read("Invoice", "1")


def test_a_throttled_write_waits_as_asked_and_goes_out_once_more(
    company: Any, fault: Ok, ok: Ok
) -> None:
    throttled = fault("3001", status=429)
    throttled.headers["Retry-After"] = "20"
    company.replies = [throttled, ok(PAYMENT)]
    assert company.client(wait_budget=patient).write(CREATE).object.id == "7"
    assert 20 <= sum(company.clock.sleeps) <= 25
    assert {r.url.params["requestid"] for r in company.requests} == {"request-1"}


def test_a_429_without_a_body_or_header_waits_a_minute(company: Any, ok: Ok) -> None:
    company.replies = [httpx.Response(429, text="slow down"), ok(INVOICE)]
    company.client(wait_budget=patient).read("Invoice", "1")
    assert 60 <= sum(company.clock.sleeps) <= 65


def test_without_time_to_wait_the_throttle_is_handed_up_and_the_realm_pauses(
    company: Any, ok: Ok
) -> None:
    company.replies = [httpx.Response(429), ok(INVOICE)]
    with pytest.raises(ThrottledError) as caught:
        company.client().write(CREATE)
    assert 60 <= caught.value.retry_after <= 65
    assert company.clock.sleeps == []
    company.client().read("Invoice", "1")
    assert sum(company.clock.sleeps) >= 60


def test_an_endless_retry_after_is_bounded(company: Any) -> None:
    company.replies = [httpx.Response(429, headers={"Retry-After": "999999"})]
    with pytest.raises(ThrottledError) as caught:
        company.client().read("Invoice", "1")
    assert caught.value.retry_after <= 605


def test_a_fault_counts_even_inside_http_200(company: Any, fault: Ok) -> None:
    company.replies = [fault("6140", "DocNumber=7 is assigned", status=200)]
    with pytest.raises(DuplicateNumberError):
        company.client().write(CREATE)


def test_a_definite_fault_is_not_retried(company: Any, fault: Ok) -> None:
    company.replies = [fault("610"), fault("2010")]
    with pytest.raises(ObjectNotFoundError) as caught:
        company.client().read("Invoice", "1")
    assert caught.value.intuit_tid == "1-fault"
    with pytest.raises(FaultError):
        company.client().write(CREATE)
    assert company.replies == []


def test_the_lease_is_renewed_before_every_call_and_wait(company: Any, ok: Ok) -> None:
    company.replies = [httpx.Response(429), ok(INVOICE)]
    company.client(wait_budget=patient).read("Invoice", "1")
    waits = len(company.clock.sleeps)
    assert waits == 2
    assert company.hooks == [CallKind.READ] * (2 + waits)


def test_a_lost_lease_stops_the_call_before_it_is_sent(company: Any) -> None:
    class LeaseLostError(Exception):
        pass

    def lost(_: CallKind) -> None:
        raise LeaseLostError

    with pytest.raises(LeaseLostError):
        company.client(before_call=lost).write(CREATE)
    assert company.requests == []


def test_each_call_is_counted_with_kind_and_meter(company: Any, ok: Ok) -> None:
    changes: dict[str, Any] = {"CDCResponse": [{"QueryResponse": [{}]}]}
    company.replies = [ok(changes), ok({"QueryResponse": {}}), ok(PAYMENT), httpx.ReadTimeout("x")]
    client = company.client()
    client.cdc(["Payment"], SINCE)
    client.query(Query("Payment"))
    client.write(CREATE)
    with pytest.raises(NoAnswerError):
        client.write(CREATE)
    assert [(r.kind, r.metered, r.http_status, r.intuit_tid) for r in company.records] == [
        (CallKind.CDC, True, 200, "1-abc"),
        (CallKind.QUERY, True, 200, "1-abc"),
        (CallKind.CREATE, False, 200, "1-abc"),
        (CallKind.CREATE, False, None, None),
    ]


def test_an_answer_larger_than_the_cap_is_not_read_to_its_end(company: Any) -> None:
    read = 0

    def endless() -> Iterator[bytes]:
        nonlocal read
        while True:
            read += 1
            yield b"x" * 1000

    company.settings = replace(company.settings, max_response_bytes=10_000)
    company.replies = [httpx.Response(200, content=endless())]
    with pytest.raises(NoAnswerError, match="too large"):
        company.client(wait_budget=lambda _: False).read("Invoice", "1")
    assert read < 20


def test_an_answer_that_trickles_for_minutes_is_given_up(company: Any) -> None:
    def trickle() -> Iterator[bytes]:
        while True:
            company.clock.seconds += 50
            yield b" "

    company.replies = [httpx.Response(200, content=trickle())]
    with pytest.raises(NoAnswerError, match="too long"):
        company.client(wait_budget=lambda _: False).read("Invoice", "1")


def _packed(content: bytes, layers: int = 1) -> bytes:
    for _ in range(layers):
        content = gzip.compress(content)
    return content


def test_a_packed_answer_is_asked_for_and_read(company: Any) -> None:
    with new_http_client(company.settings) as http:
        assert http.headers["Accept-Encoding"] == "gzip"
    content = _packed(json.dumps(INVOICE).encode())
    company.replies = [httpx.Response(200, content=content, headers={"Content-Encoding": "gzip"})]
    assert company.client().read("Invoice", "1").id == "1"


def _in_portions(content: bytes) -> Iterator[bytes]:
    yield from (content[start : start + 1000] for start in range(0, len(content), 1000))


def test_a_packed_answer_that_would_burst_is_not_unpacked_to_its_end(company: Any) -> None:
    company.settings = replace(company.settings, max_response_bytes=1_500_000)
    bomb = _packed(b" " * 50_000_000)
    unpacked = 0

    def counted() -> Iterator[bytes]:
        nonlocal unpacked
        for part in _in_portions(bomb):
            unpacked += 1
            yield part

    headers = {"Content-Encoding": "gzip"}
    company.replies = [httpx.Response(200, content=counted(), headers=headers)]
    with pytest.raises(NoAnswerError, match="too large"):
        company.client(wait_budget=lambda _: False).read("Invoice", "1")
    assert unpacked < 5


@pytest.mark.parametrize("packing", ["gzip, gzip", "br", "zstd", "x-unknown"])
def test_an_answer_packed_as_was_not_asked_for_is_not_unpacked(company: Any, packing: str) -> None:
    read = 0

    def bomb() -> Iterator[bytes]:
        nonlocal read
        read += 1
        yield _packed(b" " * 1000, layers=2)

    headers = {"Content-Encoding": packing}
    company.replies = [httpx.Response(200, content=bomb(), headers=headers)]
    with pytest.raises(NoAnswerError, match="not asked for"):
        company.client(wait_budget=lambda _: False).read("Invoice", "1")
    assert read == 0


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_a_redirect_is_no_answer_and_takes_the_token_nowhere(company: Any, status: int) -> None:
    moved = httpx.Response(status, headers={"Location": "https://example.com/elsewhere"})
    company.replies = [moved]
    with pytest.raises(NoAnswerError, match=f"HTTP {status}"):
        company.client().write(CREATE)
    assert [request.url.host for request in company.requests] == ["quickbooks.example.com"]


def test_no_error_holds_the_token_or_the_payload(company: Any, fault: Ok) -> None:
    company.replies = [
        httpx.ReadTimeout("slow"),
        httpx.Response(502, text="<html>"),
        fault("6000", "Authorization: Bearer access-1"),
    ]
    secret = Write("create", "Payment", {"PrivateNote": "confidential"}, "request-1")
    for _ in range(3):
        with pytest.raises((NoAnswerError, FaultError)) as caught:
            company.client().write(secret)
        assert "access-1" not in str(caught.value)
        assert "confidential" not in str(caught.value)


def test_idle_connections_are_dropped_before_servers_drop_them(company: Any) -> None:
    with new_http_client(company.settings) as http:
        assert http.timeout == httpx.Timeout(60, connect=10)
        assert not http.follow_redirects
