"""Settings of a company: tax, automatic credits, closing date, currencies, subscription."""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal
from typing import Any

import pytest

from qbo_sync_dagster.sandbox.quickbooks.control import SandboxRefusedError

Company = Any


def _taxed(company: Company, amount: int, **properties: Any) -> dict[str, Any]:
    body = company.invoice_body(amount, **properties)
    body["Line"][0]["SalesItemLineDetail"]["TaxCodeRef"] = {"value": "TAX"}
    answer = company.post("invoice", body)
    assert answer.status_code == 200, answer.text
    return dict(answer.json()["Invoice"])


def test_sent_tax_is_taken_as_sent(company: Company) -> None:
    invoice = _taxed(company, 100, TxnTaxDetail={"TotalTax": "8.13"})
    assert (invoice["TxnTaxDetail"]["TotalTax"], invoice["TotalAmt"]) == (8.13, 108.13)


def test_without_sales_tax_the_tax_is_ignored(new_company: Callable[..., Company]) -> None:
    company = new_company(using_sales_tax=False)
    invoice = _taxed(company, 100, TxnTaxDetail={"TotalTax": 8})
    assert (invoice["TxnTaxDetail"], invoice["TotalAmt"]) == ({"TotalTax": 0}, 100)


def test_automated_tax_replaces_what_was_sent_and_needs_an_address(
    new_company: Callable[..., Company],
) -> None:
    company = new_company(automated_sales_tax=True, sales_tax_percent="7.5")
    nowhere = _taxed(company, 100, TxnTaxDetail={"TotalTax": 8})
    assert (nowhere["TxnTaxDetail"], nowhere["TotalAmt"]) == ({"TotalTax": 0}, 100)
    address = {"Line1": "1 Example Street", "City": "Springfield"}
    somewhere = _taxed(company, 100, TxnTaxDetail={"TotalTax": 8}, BillAddr=address)
    assert (somewhere["TxnTaxDetail"]["TotalTax"], somewhere["TotalAmt"]) == (7.5, 107.5)


def test_credits_are_applied_by_themselves_where_the_company_is_set_to(
    new_company: Callable[..., Company],
) -> None:
    company = new_company(auto_apply_credits=True)
    invoice = company.invoice(100)["Id"]
    memo = company.control.credit_memo(company.realm, company.customer, [(company.item, 30)])
    assert company.get("Invoice", invoice)["Balance"] == 70
    assert company.get("CreditMemo", memo["Id"])["RemainingCredit"] == 0
    (payment,) = company.control.list(company.realm, "Payment")
    assert payment["TotalAmt"] == 0
    assert payment["PrivateNote"].startswith("Created by QB Online")


def test_a_later_invoice_takes_what_credit_is_left(new_company: Callable[..., Company]) -> None:
    company = new_company(auto_apply_credits=True)
    company.control.credit_memo(company.realm, company.customer, [(company.item, 30)])
    assert company.invoice(100)["Balance"] == 70


@pytest.mark.parametrize(("password", "expected"), [(False, "6200"), (True, "6210")])
def test_nothing_is_written_on_or_before_the_closing_date(
    new_company: Callable[..., Company],
    code: Callable[..., str],
    password: bool,
    expected: str,
) -> None:
    company = new_company(book_close_needs_password=password)
    old = company.invoice(10, TxnDate="2026-09-30")
    new = company.invoice(10, TxnDate="2026-10-01")
    company.control.set(company.realm, book_close_date="2026-09-30")
    target = {"Id": old["Id"], "SyncToken": "0", "sparse": True}
    moved = {"Id": new["Id"], "SyncToken": "0", "sparse": True, "TxnDate": "2026-09-01"}
    attempts = [
        company.post("invoice", company.invoice_body(10, TxnDate="2026-09-30")),
        company.post("invoice", {**target, "PrivateNote": "x"}),
        company.post("invoice", {**target, "TxnDate": "2026-10-01"}),
        company.post("invoice", moved),
        company.post("invoice", target, operation="void"),
        company.post("invoice", target, operation="delete"),
    ]
    assert [code(answer) for answer in attempts] == [expected] * 6
    assert company.post("invoice", {**moved, "TxnDate": "2026-10-02"}).status_code == 200
    assert company.control.void(company.realm, "Invoice", old["Id"])["TotalAmt"] == 0


def test_payments_keep_to_the_closing_date_too(
    new_company: Callable[..., Company], code: Callable[..., str]
) -> None:
    company = new_company(book_close_date="2026-09-30")
    body = {"CustomerRef": {"value": company.customer}, "TotalAmt": 5, "TxnDate": "2026-09-30"}
    assert code(company.post("payment", body)) == "6200"


def test_a_lapsed_subscription_refuses_everything(
    new_company: Callable[..., Company], code: Callable[..., str]
) -> None:
    company = new_company(subscription_lapsed=True)
    assert code(company.read("preferences")) == "6190"
    assert code(company.post("invoice", company.invoice_body(10))) == "6190"


def test_a_foreign_customer_has_documents_in_its_own_currency(
    new_company: Callable[..., Company], code: Callable[..., str]
) -> None:
    company = new_company(multicurrency=True)
    euro = {"value": "EUR"}
    customer = company.control.customer(company.realm, "Rhein Consulting", CurrencyRef=euro)
    body = company.invoice_body(100, CustomerRef={"value": customer["Id"]}, CurrencyRef=euro)
    invoice = company.post("invoice", {**body, "ExchangeRate": "1.08"}).json()["Invoice"]
    assert (invoice["CurrencyRef"]["value"], invoice["HomeTotalAmt"]) == ("EUR", 108)
    wrong = {**body, "CurrencyRef": {"value": "USD"}}
    assert code(company.post("invoice", wrong)) == "6000"
    crossing = {
        "CustomerRef": {"value": company.customer},
        "TotalAmt": 10,
        "Line": [{"Amount": 10, "LinkedTxn": [{"TxnId": invoice["Id"], "TxnType": "Invoice"}]}],
    }
    assert code(company.post("payment", crossing)) == "6000"


def test_outside_the_us_a_document_says_how_it_is_taxed(
    new_company: Callable[..., Company], code: Callable[..., str]
) -> None:
    company = new_company(country="GB", home_currency="GBP")
    body = company.invoice_body(100)
    assert code(company.post("invoice", body)) == "6000"
    answer = company.post("invoice", {**body, "GlobalTaxCalculation": "TaxExcluded"})
    assert answer.json()["Invoice"]["GlobalTaxCalculation"] == "TaxExcluded"
    inclusive = {**body, "GlobalTaxCalculation": "TaxInclusive"}
    assert code(company.post("invoice", inclusive)) == "500"


def test_whether_a_memo_moves_when_it_is_applied_can_be_switched(
    new_company: Callable[..., Company],
) -> None:
    for moves, expected in ((True, "1"), (False, "0")):
        company = new_company(credit_memo_moves_when_applied=moves)
        control, realm = company.control, company.realm
        invoice = company.invoice(100)["Id"]
        memo = control.credit_memo(realm, company.customer, [(company.item, 30)])["Id"]
        control.apply_credit(realm, company.customer, invoice, memo, 30)
        assert company.get("CreditMemo", memo)["SyncToken"] == expected
        assert company.get("CreditMemo", memo)["RemainingCredit"] == 0


def test_an_unknown_switch_or_a_wrong_value_is_refused(company: Company) -> None:
    with pytest.raises(SandboxRefusedError, match="no switch"):
        company.control.set(company.realm, gravity=True)
    with pytest.raises(SandboxRefusedError, match="takes bool"):
        company.control.set(company.realm, multicurrency="yes")


def test_seeded_objects_may_be_old(company: Company) -> None:
    old = "2024-03-01T10:00:00-08:00"
    (made,) = company.control.seed(
        company.realm,
        [{"entity": "Invoice", "body": company.invoice_body("9.99"), "id": "500", "created": old}],
    )
    invoice = company.get("Invoice", made)
    assert (invoice["Id"], invoice["MetaData"]["CreateTime"]) == ("500", old)
    assert invoice["TotalAmt"] == Decimal("9.99")
    assert int(company.invoice(1)["Id"]) > 500


def test_seeded_payments_touch_their_invoices_at_their_own_time(company: Company) -> None:
    body = company.invoice_body(50)
    seeded = company.control.seed
    (invoice,) = seeded(
        company.realm,
        [{"entity": "Invoice", "body": body, "created": "2024-03-01T10:00:00-08:00"}],
    )
    line = {"Amount": 50, "LinkedTxn": [{"TxnId": invoice, "TxnType": "Invoice"}]}
    payment = {"CustomerRef": {"value": company.customer}, "TotalAmt": 50, "Line": [line]}
    paid_at = "2024-03-20T10:00:00-07:00"
    seeded(company.realm, [{"entity": "Payment", "body": payment, "created": paid_at}])
    assert company.get("Invoice", invoice)["MetaData"]["LastUpdatedTime"] == paid_at
    assert company.get("Invoice", invoice)["Balance"] == 0
