"""Payments: what they apply to, what is left, how documents and customers follow."""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal
from typing import Any

import pytest

Company = Any


def _line(identity: str, amount: object, kind: str = "Invoice") -> dict[str, Any]:
    return {"Amount": amount, "LinkedTxn": [{"TxnId": identity, "TxnType": kind}]}


def _payment(
    company: Company, total: object, *lines: dict[str, Any], **more: Any
) -> dict[str, Any]:
    return {
        "CustomerRef": {"value": company.customer},
        "TotalAmt": total,
        "Line": list(lines),
        **more,
    }


def test_a_payment_lowers_the_balance_and_moves_token_and_link(company: Company) -> None:
    invoice = company.invoice(100)
    body = _payment(company, 60, _line(invoice["Id"], 60))
    payment = company.post("payment", body).json()["Payment"]
    assert (payment["UnappliedAmt"], payment["ProcessPayment"]) == (0, False)
    assert payment["DepositToAccountRef"] == {"value": "4"}
    paid = company.get("Invoice", invoice["Id"])
    assert (paid["Balance"], paid["SyncToken"]) == (40, "1")
    assert paid["LinkedTxn"] == [{"TxnId": payment["Id"], "TxnType": "Payment"}]
    assert company.get("Customer", company.customer)["Balance"] == 40


def test_the_customer_balance_moves_its_time_and_not_its_token(company: Company) -> None:
    before = company.get("Customer", company.customer)
    company.control.advance(60)
    company.invoice(100)
    after = company.get("Customer", company.customer)
    assert after["SyncToken"] == before["SyncToken"]
    assert after["MetaData"]["LastUpdatedTime"] > before["MetaData"]["LastUpdatedTime"]


def test_the_newest_payment_stands_first_among_an_invoices_links(company: Company) -> None:
    invoice = company.invoice(100)
    first, second = company.pay((invoice["Id"], 10)), company.pay((invoice["Id"], 20))
    links = company.get("Invoice", invoice["Id"])["LinkedTxn"]
    assert [link["TxnId"] for link in links] == [second["Id"], first["Id"]]


def test_lines_have_no_id_and_tell_the_open_balance_before_them(company: Company) -> None:
    invoice = company.invoice(80)
    line = company.pay((invoice["Id"], 30))["Line"][0]
    facts = {each["value"]["Name"]: each["value"]["Value"] for each in line["LineEx"]["any"]}
    assert facts == {
        "txnId": invoice["Id"],
        "txnOpenBalance": "80.00",
        "txnReferenceNumber": invoice["DocNumber"],
    }
    assert not {"Id", "DetailType"} & set(line)


def test_an_overpayment_is_accepted_and_its_excess_stays_unapplied(company: Company) -> None:
    invoice = company.invoice(100)
    payment = company.pay((invoice["Id"], 130))
    assert (payment["Line"][0]["Amount"], payment["UnappliedAmt"]) == (100, 30)
    assert company.get("Invoice", invoice["Id"])["Balance"] == 0
    assert company.get("Customer", company.customer)["Balance"] == -30


def test_a_payment_without_lines_is_all_unapplied(company: Company) -> None:
    payment = company.post("payment", _payment(company, 50)).json()["Payment"]
    assert (payment["UnappliedAmt"], payment["Line"]) == (50, [])


def test_one_cheque_over_three_invoices(company: Company) -> None:
    invoices = [company.invoice(amount)["Id"] for amount in (10, 20, 30)]
    company.pay(*zip(invoices, (10, 20, 5), strict=True))
    assert [company.get("Invoice", each)["Balance"] for each in invoices] == [0, 0, 25]


def test_an_edit_touches_only_the_invoices_whose_part_changes(company: Company) -> None:
    kept, dropped = company.invoice(50)["Id"], company.invoice(50)["Id"]
    payment = company.pay((kept, 10), (dropped, 20))
    company.control.edit_payment(company.realm, payment["Id"], [(kept, 10)], total=30)
    assert company.get("Invoice", kept)["SyncToken"] == "1"
    assert company.get("Invoice", dropped)["SyncToken"] == "2"
    assert company.get("Invoice", dropped)["LinkedTxn"] == []
    assert company.get("Payment", payment["Id"])["UnappliedAmt"] == 20


def test_a_note_changes_the_payment_and_leaves_its_invoice_alone(company: Company) -> None:
    invoice = company.invoice(50)["Id"]
    payment = company.pay((invoice, 50))
    body = {"Id": payment["Id"], "SyncToken": "0", "sparse": True, "PrivateNote": "cheque 12"}
    changed = company.post("payment", body).json()["Payment"]
    assert (changed["SyncToken"], changed["Line"][0]["Amount"]) == ("1", 50)
    assert company.get("Invoice", invoice)["SyncToken"] == "1"


def test_a_partial_update_of_the_money_is_refused(
    company: Company, code: Callable[..., str]
) -> None:
    payment = company.pay((company.invoice(50)["Id"], 50))
    body = {"Id": payment["Id"], "SyncToken": "0", "sparse": True, "TotalAmt": 40}
    assert code(company.post("payment", body)) == "2020"


def test_taking_a_payment_off_its_invoices_keeps_the_money(company: Company) -> None:
    invoice = company.invoice(50)["Id"]
    payment = company.pay((invoice, 50))
    company.control.unapply(company.realm, payment["Id"])
    assert company.get("Payment", payment["Id"])["UnappliedAmt"] == 50
    assert company.get("Invoice", invoice)["Balance"] == 50


def test_a_voided_payment_is_a_payment_of_nothing(company: Company) -> None:
    invoice = company.invoice(50)["Id"]
    payment = company.pay((invoice, 50))
    body = {"Id": payment["Id"], "SyncToken": "0", "sparse": True}
    answer = company.post("payment", body, operation="update", include="void")
    voided = answer.json()["Payment"]
    assert (voided["TotalAmt"], voided["UnappliedAmt"], voided["Line"]) == (0, 0, [])
    assert (voided["PrivateNote"], voided["SyncToken"]) == ("Voided", "1")
    assert company.get("Invoice", invoice)["Balance"] == 50


def test_deleting_a_payment_opens_its_invoice_again(company: Company) -> None:
    invoice = company.invoice(50)["Id"]
    payment = company.pay((invoice, 50))
    target = {"Id": payment["Id"], "SyncToken": "0"}
    stub = company.post("payment", target, operation="delete").json()["Payment"]
    assert stub["status"] == "Deleted"
    opened = company.get("Invoice", invoice)
    assert (opened["Balance"], opened["LinkedTxn"], opened["SyncToken"]) == (50, [], "2")


def test_a_deposit_is_invisible_and_then_blocks_void_and_delete(
    company: Company, code: Callable[..., str]
) -> None:
    payment = company.pay((company.invoice(50)["Id"], 50))
    deposited = company.control.deposit(company.realm, payment["Id"])
    assert deposited["LinkedTxn"][0]["TxnType"] == "Deposit"
    assert deposited["MetaData"] == payment["MetaData"]
    assert deposited["SyncToken"] == payment["SyncToken"]
    target = {"Id": payment["Id"], "SyncToken": "0"}
    assert code(company.post("payment", target, operation="delete")) == "6540"
    form = {"operation": "update", "include": "void"}
    assert code(company.post("payment", target, **form)) == "6540"
    company.control.undeposit(company.realm, payment["Id"])
    assert company.post("payment", target, operation="delete").status_code == 200


def test_a_credit_is_applied_by_a_payment_of_nothing(company: Company) -> None:
    control, realm = company.control, company.realm
    invoice = company.invoice(100)["Id"]
    memo = control.credit_memo(realm, company.customer, [(company.item, 30)])["Id"]
    payment = control.apply_credit(realm, company.customer, invoice, memo, 30)
    assert (payment["TotalAmt"], payment["UnappliedAmt"]) == (0, 0)
    assert "DepositToAccountRef" not in payment
    assert company.get("Invoice", invoice)["Balance"] == 70
    credit = company.get("CreditMemo", memo)
    assert (credit["RemainingCredit"], credit["Balance"], credit["TotalAmt"]) == (0, 0, 30)
    assert "LinkedTxn" not in credit
    assert company.get("Customer", company.customer)["Balance"] == 70
    control.delete(realm, "Payment", payment["Id"])
    assert company.get("CreditMemo", memo)["RemainingCredit"] == 30


def test_voiding_an_invoice_gives_an_applied_credit_back_to_its_memo(company: Company) -> None:
    control, realm = company.control, company.realm
    invoice = company.invoice(100)["Id"]
    memo = control.credit_memo(realm, company.customer, [(company.item, 30)])["Id"]
    payment = control.apply_credit(realm, company.customer, invoice, memo, 30)
    control.void(realm, "Invoice", invoice)
    assert company.get("CreditMemo", memo)["RemainingCredit"] == 30
    assert company.get("Payment", payment["Id"])["UnappliedAmt"] == 0


@pytest.mark.parametrize(
    ("total", "amount", "kind", "expected"),
    [
        (-1, None, "Invoice", "2290"),
        (10, 50, "Invoice", "6000"),
        (50, 0, "Invoice", "2290"),
        (50, 50, "JournalEntry", "620"),
    ],
)
def test_a_payment_that_does_not_add_up_is_refused(
    company: Company,
    code: Callable[..., str],
    total: int,
    amount: int | None,
    kind: str,
    expected: str,
) -> None:
    invoice = company.invoice(100)["Id"]
    lines = [] if amount is None else [_line(invoice, amount, kind)]
    assert code(company.post("payment", _payment(company, total, *lines))) == expected
    assert company.get("Invoice", invoice)["Balance"] == 100


def test_only_open_documents_of_the_customer_can_be_paid(
    company: Company, code: Callable[..., str]
) -> None:
    invoice = company.invoice(100)["Id"]
    other = company.control.customer(company.realm, "Somebody Else")["Id"]
    foreign = {**_payment(company, 10, _line(invoice, 10)), "CustomerRef": {"value": other}}
    assert code(company.post("payment", foreign)) == "620"
    company.pay((invoice, 100))
    again = company.post("payment", _payment(company, 10, _line(invoice, 10)))
    assert code(again) == "620"
    company.control.delete(company.realm, "Invoice", invoice)
    assert code(company.post("payment", _payment(company, 10, _line(invoice, 10)))) == "610"


def test_a_parent_may_pay_for_its_job_and_carries_its_balance(company: Company) -> None:
    control, realm = company.control, company.realm
    parent = {"value": company.customer}
    job = control.customer(realm, "North office", Job=True, ParentRef=parent)["Id"]
    invoice = control.invoice(realm, job, [(company.item, 100)])["Id"]
    above = company.get("Customer", company.customer)
    assert (above["Balance"], above["BalanceWithJobs"]) == (0, 100)
    control.record_payment(realm, company.customer, [(invoice, 100)])
    assert company.get("Invoice", invoice)["Balance"] == 0
    assert company.get("Customer", company.customer)["BalanceWithJobs"] == Decimal(0)


def test_a_payment_reference_of_more_than_21_characters_is_refused(
    company: Company, code: Callable[..., str]
) -> None:
    body = _payment(company, 10, PaymentRefNum="x" * 22)
    assert code(company.post("payment", body)) == "2050"
