"""Preferences, company info and the small lists."""

from __future__ import annotations

from datetime import date
from decimal import Decimal

import pytest

from qbo_sync_dagster.domain.errors import MalformedObjectError
from qbo_sync_dagster.quickbooks.company import (
    parse_account,
    parse_company_info,
    parse_item,
    parse_list_entry,
    parse_preferences,
    parse_term,
)

ENTRY = {"Id": "3", "SyncToken": "0", "Name": "Managed service"}


def test_a_preference_quickbooks_does_not_mention_is_unknown_not_off() -> None:
    books: dict[str, object] = {"AccountingInfoPrefs": {}}
    assert parse_preferences(books).custom_numbers is None
    assert parse_preferences(books).book_close_date is None
    assert parse_preferences(books | {"SalesFormsPrefs": {}}).auto_apply_credit is None
    off = parse_preferences(books | {"SalesFormsPrefs": {"CustomTxnNumbers": False}})
    assert off.custom_numbers is False


def test_preferences_without_the_group_of_the_closing_date_are_no_preferences() -> None:
    with pytest.raises(MalformedObjectError, match="AccountingInfoPrefs is missing"):
        parse_preferences({"SalesFormsPrefs": {"CustomTxnNumbers": True}})


def test_preferences_are_read_from_their_groups() -> None:
    read = parse_preferences(
        {
            "SalesFormsPrefs": {"CustomTxnNumbers": True, "AutoApplyCredit": "true"},
            "AccountingInfoPrefs": {"BookCloseDate": "2026-01-31", "TrackDepartments": True},
            "CurrencyPrefs": {"MultiCurrencyEnabled": False, "HomeCurrency": {"value": "USD"}},
            "TaxPrefs": {"UsingSalesTax": True, "PartnerTaxEnabled": True},
        }
    )
    assert read.custom_numbers
    assert read.auto_apply_credit
    assert read.book_close_date == date(2026, 1, 31)
    assert (read.departments, read.multi_currency, read.home_currency) == (True, False, "USD")
    assert (read.sales_tax, read.automated_sales_tax) == (True, True)


def test_an_unreadable_closing_date_is_refused_rather_than_ignored() -> None:
    with pytest.raises(MalformedObjectError, match=r"AccountingInfoPrefs\.BookCloseDate"):
        parse_preferences({"AccountingInfoPrefs": {"BookCloseDate": "soon"}})


def test_a_company_has_a_name() -> None:
    assert parse_company_info({"CompanyName": "Example IT", "Country": "USA"}).country == "USA"
    with pytest.raises(MalformedObjectError, match="CompanyName"):
        parse_company_info({"Country": "US"})


def test_list_rows_have_name_and_full_name() -> None:
    plain = parse_list_entry("Class", ENTRY)
    assert (plain.name, plain.full_name, plain.active) == (
        "Managed service",
        "Managed service",
        True,
    )
    nested = parse_list_entry("Class", {**ENTRY, "FullyQualifiedName": "A:B", "Active": False})
    assert (nested.full_name, nested.active) == ("A:B", False)
    with pytest.raises(MalformedObjectError, match=r"Department 3 .* Name is missing"):
        parse_list_entry("Department", {"Id": "3", "SyncToken": "0"})


def test_items_accounts_and_terms_keep_what_choosing_them_needs() -> None:
    item = parse_item(
        {**ENTRY, "Type": "Service", "UnitPrice": Decimal("0.12345"), "IncomeAccountRef": {}}
    )
    assert (item.kind, item.unit_price, item.income_account_id) == (
        "Service",
        Decimal("0.12345"),
        None,
    )
    account = parse_account(
        {**ENTRY, "AccountType": "Other Current Asset", "AccountSubType": "UndepositedFunds"}
    )
    assert (account.kind, account.subkind) == ("Other Current Asset", "UndepositedFunds")
    assert parse_term({**ENTRY, "Type": "STANDARD", "DueDays": 30}).due_days == 30
    assert parse_term({**ENTRY, "DayOfMonthDue": 15}).day_of_month == 15
