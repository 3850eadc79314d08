"""Invoices and credit memos: totals, lines, numbers, tokens, void, delete."""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal
from typing import Any

import pytest

Company = Any


def test_a_new_invoice_has_token_zero_and_computed_amounts(company: Company) -> None:
    invoice = company.invoice(100, "12.50", TotalAmt=999, Balance=1)
    assert invoice["SyncToken"] == "0"
    assert invoice["TotalAmt"] == invoice["Balance"] == Decimal("112.5")
    assert invoice["LinkedTxn"] == []
    assert invoice["CustomField"] == []
    assert (invoice["domain"], invoice["sparse"]) == ("QBO", False)


def test_amounts_come_back_as_unpadded_numbers(company: Company) -> None:
    text = company.post("invoice", company.invoice_body("100.00", "12.50")).text
    assert '"Amount":100,' in text
    assert '"Amount":12.5,' in text
    assert '"TotalAmt":112.5,' in text


def test_one_subtotal_line_without_id_follows_the_sales_lines(company: Company) -> None:
    *sales, subtotal = company.invoice(100, 5)["Line"]
    assert [line["Id"] for line in sales] == ["1", "2"]
    assert subtotal == {
        "Amount": 105,
        "DetailType": "SubTotalLineDetail",
        "SubTotalLineDetail": {},
    }
    assert sales[0]["CustomExtensions"] == []
    assert sales[0]["SalesItemLineDetail"]["ItemAccountRef"]["name"] == "Services"


def test_a_percent_discount_comes_off_the_subtotal(company: Company) -> None:
    body = company.invoice_body(1005)
    detail = {"PercentBased": True, "DiscountPercent": 5}
    body["Line"].append({"DetailType": "DiscountLineDetail", "DiscountLineDetail": detail})
    invoice = company.post("invoice", body).json()["Invoice"]
    assert invoice["TotalAmt"] == 954.75
    assert "Id" not in invoice["Line"][-1]
    assert invoice["Line"][-1]["Amount"] == 50.25


def test_an_amount_that_is_not_quantity_times_price_is_refused(
    company: Company, code: Callable[..., str]
) -> None:
    body = company.invoice_body("29.98")
    body["Line"][0]["SalesItemLineDetail"] |= {"Qty": 3, "UnitPrice": "9.99"}
    assert code(company.post("invoice", body)) == "6070"
    body["Line"][0]["Amount"] = "29.97"
    assert company.post("invoice", body).status_code == 200


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        ({"CustomerRef": None}, "2020"),
        ({"Line": None}, "2020"),
        ({"Line": []}, "2250"),
        ({"DocNumber": "x" * 22}, "2050"),
        ({"PrivateNote": "x" * 4001}, "2050"),
        ({"CustomerMemo": {"value": "x" * 1001}}, "2050"),
        ({"PrivateNote": "a\x00b"}, "2040"),
        ({"TxnDate": "22/11/2026"}, "2060"),
        ({"Colour": "red"}, "2010"),
        ({"CustomerRef": {"value": "4711"}}, "2500"),
        ({"SalesTermRef": {"value": "4711"}}, "2500"),
        ({"EmailStatus": "NeedToSend"}, "2020"),
        ({"EmailStatus": "Whatever"}, "2010"),
        ({"CurrencyRef": {"value": "EUR"}}, "6000"),
    ],
)
def test_what_intuit_does_not_take_is_refused_with_its_code(
    company: Company, code: Callable[..., str], change: dict[str, Any], expected: str
) -> None:
    body = {**company.invoice_body(10), **change}
    answer = company.post("invoice", {k: v for k, v in body.items() if v is not None})
    assert (answer.status_code, code(answer)) == (400, expected)
    assert company.query("select count(*) from Invoice") == {"totalCount": 0}


def test_several_problems_come_in_one_fault(company: Company) -> None:
    body = company.invoice_body(10, DocNumber="x" * 45, Colour="red")
    errors = company.post("invoice", body).json()["Fault"]["Error"]
    assert {error["code"] for error in errors} == {"2050", "2010"}
    length = next(error for error in errors if error["code"] == "2050")
    assert "Max:21 supported. Supplied length:45" in length["Detail"]
    assert length["element"] == "DocNumber"


def test_a_line_without_an_item_gets_the_first_item(company: Company) -> None:
    body = company.invoice_body(10)
    body["Line"][0]["SalesItemLineDetail"] = {}
    line = company.post("invoice", body).json()["Invoice"]["Line"][0]
    assert line["SalesItemLineDetail"]["ItemRef"]["value"] == "1"


def test_us_lines_take_tax_or_non_only(company: Company, code: Callable[..., str]) -> None:
    body = company.invoice_body(10)
    body["Line"][0]["SalesItemLineDetail"]["TaxCodeRef"] = {"value": "2"}
    assert code(company.post("invoice", body)) == "6100"


def test_the_due_date_follows_the_term(company: Company) -> None:
    invoice = company.invoice(10, TxnDate="2026-11-05", SalesTermRef={"value": "3"})
    assert invoice["DueDate"] == "2026-12-05"
    assert invoice["SalesTermRef"] == {"value": "3", "name": "Net 30"}


def test_numbers_come_from_one_sequence_of_invoices_and_credit_memos(company: Company) -> None:
    first = company.invoice(10)["DocNumber"]
    memo = company.control.credit_memo(company.realm, company.customer, [(company.item, 5)])
    assert [first, memo["DocNumber"], company.invoice(10)["DocNumber"]] == ["1001", "1002", "1003"]


def test_without_custom_numbers_a_duplicate_number_is_accepted_silently(company: Company) -> None:
    assert company.invoice(10, DocNumber="INV-1")["DocNumber"] == "INV-1"
    assert company.invoice(10, DocNumber="INV-1")["DocNumber"] == "INV-1"


def test_with_custom_numbers_duplicates_are_refused_and_none_is_given(
    new_company: Callable[..., Company], code: Callable[..., str]
) -> None:
    company = new_company(custom_txn_numbers=True)
    company.invoice(10, DocNumber="INV-1")
    body = company.invoice_body(10, DocNumber="INV-1")
    assert code(company.post("invoice", body)) == "6140"
    assert company.post("invoice", body, include="allowduplicatedocnum").status_code == 200
    assert "DocNumber" not in company.invoice(10)


def test_an_update_raises_the_token_and_a_stale_one_is_refused(
    company: Company, code: Callable[..., str]
) -> None:
    invoice = company.invoice(10)
    change = {
        "Id": invoice["Id"],
        "SyncToken": "0",
        "sparse": True,
        "PrivateNote": "hello",
    }
    changed = company.post("invoice", change, operation="update").json()["Invoice"]
    assert (changed["SyncToken"], changed["TotalAmt"]) == ("1", 10)
    stale = company.post("invoice", {**change, "PrivateNote": "again"})
    assert (stale.status_code, code(stale)) == (400, "5010")
    assert company.get("Invoice", invoice["Id"])["PrivateNote"] == "hello"


def test_an_update_that_changes_nothing_keeps_the_token(company: Company) -> None:
    invoice = company.invoice(10, PrivateNote="same")
    body = {"Id": invoice["Id"], "SyncToken": "0", "sparse": True, "PrivateNote": "same"}
    assert company.post("invoice", body).json()["Invoice"]["SyncToken"] == "0"
    full = company.invoice_body(10, PrivateNote="same", Id=invoice["Id"], SyncToken="0")
    full |= {"DocNumber": invoice["DocNumber"], "TxnDate": invoice["TxnDate"]}
    full["Line"][0]["Id"] = "1"
    assert company.post("invoice", full).json()["Invoice"]["SyncToken"] == "0"


def test_a_full_update_clears_what_it_does_not_name(company: Company) -> None:
    invoice = company.invoice(10, PrivateNote="gone soon")
    body = company.invoice_body(10, Id=invoice["Id"], SyncToken="0")
    assert "PrivateNote" not in company.post("invoice", body).json()["Invoice"]


def test_lines_are_replaced_as_a_whole_and_known_ids_stay(company: Company) -> None:
    invoice = company.invoice(10, 20)
    lines = company.invoice_body(20, 30)["Line"]
    lines[0]["Id"] = "2"
    body = {"Id": invoice["Id"], "SyncToken": "0", "sparse": True, "Line": lines}
    changed = company.post("invoice", body).json()["Invoice"]
    assert [line.get("Id") for line in changed["Line"]] == ["2", "3", None]
    assert changed["TotalAmt"] == 50


def test_a_voided_invoice_keeps_its_identity_and_loses_its_amounts(company: Company) -> None:
    body = company.invoice_body("29.97", PrivateNote="note")
    body["Line"][0]["SalesItemLineDetail"] |= {"Qty": 3, "UnitPrice": "9.99"}
    invoice = company.post("invoice", body).json()["Invoice"]
    target = {"Id": invoice["Id"], "SyncToken": "0"}
    voided = company.post("invoice", target, operation="void").json()["Invoice"]
    assert (voided["TotalAmt"], voided["Balance"], voided["TxnTaxDetail"]) == (
        0,
        0,
        {"TotalTax": 0},
    )
    assert voided["PrivateNote"].startswith("Voided")
    assert voided["PrivateNote"].endswith("note")
    assert (voided["SyncToken"], voided["DocNumber"]) == ("1", invoice["DocNumber"])
    assert [line["Amount"] for line in voided["Line"]] == [0, 0]
    detail = voided["Line"][0]["SalesItemLineDetail"]
    assert detail["Qty"] == 0
    assert "UnitPrice" not in detail


def test_voiding_a_paid_invoice_leaves_its_payment_unapplied(company: Company) -> None:
    invoice = company.invoice(100)
    payment = company.pay((invoice["Id"], 100))
    target = {"Id": invoice["Id"], "SyncToken": "1"}
    assert company.post("invoice", target, operation="void").status_code == 200
    left = company.get("Payment", payment["Id"])
    assert (left["UnappliedAmt"], left["Line"], left["SyncToken"]) == (100, [], "1")
    assert company.get("Customer", company.customer)["Balance"] == -100


def test_each_transaction_has_its_own_form_of_void(
    company: Company, code: Callable[..., str]
) -> None:
    invoice = company.invoice(100)
    payment = company.pay((invoice["Id"], 40))
    sent = {"Id": payment["Id"], "SyncToken": "0"}
    assert code(company.post("payment", sent, operation="void")) == "500"
    memo = company.control.credit_memo(company.realm, company.customer, [(company.item, 5)])
    target = {"Id": memo["Id"], "SyncToken": "0"}
    assert code(company.post("creditmemo", target, operation="void")) == "500"
    form = {"operation": "update", "include": "void"}
    assert company.post("payment", {**sent, "sparse": True}, **form).status_code == 200


def test_a_deleted_invoice_leaves_a_stub_and_is_gone(
    company: Company, code: Callable[..., str]
) -> None:
    invoice = company.invoice(10)
    target = {"Id": invoice["Id"], "SyncToken": "0"}
    stub = company.post("invoice", target, operation="delete").json()["Invoice"]
    assert stub == {"domain": "QBO", "status": "Deleted", "Id": invoice["Id"]}
    gone = company.read(f"invoice/{invoice['Id']}")
    assert (gone.status_code, code(gone)) == (400, "610")
    assert company.query("select * from Invoice") == {}
    assert code(company.post("invoice", target, operation="delete")) == "610"


def test_deleting_a_paid_invoice_can_be_switched_to_either_report(
    new_company: Callable[..., Company], code: Callable[..., str]
) -> None:
    strict = new_company(reject_delete_of_paid_invoice=True)
    lenient = new_company()
    for company, expected in ((strict, 400), (lenient, 200)):
        invoice = company.invoice(10)
        company.pay((invoice["Id"], 10))
        target = {"Id": invoice["Id"], "SyncToken": "1"}
        answer = company.post("invoice", target, operation="delete")
        assert answer.status_code == expected


def test_a_total_below_what_is_applied_frees_the_newest_payment_first(company: Company) -> None:
    invoice = company.invoice(100)
    first, second = company.pay((invoice["Id"], 60)), company.pay((invoice["Id"], 40))
    company.control.edit(
        company.realm, "Invoice", invoice["Id"], Line=company.invoice_body(70)["Line"]
    )
    assert company.get("Invoice", invoice["Id"])["Balance"] == 0
    assert company.get("Payment", first["Id"])["UnappliedAmt"] == 0
    assert company.get("Payment", second["Id"])["UnappliedAmt"] == 30


def test_a_credit_memo_shows_its_open_credit_twice(company: Company) -> None:
    memo = company.control.credit_memo(company.realm, company.customer, [(company.item, "25.50")])
    assert memo["RemainingCredit"] == memo["Balance"] == Decimal("25.5")
    assert "LinkedTxn" not in memo
    assert company.get("Customer", company.customer)["Balance"] == Decimal("-25.5")


def test_stamps_are_whole_seconds_in_pacific_time(company: Company) -> None:
    answer = company.post("invoice", company.invoice_body(10)).json()
    assert len(answer["Invoice"]["MetaData"]["CreateTime"]) == len("2026-05-05T03:14:53-07:00")
    assert answer["Invoice"]["MetaData"]["CreateTime"][-6:] in {"-08:00", "-07:00"}
    assert len(answer["time"]) == len("2026-05-05T03:14:52.924-07:00")


@pytest.mark.parametrize(
    ("path", "expected"), [("invoice/x-y", "2030"), ("invoice/4711", "610"), ("vendor/1", "500")]
)
def test_reading_what_is_not_there(
    company: Company, code: Callable[..., str], path: str, expected: str
) -> None:
    answer = company.read(path)
    assert (answer.status_code, code(answer)) == (400, expected)
    assert ("time" in answer.json()) is (expected != "2030")
