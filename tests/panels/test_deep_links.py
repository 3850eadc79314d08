"""Where a record opens in QuickBooks, and that nothing opens where there is no QuickBooks."""

from __future__ import annotations

import pytest

from qbo_sync_dagster.panels.deep_links import quickbooks_app, view_in_quickbooks


@pytest.mark.parametrize(
    ("api", "app"),
    [
        ("https://quickbooks.api.intuit.com/v3/company", "https://app.qbo.intuit.com/app"),
        (
            "https://sandbox-quickbooks.api.intuit.com/v3/company",
            "https://app.sandbox.qbo.intuit.com/app",
        ),
        ("http://127.0.0.1:8099/v3/company", None),
    ],
)
def test_the_app_belongs_to_the_api(api: str, app: str | None) -> None:
    assert quickbooks_app(api) == app


@pytest.mark.parametrize(
    ("kind", "path"),
    [
        ("Invoice", "invoice?txnId=9"),
        ("Payment", "recvpayment?txnId=9"),
        ("CreditMemo", "creditmemo?txnId=9"),
        ("Customer", "customerdetail?nameId=9"),
    ],
)
def test_each_kind_has_its_page(kind: str, path: str) -> None:
    assert view_in_quickbooks("https://app.example.com", kind, "9") == (
        f"https://app.example.com/{path}"
    )


def test_a_kind_without_a_page_has_no_link() -> None:
    assert view_in_quickbooks("https://app.example.com", "TaxCode", "9") is None
    assert view_in_quickbooks("https://app.example.com", "Invoice", "") is None
