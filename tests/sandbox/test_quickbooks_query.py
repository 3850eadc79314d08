"""The query language: grammar, filters, orders, pages, counts and faults."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

Company = Any


def _numbers(response: dict[str, Any]) -> list[str]:
    return [invoice["DocNumber"] for invoice in response.get("Invoice", [])]


@pytest.fixture
def five(company: Company) -> Company:
    """A company with invoices A1 to A5 of 10 to 50, each changed a minute after the last."""
    for place in range(1, 6):
        company.invoice(place * 10, DocNumber=f"A{place}", TxnDate=f"2026-11-0{place}")
        company.control.advance(60)
    return company


@pytest.mark.parametrize(
    ("where", "expected"),
    [
        ("DocNumber = 'A3'", ["A3"]),
        ("docnumber in ('a1', 'A5')", ["A1", "A5"]),
        ("DocNumber LIKE 'A%' AND TxnDate >= '2026-11-04'", ["A4", "A5"]),
        ("TxnDate > '2026-11-01' and TxnDate < '2026-11-03'", ["A2"]),
        ("Balance >= '40'", ["A4", "A5"]),
        ("Balance = 10", ["A1"]),
        ("TxnDate <= CURRENT_DATE", ["A1", "A2", "A3", "A4", "A5"]),
        ("DocNumber = 'A_'", []),
    ],
)
def test_filters(five: Company, where: str, expected: list[str]) -> None:
    found = five.query(f"SELECT * FROM Invoice WHERE {where} ORDERBY Id")
    assert _numbers(found) == expected


def test_invoices_of_a_customer(five: Company) -> None:
    other = five.control.customer(five.realm, "Somebody Else")["Id"]
    five.control.invoice(five.realm, other, [(five.item, 5)], DocNumber="B1")
    found = five.query(f"select * from Invoice where CustomerRef = '{other}'")
    assert _numbers(found) == ["B1"]


def test_transactions_come_newest_first_unless_ordered(five: Company) -> None:
    assert _numbers(five.query("select * from Invoice")) == ["A5", "A4", "A3", "A2", "A1"]
    ordered = five.query("select * from Invoice order by MetaData.LastUpdatedTime ASC")
    assert _numbers(ordered) == ["A1", "A2", "A3", "A4", "A5"]
    assert _numbers(five.query("select * from Invoice orderby TxnDate desc"))[0] == "A5"


def test_times_are_compared_as_instants(five: Company) -> None:
    third = five.query("select * from Invoice where DocNumber = 'A3'")["Invoice"][0]
    since = third["MetaData"]["LastUpdatedTime"]
    found = five.query(f"select * from Invoice where Metadata.LastUpdatedTime >= '{since}'")
    assert sorted(_numbers(found)) == ["A3", "A4", "A5"]


def test_pages_start_at_one_and_tell_their_own_length(five: Company) -> None:
    page = five.query("select * from Invoice orderby Id STARTPOSITION 4 MAXRESULTS 3")
    assert _numbers(page) == ["A4", "A5"]
    assert (page["startPosition"], page["maxResults"], page["totalCount"]) == (4, 2, 5)
    other_way = five.query("select * from Invoice orderby Id MAXRESULTS 2 STARTPOSITION 2")
    assert _numbers(other_way) == ["A2", "A3"]


def test_a_page_has_a_hundred_rows_unless_asked_and_never_over_a_thousand(
    company: Company, code: Callable[..., str]
) -> None:
    objects = [{"entity": "Invoice", "body": company.invoice_body(1)} for _ in range(101)]
    company.control.seed(company.realm, objects)
    assert company.query("select * from Invoice")["maxResults"] == 100
    assert company.query("select * from Invoice maxresults 1000")["maxResults"] == 101
    assert code(company.read("query", query="select * from Invoice maxresults 1001")) == "4001"


def test_nothing_found_and_counts(five: Company) -> None:
    assert five.query("select * from Invoice where DocNumber = 'none'") == {}
    assert five.query("select count(*) from Invoice") == {"totalCount": 5}


def test_lists_of_payments_tell_no_total_count(company: Company) -> None:
    company.pay((company.invoice(10)["Id"], 10))
    assert "totalCount" not in company.query("select * from Payment")


def test_lists_show_active_rows_only_unless_asked(company: Company) -> None:
    company.control.customer(company.realm, "Closed Shop", Active=False)
    names = [each["DisplayName"] for each in company.query("select * from Customer")["Customer"]]
    assert names == ["Harbor Dental Group"]
    everyone = company.query("select * from Customer where Active IN (true, false)")["Customer"]
    assert [each["DisplayName"] for each in everyone] == [
        "Closed Shop (deleted)",
        "Harbor Dental Group",
    ]
    assert company.query("select count(*) from Customer where Active = false") == {"totalCount": 1}


@pytest.mark.parametrize("name", ["O'Neill & Sons", "100% Pure_Water", "Back\\slash", "Zoë’s"])
def test_awkward_names_are_found_when_escaped(company: Company, name: str) -> None:
    made = company.control.customer(company.realm, name)["Id"]
    escaped = name.replace("\\", "\\\\").replace("'", "\\'")
    found = company.query(f"select * from Customer where DisplayName = '{escaped}'")
    assert [each["Id"] for each in found["Customer"]] == [made]


def test_only_named_properties_come_back(five: Company) -> None:
    found = five.query("select Id, SyncToken, MetaData.CreateTime from Invoice maxresults 1")
    invoice = found["Invoice"][0]
    assert set(invoice) == {"Id", "SyncToken", "MetaData", "domain", "sparse"}
    assert set(invoice["MetaData"]) == {"CreateTime"}


@pytest.mark.parametrize(
    ("statement", "expected"),
    [
        ("select * from Custmoer", "4001"),
        ("select * from Vendor", "4001"),
        ("select * from Invoice where PrivateNote = 'x'", "4001"),
        ("select * from Payment where DocNumber = 'x'", "4001"),
        ("select * from Invoice where Id > '5'", "4001"),
        ("select * from Invoice where TxnDate = 'soon'", "4001"),
        ("select * from Invoice startposition 0", "4001"),
        ("select * from Invoice where DocNumber = 'it's'", "4000"),
        ("select * from Invoice where DocNumber = ’x’", "4000"),
        ("select * from Invoice where DocNumber = 'a' or DocNumber = 'b'", "4000"),
        ("select * from Invoice where DocNumber != 'a'", "4000"),
        ("select * from", "4000"),
        ("", "4000"),
    ],
)
def test_what_the_language_does_not_know_is_refused(
    company: Company, code: Callable[..., str], statement: str, expected: str
) -> None:
    answer = company.read("query", query=statement)
    assert (answer.status_code, code(answer)) == (400, expected)


def test_a_long_query_is_posted_as_text(company: Company, code: Callable[..., str]) -> None:
    made = company.invoice(10, DocNumber="L1")["Id"]
    numbers = ",".join(f"'N{n}'" for n in range(2000))
    statement = f"select * from Invoice where DocNumber in ({numbers},'L1')"
    headers = {**company.headers, "content-type": "application/text"}
    answer = company.http.post(company.url("query"), content=statement, headers=headers)
    assert [each["Id"] for each in answer.json()["QueryResponse"]["Invoice"]] == [made]
    wrong = {**headers, "content-type": "application/json"}
    assert code(company.http.post(company.url("query"), content=statement, headers=wrong)) == "4000"


def test_ten_thousand_payments_are_read_in_pages(company: Company) -> None:
    body = {"CustomerRef": {"value": company.customer}, "TotalAmt": 1}
    objects = [{"entity": "Payment", "body": body} for _ in range(10_000)]
    company.control.seed(company.realm, objects)
    seen: set[str] = set()
    for start in range(1, 10_001, 1000):
        page = company.query(
            f"select * from Payment orderby Id startposition {start} maxresults 1000"
        )
        seen |= {payment["Id"] for payment in page["Payment"]}
    assert len(seen) == 10_000
