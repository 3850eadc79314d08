"""Invoices, payments, credit memos and customers as typed values; bad fields by name."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from qbo_sync_dagster.domain.errors import MalformedObjectError
from qbo_sync_dagster.quickbooks.objects import (
    LinkedAmount,
    parse_credit_memo,
    parse_customer,
    parse_invoice,
    parse_payment,
)

HEAD = {
    "Id": "145",
    "SyncToken": "2",
    "MetaData": {"LastUpdatedTime": "2026-03-02T01:00:00-08:00"},
    "TxnDate": "2026-03-01",
    "CustomerRef": {"value": "7", "name": "Example Bakery"},
}


def invoice(**changes: Any) -> dict[str, Any]:
    line = {
        "Id": "1",
        "LineNum": 1,
        "Description": "Managed service",
        "Amount": Decimal("100.50"),
        "DetailType": "SalesItemLineDetail",
        "SalesItemLineDetail": {
            "ItemRef": {"value": "3"},
            "Qty": 3,
            "UnitPrice": Decimal("33.5"),
            "ClassRef": {"value": "9"},
            "TaxCodeRef": {"value": "TAX"},
        },
    }
    subtotal = {"Amount": Decimal("100.50"), "DetailType": "SubTotalLineDetail"}
    body = {
        **HEAD,
        "DocNumber": "INV-7",
        "DueDate": "2026-03-31",
        "TotalAmt": Decimal("108.54"),
        "Balance": Decimal("8.54"),
        "CurrencyRef": {"value": "USD"},
        "TxnTaxDetail": {"TotalTax": Decimal("8.04")},
        "Line": [line, subtotal],
        "LinkedTxn": [
            {"TxnId": "31", "TxnType": "Payment"},
            {"TxnId": "32", "TxnType": "Estimate"},
            {"TxnId": "31", "TxnType": "Payment"},
        ],
        "SomethingNew": {"unknown": [1, 2]},
    }
    return body | changes


def payment(**changes: Any) -> dict[str, Any]:
    lines = [
        {
            "Amount": 80,
            "LinkedTxn": [{"TxnId": "145", "TxnType": "Invoice"}],
            "LineEx": {"any": []},
        },
        {"Amount": Decimal("20.25"), "LinkedTxn": [{"TxnId": "146", "TxnType": "Invoice"}]},
        {"Amount": 10, "LinkedTxn": [{"TxnId": "73", "TxnType": "CreditMemo"}]},
    ]
    body = {
        **HEAD,
        "TotalAmt": Decimal("100.25"),
        "UnappliedAmt": 10,
        "PaymentRefNum": "CHK 1001",
        "Line": lines,
    }
    return body | changes


def refused(parse: Callable[[dict[str, Any]], object], body: dict[str, Any], *words: str) -> None:
    with pytest.raises(MalformedObjectError) as caught:
        parse(body)
    for word in words:
        assert word in str(caught.value)
    assert len(str(caught.value)) < 400


def test_an_invoice_is_read_with_its_lines_links_and_tax() -> None:
    read = parse_invoice(invoice())
    assert (read.id, read.sync_token, read.doc_number) == ("145", "2", "INV-7")
    assert (read.date, read.due_date) == (date(2026, 3, 1), date(2026, 3, 31))
    assert (read.total, read.balance) == (Decimal("108.54"), Decimal("8.54"))
    assert (read.tax_total, read.customer_id, read.currency) == (Decimal("8.04"), "7", "USD")
    assert read.updated_at == datetime(2026, 3, 2, 9, tzinfo=UTC)
    assert read.linked_payment_ids == ("31",)
    (line,) = read.lines
    assert (line.id, line.item_id, line.class_id, line.tax_code) == ("1", "3", "9", "TAX")
    assert (line.quantity, line.unit_price, line.amount) == (
        Decimal(3),
        Decimal("33.5"),
        Decimal("100.50"),
    )


def test_a_minimal_invoice_is_enough() -> None:
    read = parse_invoice({**HEAD, "TotalAmt": 0, "Balance": 0, "Line": []})
    assert (read.doc_number, read.due_date, read.currency) == (None, None, None)
    assert (read.lines, read.linked_payment_ids, read.tax_total) == ((), (), Decimal(0))


def test_an_invoice_that_came_without_its_lines_is_refused() -> None:
    refused(parse_invoice, {**HEAD, "TotalAmt": 0, "Balance": 0}, "Invoice 145", "Line")


def test_the_lines_of_a_group_are_read_too() -> None:
    inner = {"Amount": 5, "DetailType": "SalesItemLineDetail", "SalesItemLineDetail": {}}
    group = {"Amount": 5, "DetailType": "GroupLineDetail", "GroupLineDetail": {"Line": [inner]}}
    lines = parse_invoice(invoice(Line=[group])).lines
    assert [line.kind for line in lines] == ["GroupLineDetail", "SalesItemLineDetail"]


def test_what_a_payment_gives_to_a_journal_entry_reaches_no_invoice() -> None:
    lines = [
        {"Amount": 80, "LinkedTxn": [{"TxnId": "145", "TxnType": "Invoice"}]},
        {"Amount": 20, "LinkedTxn": [{"TxnId": "145", "TxnType": "JournalEntry"}]},
    ]
    read = parse_payment(payment(TotalAmt=60, Line=lines))
    assert read.invoice_lines == (("145", Decimal(80)),)
    assert read.credit_lines == ()


def test_a_void_is_the_mark_and_a_total_of_zero() -> None:
    assert parse_invoice(invoice(TotalAmt=0, Balance=0, PrivateNote="Voided - dup")).is_voided
    assert not parse_invoice(invoice(PrivateNote="Voided")).is_voided
    assert not parse_invoice(invoice(TotalAmt=0, Balance=0, PrivateNote="not Voided")).is_voided


def test_a_payment_is_read_line_by_line() -> None:
    read = parse_payment(payment())
    assert read.invoice_lines == (("145", Decimal(80)), ("146", Decimal("20.25")))
    assert read.credit_lines == (("73", Decimal(10)),)
    assert (read.total, read.unapplied) == (Decimal("100.25"), Decimal(10))
    assert (read.reference, read.currency, read.date) == ("CHK 1001", None, date(2026, 3, 1))
    assert read.deposit_ids == ()


def test_a_deposited_payment_names_its_deposit() -> None:
    linked = [{"TxnId": "90", "TxnType": "Deposit"}, {"TxnId": "91", "TxnType": "Other"}]
    assert parse_payment(payment(LinkedTxn=linked)).deposit_ids == ("90",)


def test_a_credit_application_is_a_payment_of_zero_and_no_void() -> None:
    read = parse_payment(payment(TotalAmt=0, UnappliedAmt=0, PrivateNote="Voided by hand"))
    assert read.invoice_lines
    assert not read.is_void


def test_a_voided_payment_has_nothing_left() -> None:
    read = parse_payment(payment(TotalAmt=0, UnappliedAmt=0, Line=[], PrivateNote="Voided"))
    assert read.is_void
    assert not parse_payment(payment(Line=[], PrivateNote="Voided")).is_void


def test_a_line_that_names_one_transaction_twice_counts_once() -> None:
    link = {"TxnId": "145", "TxnType": "Invoice"}
    read = parse_payment(payment(Line=[{"Amount": 80, "LinkedTxn": [link, link]}]))
    assert read.lines == (LinkedAmount("Invoice", "145", Decimal(80)),)


def test_a_line_with_one_amount_for_two_invoices_is_refused() -> None:
    links = [{"TxnId": "145", "TxnType": "Invoice"}, {"TxnId": "146", "TxnType": "Invoice"}]
    body = payment(Line=[{"Amount": 80, "LinkedTxn": links}])
    refused(parse_payment, body, "Payment", "145", "Line[1].LinkedTxn")


def test_a_line_without_a_link_is_money_on_account() -> None:
    assert parse_payment(payment(Line=[{"Amount": 80}])).lines == ()


def test_a_credit_memo_is_read_with_what_is_left_of_it() -> None:
    head = {**HEAD, "Line": []}
    read = parse_credit_memo({**head, "TotalAmt": 50, "Balance": 30, "RemainingCredit": 20})
    assert (read.total, read.remaining) == (Decimal(50), Decimal(20))
    assert parse_credit_memo({**head, "TotalAmt": 50, "Balance": 0}).remaining == 0


def test_a_customer_is_read_active_unless_quickbooks_says_no() -> None:
    body = {"Id": "7", "SyncToken": "0", "DisplayName": "Example Bakery"}
    assert parse_customer(body).active
    inactive = parse_customer({**body, "DisplayName": "Example (deleted)", "Active": False})
    assert not inactive.active
    nested = {**body, "ParentRef": {"value": "6"}, "PrimaryEmailAddr": {"Address": "a@example.com"}}
    assert (parse_customer(nested).parent_id, parse_customer(nested).email) == (
        "6",
        "a@example.com",
    )


@pytest.mark.parametrize(
    ("field", "value", "problem"),
    [
        ("Id", None, "missing"),
        ("Id", "x" * 100_000, "not an id"),
        ("SyncToken", None, "missing"),
        ("TxnDate", None, "missing"),
        ("TxnDate", "03/01/2026", "not a date"),
        ("TxnDate", 20260301, "not a date"),
        ("TotalAmt", None, "missing"),
        ("TotalAmt", "108.54", "not a number"),
        ("TotalAmt", 108.54, "not a number"),
        ("TotalAmt", True, "not a number"),
        ("TotalAmt", Decimal("0.005"), "fractions of a cent"),
        ("TotalAmt", Decimal("1e13"), "larger"),
        ("TotalAmt", 10**39, "larger"),
        ("TotalAmt", "9" * 100_000, "not a number"),
        ("Balance", None, "missing"),
        ("CustomerRef", None, "missing"),
        ("CustomerRef", "7", "not an object"),
        ("CustomerRef", {"name": "Example"}, "missing"),
        ("DocNumber", "9" * 100_000, "longer than 100"),
        ("DocNumber", 7, "not a text"),
        ("Line", {"Amount": 5}, "not a list"),
        ("Line", [None], "not a list"),
        ("LinkedTxn", [{"TxnType": "Payment"}], "missing"),
    ],
)
def test_a_bad_field_of_an_invoice_is_named(field: str, value: object, problem: str) -> None:
    refused(parse_invoice, invoice(**{field: value}), "QuickBooks Invoice", field, problem)


@pytest.mark.parametrize(
    ("line", "field"),
    [
        ({"LinkedTxn": [{"TxnId": "1", "TxnType": "Invoice"}]}, "Line[1].Amount"),
        (
            {"Amount": Decimal("0.001"), "LinkedTxn": [{"TxnId": "1", "TxnType": "Invoice"}]},
            "Line[1].Amount",
        ),
        ({"Amount": 5, "LinkedTxn": [{"TxnType": "Invoice"}]}, "Line[1].LinkedTxn[1].TxnId"),
        ({"Amount": 5, "LinkedTxn": "145"}, "Line[1].LinkedTxn"),
    ],
)
def test_a_bad_line_of_a_payment_is_named(line: dict[str, Any], field: str) -> None:
    refused(parse_payment, payment(Line=[line]), "QuickBooks Payment 145", field)


def test_texts_of_a_hundred_thousand_characters_are_cut() -> None:
    read = parse_invoice(invoice(PrivateNote="n" * 100_000))
    assert len(read.private_note) == 4000
    customer = parse_customer({"Id": "7", "SyncToken": "0", "DisplayName": "x" * 100_000})
    assert len(customer.display_name) == 500


wild = st.recursive(
    st.none() | st.booleans() | st.integers() | st.decimals() | st.text(max_size=20),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(
                [
                    "value",
                    "TxnId",
                    "TxnType",
                    "Amount",
                    "LinkedTxn",
                    "DetailType",
                    "TotalTax",
                    "Line",
                ]
            ),
            inner,
            max_size=4,
        )
    ),
    max_leaves=12,
)


@given(
    st.sampled_from([parse_invoice, parse_payment, parse_credit_memo, parse_customer]),
    st.dictionaries(st.sampled_from([*invoice(), *payment(), "DisplayName", "Active"]), wild),
)
def test_nothing_an_object_can_hold_ends_otherwise_than_in_that_error(
    parse: Callable[[dict[str, Any]], object], changes: dict[str, Any]
) -> None:
    try:
        parse(invoice() | payment() | {"DisplayName": "Example"} | changes)
    except MalformedObjectError as error:
        assert "QuickBooks" in str(error)  # noqa: PT017 - either outcome is fine, no other is
