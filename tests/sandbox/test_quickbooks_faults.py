"""Faults on demand, Intuit's limits, and the headers of every answer."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest

from qbo_sync_dagster.sandbox.quickbooks import limits

Company = Any


def _count(company: Company) -> int:
    return len(company.control.list(company.realm, "Invoice"))


@pytest.mark.parametrize(
    ("effect", "status", "expected"),
    [
        ("401", 401, "3200"),
        ("403", 403, "3100"),
        ("429", 429, "3001"),
        ("500", 500, "10000"),
        ("fault:6140", 400, "6140"),
        ("fault_in_200:610", 200, "610"),
    ],
)
def test_a_refused_call_is_not_executed(
    company: Company, code: Callable[..., str], effect: str, status: int, expected: str
) -> None:
    company.control.fault(effect, realm=company.realm, kind="create")
    answer = company.post("invoice", company.invoice_body(10))
    assert (answer.status_code, code(answer)) == (status, expected)
    assert _count(company) == 0
    assert company.post("invoice", company.invoice_body(10)).status_code == 200


@pytest.mark.parametrize(
    ("effect", "status", "executed"),
    [("502_html", 502, 0), ("html_200", 200, 0), ("502_after_commit", 502, 1)],
)
def test_html_instead_of_json(company: Company, effect: str, status: int, executed: int) -> None:
    company.control.fault(effect, realm=company.realm)
    answer = company.post("invoice", company.invoice_body(10))
    assert (answer.status_code, answer.text[:6]) == (status, "<html>")
    assert _count(company) == executed


@pytest.mark.parametrize(
    ("effect", "executed"),
    [
        ("drop_before", 0),
        ("drop_after_commit", 1),
        ("timeout_before", 0),
        ("timeout_after_commit", 1),
    ],
)
def test_a_lost_answer(company: Company, effect: str, executed: int) -> None:
    company.control.fault(effect, realm=company.realm, hold_ms=1)
    with pytest.raises(httpx.TransportError):
        company.post("invoice", company.invoice_body(10))
    assert _count(company) == executed
    assert company.control.calls(company.realm)[-1].status == 0


def test_a_lost_answer_can_be_asked_for_again(company: Company) -> None:
    company.control.fault("drop_after_commit", realm=company.realm)
    with pytest.raises(httpx.TransportError):
        company.post("invoice", company.invoice_body(10), requestid="r")
    again = company.post("invoice", company.invoice_body(10), requestid="r")
    assert again.json()["Invoice"]["TotalAmt"] == 10
    assert _count(company) == 1


def test_spoiled_answers(company: Company) -> None:
    made = company.invoice(10)["Id"]
    control, realm = company.control, company.realm
    control.fault("malformed_json", realm=realm)
    with pytest.raises(ValueError, match=r"."):
        company.read(f"invoice/{made}").json()
    control.fault("omit_field:TotalAmt", realm=realm)
    assert "TotalAmt" not in company.read(f"invoice/{made}").json()["Invoice"]
    control.fault("huge_text:PrivateNote", realm=realm)
    assert len(company.read(f"invoice/{made}").json()["Invoice"]["PrivateNote"]) == 100_000
    control.fault("unknown_fields", realm=realm)
    assert "FutureField" in company.read(f"invoice/{made}").json()["Invoice"]
    assert "TotalAmt" in company.read(f"invoice/{made}").json()["Invoice"]


def test_a_rule_waits_counts_and_matches(company: Company) -> None:
    control, realm = company.control, company.realm
    control.fault("fault:6000", realm=realm, match="B-", after_calls=1, times=2)
    sent = ["A-1", "B-1", "B-2", "A-2", "B-3", "B-4"]
    statuses = [
        company.post("invoice", company.invoice_body(1, DocNumber=number)).status_code
        for number in sent
    ]
    assert statuses == [200, 200, 400, 200, 400, 200]


def test_a_rule_about_writes_meets_the_matching_item_of_a_batch(company: Company) -> None:
    company.control.fault("fault:6140", realm=company.realm, kind="create", match="BAD")
    items = [
        {"bId": n, "operation": "create", "Invoice": company.invoice_body(1, DocNumber=n)}
        for n in ("GOOD", "BAD")
    ]
    answers = company.post("batch", {"BatchItemRequest": items}).json()["BatchItemResponse"]
    assert [("Invoice" in a, "Fault" in a) for a in answers] == [(True, False), (False, True)]
    assert _count(company) == 1


def test_an_item_can_be_missing_from_the_answer_of_its_batch(company: Company) -> None:
    company.control.fault("omit_item", realm=company.realm, kind="create", match="LOST")
    items = [
        {"bId": n, "operation": "create", "Invoice": company.invoice_body(1, DocNumber=n)}
        for n in ("KEPT", "LOST")
    ]
    answers = company.post("batch", {"BatchItemRequest": items}).json()["BatchItemResponse"]
    assert [answer["bId"] for answer in answers] == ["KEPT"]
    assert _count(company) == 2


def test_rules_are_of_one_company_and_can_be_cleared(new_company: Callable[..., Company]) -> None:
    mine, other = new_company(), new_company()
    mine.control.fault("500", realm=mine.realm, times=9)
    assert other.read("preferences").status_code == 200
    assert mine.read("preferences").status_code == 500
    mine.control.clear_faults(mine.realm)
    assert mine.read("preferences").status_code == 200


def test_faults_of_the_token_endpoint(company: Company) -> None:
    control, realm = company.control, company.realm
    control.fault("502_html", realm=realm, kind="token")
    assert company.refresh().status_code == 502
    control.fault("drop_after_commit", realm=realm, kind="token")
    with pytest.raises(httpx.TransportError):
        company.refresh()
    assert company.refresh().json()["error"] == "invalid_grant"


@pytest.mark.parametrize("path", ["preferences", "invoice/4711", "nonsense"])
def test_every_answer_carries_an_intuit_tid(company: Company, path: str) -> None:
    assert company.read(path).headers["intuit_tid"].startswith("1-")


def test_success_and_fault_have_their_own_content_type(company: Company) -> None:
    good, bad = company.read("preferences"), company.read("invoice/4711")
    assert good.headers["content-type"] == "application/json;charset=utf-8"
    assert bad.headers["content-type"] == "application/json"


def test_a_client_that_does_not_ask_for_json_is_refused(company: Company) -> None:
    headers = {"authorization": company.headers["authorization"], "accept": "*/*"}
    assert company.http.get(company.url("preferences"), headers=headers).status_code == 400


def test_more_batches_a_minute_than_intuit_allows_are_throttled(
    new_company: Callable[..., Company], code: Callable[..., str]
) -> None:
    company = new_company(enforce_limits=True, send_retry_after=True)
    batch = {"BatchItemRequest": [{"bId": "1", "Query": "select count(*) from Invoice"}]}
    answers = [company.post("batch", batch) for _ in range(limits.BATCHES_PER_MINUTE + 1)]
    refused = [answer for answer in answers if answer.status_code == 429]
    assert code(refused[0]) == "3001"
    assert refused[0].headers["retry-after"] == "60"
    assert "fault" in refused[0].json()


@pytest.mark.parametrize(
    ("spacing", "is_batch", "admitted"), [(0.05, False, 20), (0.11, False, 500), (0.2, True, 40)]
)
def test_ten_calls_a_second_five_hundred_and_forty_batches_a_minute(
    spacing: float, is_batch: bool, admitted: int
) -> None:
    limiter = limits.Limiter()
    start = datetime(2026, 11, 2, tzinfo=UTC)
    # Two seconds of calls show the first limit, a minute of them the others.
    count = int((2 if spacing < 0.1 else 59) / spacing)
    times = [start + timedelta(seconds=place * spacing) for place in range(count)]
    assert sum(limiter.admits("1", at, is_batch=is_batch) for at in times) == admitted


def test_used_up_reads_block_reads_and_not_writes(new_company: Callable[..., Company]) -> None:
    company = new_company(read_quota_exhausted=True)
    assert company.read("preferences").status_code == 429
    assert company.post("invoice", company.invoice_body(10)).status_code == 200


def test_latency_delays_every_answer(new_company: Callable[..., Company]) -> None:
    company = new_company(latency_ms=60_000)
    # Only the answer is awaited so briefly: to connect may take longer on a busy machine.
    brief = httpx.Timeout(30, read=0.2)
    with pytest.raises(httpx.ReadTimeout):
        company.http.get(company.url("preferences"), headers=company.headers, timeout=brief)
