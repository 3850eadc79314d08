"""Change Data Capture: what it tells, what it leaves out, where it stops without a word."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest

Company = Any


def _since(company: Company, ago: timedelta = timedelta(minutes=5)) -> str:
    return str((company.control.now() - ago).isoformat())


def test_changed_objects_come_grouped_by_entity(company: Company) -> None:
    invoice = company.invoice(10)["Id"]
    payment = company.pay((invoice, 10))["Id"]
    blocks = company.cdc("Invoice,Payment,Term", _since(company))
    assert [each["Id"] for each in blocks["Invoice"]["Invoice"]] == [invoice]
    assert [each["Id"] for each in blocks["Payment"]["Payment"]] == [payment]
    assert (blocks["Invoice"]["startPosition"], blocks["Invoice"]["totalCount"]) == (1, 1)


def test_only_what_changed_since_then(company: Company) -> None:
    company.invoice(10)
    company.control.advance(600)
    assert company.cdc("Invoice", _since(company)) == {}
    newer = company.invoice(20)["Id"]
    block = company.cdc("Invoice", _since(company))["Invoice"]["Invoice"]
    assert [each["Id"] for each in block] == [newer]


def test_deleted_objects_are_stubs_after_the_live_ones(company: Company) -> None:
    gone, stays = company.invoice(10)["Id"], company.invoice(20)["Id"]
    company.control.delete(company.realm, "Invoice", gone)
    block = company.cdc("Invoice", _since(company))["Invoice"]
    live, stub = block["Invoice"]
    assert live["Id"] == stays
    assert (stub["status"], stub["Id"], set(stub["MetaData"])) == (
        "Deleted",
        gone,
        {"LastUpdatedTime"},
    )
    assert "SyncToken" not in stub


def test_a_block_of_stubs_has_no_start_position(company: Company) -> None:
    gone = company.invoice(10)["Id"]
    company.control.delete(company.realm, "Invoice", gone)
    block = company.cdc("Invoice", _since(company))["Invoice"]
    assert "startPosition" not in block
    assert (block["maxResults"], block["totalCount"]) == (1, 1)


def test_a_void_comes_as_a_live_object(company: Company) -> None:
    invoice = company.invoice(10)["Id"]
    company.control.void(company.realm, "Invoice", invoice)
    (voided,) = company.cdc("Invoice", _since(company))["Invoice"]["Invoice"]
    assert (voided["TotalAmt"], voided["PrivateNote"]) == (0, "Voided")


def test_a_deposit_is_not_a_change(company: Company) -> None:
    payment = company.pay((company.invoice(10)["Id"], 10))["Id"]
    company.control.advance(600)
    company.control.deposit(company.realm, payment)
    assert company.cdc("Payment", _since(company)) == {}


def test_the_feed_stops_at_its_cap_without_a_word(new_company: Callable[..., Company]) -> None:
    company = new_company()
    objects = [{"entity": "Invoice", "body": company.invoice_body(1)} for _ in range(1001)]
    company.control.seed(company.realm, objects)
    blocks = company.cdc("Invoice,Customer", _since(company))
    assert blocks["Invoice"]["totalCount"] == 1000
    assert "Customer" not in blocks
    company.control.set(company.realm, cdc_cap=2000)
    assert company.cdc("Invoice", _since(company))["Invoice"]["totalCount"] == 1001


def test_unchanged_entities_may_come_as_empty_blocks(new_company: Callable[..., Company]) -> None:
    company = new_company(empty_cdc_blocks=True)
    answer = company.read("cdc", entities="Payment,Term", changedSince=_since(company)).json()
    assert answer["CDCResponse"][0]["QueryResponse"][0] == {}


@pytest.mark.parametrize(
    ("entities", "ago"),
    [("Invoice", timedelta(days=31)), ("TaxCode", timedelta(0)), ("Vendor", timedelta(0))],
)
def test_too_long_ago_or_an_entity_without_a_feed_is_refused(
    company: Company, entities: str, ago: timedelta
) -> None:
    answer = company.read("cdc", entities=entities, changedSince=_since(company, ago))
    assert answer.status_code == 400


def test_stamps_may_lie_after_the_time_of_their_answer(company: Company) -> None:
    """MetaData is rounded to the second: a cursor must overlap."""
    company.control.advance(0.7 - company.control.now().microsecond / 1e6)
    answer = company.post("invoice", company.invoice_body(10)).json()
    assert answer["Invoice"]["MetaData"]["CreateTime"] > answer["time"][:19]
