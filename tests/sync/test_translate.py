"""From the QuickBooks gateway's values to those of the ledger and the rules."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest

from qbo_sync_dagster.domain.document_view import LIVE, VOIDED, LineView, differences
from qbo_sync_dagster.domain.errors import DomainError
from qbo_sync_dagster.quickbooks.answers import raw_object
from qbo_sync_dagster.quickbooks.objects import parse_invoice
from qbo_sync_dagster.quickbooks.wire import encode_body
from qbo_sync_dagster.sync.translate import (
    DELETED_VERSION,
    delivered,
    document_view,
    sent_view,
    version,
)


def payload(**fields: Any) -> dict[str, Any]:
    return {
        "Id": "145",
        "SyncToken": "3",
        "DocNumber": "INV-1",
        "TxnDate": "2026-03-02",
        "DueDate": "2026-04-01",
        "TotalAmt": Decimal("108.25"),
        "Balance": Decimal("108.25"),
        "CustomerRef": {"value": "58"},
        "CurrencyRef": {"value": "USD"},
        "TxnTaxDetail": {"TotalTax": Decimal("8.25")},
        "Line": [
            {
                "Id": "1",
                "DetailType": "SalesItemLineDetail",
                "Amount": Decimal(100),
                "SalesItemLineDetail": {
                    "ItemRef": {"value": "12"},
                    "Qty": Decimal("2.50"),
                    "UnitPrice": 40,
                    "TaxCodeRef": {"value": "TAX"},
                },
            },
            {"DetailType": "SubTotalLineDetail", "Amount": Decimal(100)},
        ],
    } | fields


def test_a_live_object_is_delivered_in_the_version_of_its_token() -> None:
    change = delivered(raw_object("Invoice", payload()))

    assert (change.object_id, change.version, change.deleted) == ("145", 3, False)


def test_a_deletion_is_delivered_without_a_token() -> None:
    change = delivered(raw_object("Invoice", {"Id": "145", "status": "Deleted"}))

    assert (change.version, change.deleted) == (DELETED_VERSION, True)


@pytest.mark.parametrize("token", [None, "", "abc", "-1", "9" * 19, "\u0663"])
def test_a_token_that_is_no_number_stops_nothing(token: str | None) -> None:
    assert isinstance(version(token), int)


def test_an_invoice_is_seen_in_the_fields_that_are_exported() -> None:
    view = document_view(parse_invoice(payload()))

    assert (view.state, view.number, view.customer_id) == (LIVE, "INV-1", "58")
    assert (view.total_minor, view.tax_minor) == (10_825, 825)
    assert (view.date, view.due_date) == ("2026-03-02", "2026-04-01")
    assert view.lines == (LineView("12", "2.5", 10_000, "", "TAX"),)


def test_a_quantity_looks_the_same_however_it_is_padded() -> None:
    def quantity(number: Decimal) -> str:
        line = payload()["Line"][0]
        line["SalesItemLineDetail"]["Qty"] = number
        return document_view(parse_invoice(payload(Line=[line]))).lines[0].quantity

    assert quantity(Decimal("10.00")) == quantity(Decimal(10)) == quantity(Decimal("1E+1")) == "10"


def test_a_voided_invoice_is_seen_as_voided_and_without_lines() -> None:
    void = payload(TotalAmt=0, Balance=0, PrivateNote="Voided", TxnTaxDetail={})

    view = document_view(parse_invoice(void))

    assert (view.state, view.total_minor, view.lines) == (VOIDED, 0, ())


def test_a_balance_and_payments_do_not_show() -> None:
    paid = payload(Balance=0, SyncToken="4", LinkedTxn=[{"TxnId": "9", "TxnType": "Payment"}])

    assert document_view(parse_invoice(paid)) == document_view(parse_invoice(payload()))


def test_an_amount_with_fractions_of_a_cent_is_refused() -> None:
    with pytest.raises(DomainError):
        document_view(parse_invoice(payload(TotalAmt=Decimal("108.251"))))


def test_what_was_sent_looks_like_what_quickbooks_made_of_it() -> None:
    body = {
        "DocNumber": "INV-1",
        "TxnDate": "2026-03-02",
        "DueDate": "2026-04-01",
        "Line": [payload()["Line"][0]],
    }
    shown = document_view(parse_invoice(payload()))

    assert differences(sent_view(encode_body(body), shown), shown) == []


def test_what_was_edited_since_it_was_sent_shows() -> None:
    body = {"DocNumber": "INV-1", "TxnDate": "2026-03-02", "DueDate": "2026-04-01", "Line": []}
    shown = document_view(parse_invoice(payload(DocNumber="INV-9")))

    found = differences(sent_view(encode_body(body), shown), shown)

    assert [each.field for each in found] == ["number", "added line 1"]
