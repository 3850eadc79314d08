"""Preferences and CompanyInfo: what a company tells about itself.

Belongs here: the two singletons, read from the switches. Does not: changing them, which is for
the people of the company and not for the API.
"""

from __future__ import annotations

from qbo_sync_dagster.sandbox.quickbooks.books import Books
from qbo_sync_dagster.sandbox.quickbooks.wire import Json

# Companies tell their country in three letters since 2025.
_ISO_3 = {"US": "USA", "CA": "CAN", "GB": "GBR", "AU": "AUS", "DE": "DEU", "FR": "FRA"}
_STAMP = "2025-01-06T09:00:00-08:00"


def singleton(books: Books, name: str) -> Json:
    """Preferences or CompanyInfo."""
    content = _preferences(books) if name == "Preferences" else _company_info(books)
    return {
        **content,
        "domain": "QBO",
        "sparse": False,
        "Id": "1",
        "SyncToken": "0",
        "MetaData": {"CreateTime": _STAMP, "LastUpdatedTime": _STAMP},
    }


def _preferences(books: Books) -> Json:
    switches = books.switches
    accounting: Json = {
        "UseAccountNumbers": False,
        "TrackDepartments": True,
        "ClassTrackingPerTxn": False,
        "ClassTrackingPerTxnLine": True,
        "FirstMonthOfFiscalYear": "January",
    }
    if switches.book_close_date:
        accounting["BookCloseDate"] = switches.book_close_date
    tax: Json = {"UsingSalesTax": switches.using_sales_tax}
    if switches.automated_sales_tax:
        tax["PartnerTaxEnabled"] = True
    return {
        "AccountingInfoPrefs": accounting,
        "SalesFormsPrefs": {
            "CustomTxnNumbers": switches.custom_txn_numbers,
            "AutoApplyCredit": switches.auto_apply_credits,
            "AllowDeposit": False,
            "AllowDiscount": True,
            "AllowServiceDate": True,
            "DefaultTerms": {"value": "3"},
        },
        "CurrencyPrefs": {
            "MultiCurrencyEnabled": switches.multicurrency,
            "HomeCurrency": {"value": switches.home_currency},
        },
        "TaxPrefs": tax,
        "OtherPrefs": {"NameValue": []},
    }


def _company_info(books: Books) -> Json:
    return {
        "CompanyName": books.realm.company["name"],
        "LegalName": books.realm.company["name"],
        "Country": _ISO_3.get(books.switches.country, books.switches.country),
        "Email": {"Address": books.realm.company.get("email", "office@example.com")},
        "FiscalYearStartMonth": "January",
        "SupportedLanguages": "en",
        "NameValue": [],
    }
