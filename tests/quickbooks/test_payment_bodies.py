"""The JSON bodies of payments: what is named, and what is left to QuickBooks."""

from __future__ import annotations

from dataclasses import replace
from datetime import date
from decimal import Decimal
from typing import Any

from qbo_sync_dagster.domain.payments_out import OutgoingPayment
from qbo_sync_dagster.quickbooks.payment_bodies import (
    payment_body,
    payment_change_body,
    payment_removal_body,
)

PAYMENT = OutgoingPayment(
    customer_id="7",
    quickbooks_invoice_id="31",
    total_minor=4_000,
    line_minor=4_000,
    date=date(2026, 11, 3),
    currency="EUR",
    exchange_rate=Decimal("1.1"),
    reference="cheque 12",
    deposit_account="35",
    note="AlgaPSA check [sync:0123456789abcdef]",
)


def changed(**options: Any) -> dict[str, Any]:
    wanted: dict[str, Any] = {
        "customer_id": "7",
        "date": "2026-11-03",
        "currency": "EUR",
        "exchange_rate": Decimal("1.1"),
        "total_minor": 2_500,
        "quickbooks_invoice_id": "31",
        "line_minor": 2_500,
    }
    return payment_change_body("44", "2", **(wanted | options))


def test_a_payment_names_all_that_its_receipt_says() -> None:
    assert payment_body(PAYMENT) == {
        "CustomerRef": {"value": "7"},
        "TotalAmt": Decimal("40.00"),
        "TxnDate": "2026-11-03",
        "CurrencyRef": {"value": "EUR"},
        "ExchangeRate": Decimal("1.1"),
        "Line": [
            {"Amount": Decimal("40.00"), "LinkedTxn": [{"TxnId": "31", "TxnType": "Invoice"}]}
        ],
        "PrivateNote": "AlgaPSA check [sync:0123456789abcdef]",
        "PaymentRefNum": "cheque 12",
        "DepositToAccountRef": {"value": "35"},
    }


def test_what_the_receipt_does_not_say_is_left_to_quickbooks() -> None:
    plain = replace(PAYMENT, exchange_rate=None, reference="", deposit_account=None)

    assert not payment_body(plain).keys() & {
        "ExchangeRate",
        "PaymentRefNum",
        "DepositToAccountRef",
    }


def test_money_that_no_invoice_can_take_goes_without_a_line() -> None:
    body = payment_body(replace(PAYMENT, line_minor=0))

    assert (body["TotalAmt"], body["Line"]) == (Decimal("40.00"), [])


def test_a_change_keeps_the_currency_and_rate_that_the_payment_has() -> None:
    body = changed()

    assert (body["Id"], body["SyncToken"], body["sparse"]) == ("44", "2", True)
    assert (body["CurrencyRef"], body["ExchangeRate"]) == ({"value": "EUR"}, Decimal("1.1"))
    assert (body["TotalAmt"], body["Line"][0]["Amount"]) == (Decimal("25.00"), Decimal("25.00"))


def test_a_change_in_a_company_of_one_currency_names_none() -> None:
    body = changed(currency=None, exchange_rate=None)

    assert not body.keys() & {"CurrencyRef", "ExchangeRate"}


def test_a_removal_names_the_version_that_was_read() -> None:
    assert payment_removal_body("44", "2") == {"Id": "44", "SyncToken": "2"}
