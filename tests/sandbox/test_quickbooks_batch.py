"""Batches and request ids: independent items, and nothing done twice."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

Company = Any


def _send(company: Company, *items: dict[str, Any], **params: str) -> dict[str, dict[str, Any]]:
    answer = company.post("batch", {"BatchItemRequest": list(items)}, **params)
    assert answer.status_code == 200, answer.text
    return {item["bId"]: item for item in answer.json()["BatchItemResponse"]}


def _create(company: Company, name: str, amount: int, **properties: Any) -> dict[str, Any]:
    body = company.invoice_body(amount, **properties)
    return {"bId": name, "operation": "create", "Invoice": body}


def test_one_refused_item_does_not_touch_the_others(company: Company) -> None:
    wrong = _create(company, "2", 20, CustomerRef={"value": "4711"})
    answers = _send(company, _create(company, "1", 10), wrong, _create(company, "3", 30))
    assert (answers["1"]["Invoice"]["TotalAmt"], answers["3"]["Invoice"]["TotalAmt"]) == (10, 30)
    error = answers["2"]["Fault"]["Error"][0]
    assert (error["code"], error["element"]) == ("2500", "")
    assert company.query("select count(*) from Invoice") == {"totalCount": 2}
    assert company.get("Customer", company.customer)["Balance"] == 40


def test_a_refused_item_leaves_no_trace_in_numbers_or_names(company: Company) -> None:
    wrong = {"bId": "1", "operation": "create", "Customer": {"DisplayName": "X", "Colour": 1}}
    right = {"bId": "2", "operation": "create", "Customer": {"DisplayName": "X"}}
    assert "Customer" in _send(company, wrong, right)["2"]
    bad_payment = {"CustomerRef": {"value": company.customer}, "TotalAmt": -1}
    refused = {"bId": "1", "operation": "create", "Payment": bad_payment}
    answers = _send(company, refused, _create(company, "2", 10))
    assert answers["2"]["Invoice"]["DocNumber"] == "1001"


def test_a_batch_updates_voids_deletes_and_queries(company: Company) -> None:
    edited, voided, gone = (company.invoice(amount) for amount in (10, 20, 30))
    note = {"Id": edited["Id"], "SyncToken": "0", "sparse": True, "PrivateNote": "hi"}
    zero = {"Id": voided["Id"], "SyncToken": "0", "sparse": True}
    answers = _send(
        company,
        {"bId": "e", "operation": "update", "Invoice": note},
        {"bId": "v", "operation": "update", "optionsData": "void", "Invoice": zero},
        {"bId": "d", "operation": "delete", "Invoice": {"Id": gone["Id"], "SyncToken": "0"}},
        {"bId": "q", "Query": "select * from Invoice orderby Id"},
    )
    assert answers["e"]["Invoice"]["PrivateNote"] == "hi"
    assert answers["v"]["Invoice"]["TotalAmt"] == 0
    assert answers["d"]["Invoice"]["status"] == "Deleted"
    found = answers["q"]["QueryResponse"]["Invoice"]
    assert [each["Id"] for each in found] == [edited["Id"], voided["Id"]]


def test_more_than_thirty_items_are_refused_as_a_whole(
    company: Company, code: Callable[..., str]
) -> None:
    items = [_create(company, str(n), 1) for n in range(31)]
    assert code(company.post("batch", {"BatchItemRequest": items})) == "1040"
    assert company.query("select count(*) from Invoice") == {"totalCount": 0}


def test_queries_in_a_batch_are_metered_one_by_one(company: Company) -> None:
    company.control.forget_calls(company.realm)
    query = {"Query": "select * from Invoice"}
    _send(company, {"bId": "1", **query}, {"bId": "2", **query}, _create(company, "3", 1))
    (call,) = company.control.calls(company.realm)
    assert (call.kind, call.items, call.metered) == ("batch", 3, 2)


def test_a_repeated_request_id_answers_again_and_does_nothing(company: Company) -> None:
    first = company.post("invoice", company.invoice_body(10), requestid="r-1")
    again = company.post("invoice", company.invoice_body(10), requestid="r-1")
    assert again.json() == first.json()
    assert company.query("select count(*) from Invoice") == {"totalCount": 1}


def test_the_memory_outlives_the_object(company: Company) -> None:
    made = company.post("invoice", company.invoice_body(10), requestid="r-1").json()
    company.control.delete(company.realm, "Invoice", made["Invoice"]["Id"])
    assert company.post("invoice", company.invoice_body(10), requestid="r-1").json() == made
    assert company.query("select count(*) from Invoice") == {"totalCount": 0}


def test_another_company_does_not_share_request_ids(new_company: Callable[..., Company]) -> None:
    for company in (new_company(), new_company()):
        company.post("invoice", company.invoice_body(10), requestid="shared")
        assert company.query("select count(*) from Invoice") == {"totalCount": 1}


def test_a_repeated_batch_answers_item_by_item(company: Company) -> None:
    wrong = _create(company, "2", 20, CustomerRef={"value": "4711"})
    first = _send(company, _create(company, "1", 10), wrong, requestid="b-1")
    mended, late = _create(company, "2", 20), _create(company, "3", 30)
    again = _send(company, _create(company, "1", 10), mended, late, requestid="b-1")
    assert again["1"] == first["1"]
    assert (again["2"]["Invoice"]["TotalAmt"], again["3"]["Invoice"]["TotalAmt"]) == (20, 30)
    assert company.query("select count(*) from Invoice") == {"totalCount": 3}


def test_refusals_are_replayed_only_where_the_company_is_set_to(
    new_company: Callable[..., Company],
) -> None:
    for replays, expected in ((False, 200), (True, 400)):
        company = new_company(replay_faults=replays)
        body = company.invoice_body(10, DocNumber="x" * 30)
        assert company.post("invoice", body, requestid="r").status_code == 400
        repaired = company.post("invoice", company.invoice_body(10), requestid="r")
        assert repaired.status_code == expected


def test_the_memory_can_be_short(new_company: Callable[..., Company]) -> None:
    company = new_company(requestid_retention_seconds=60)
    company.post("invoice", company.invoice_body(10), requestid="r")
    company.control.advance(61)
    company.post("invoice", company.invoice_body(10), requestid="r")
    assert company.query("select count(*) from Invoice") == {"totalCount": 2}


@pytest.mark.parametrize(("path", "request_id"), [("invoice", "x" * 51), ("batch", "x" * 37)])
def test_a_request_id_that_is_too_long_is_refused(
    company: Company, code: Callable[..., str], path: str, request_id: str
) -> None:
    batch = {"BatchItemRequest": [_create(company, "1", 1)]}
    body = batch if path == "batch" else company.invoice_body(1)
    assert code(company.post(path, body, requestid=request_id)) == "2130"


def test_an_empty_request_id_is_none(company: Company) -> None:
    for _ in range(2):
        company.post("invoice", company.invoice_body(10), requestid="")
    assert company.query("select count(*) from Invoice") == {"totalCount": 2}
