"""How a company is set up, as typed values: preferences, company info and the small lists.

What belongs here: the fields the engine needs of them. What does not: documents and payments
(objects). Each `parse_*` raises MalformedObjectError naming the entity, its Id and the field.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from typing import Any

from qbo_sync_dagster.quickbooks.fields import Fields

_LONGEST_NAME = 500


@dataclass(frozen=True, slots=True)
class Preferences:
    """The company's settings that decide what can be sent. None = QuickBooks did not say.

    `custom_numbers`: QuickBooks keeps our numbers and refuses duplicates. `book_close_date`: last
    closed day. `automated_sales_tax`: QuickBooks computes the tax itself.
    """

    custom_numbers: bool | None
    auto_apply_credit: bool | None
    auto_apply_payments: bool | None
    book_close_date: date | None
    class_per_transaction: bool | None
    class_per_line: bool | None
    departments: bool | None
    multi_currency: bool | None
    home_currency: str | None
    sales_tax: bool | None
    automated_sales_tax: bool | None


@dataclass(frozen=True, slots=True)
class CompanyInfo:
    """`country` as sent: two letters in older companies, three since 2025."""

    name: str
    legal_name: str
    country: str | None


@dataclass(frozen=True, slots=True)
class ListEntry:
    """A row of Item, Account, Class, Department, Term, TaxCode or PaymentMethod.

    `full_name` holds the parents of a nested row (`Parent:Child`), and is `name` elsewhere.
    """

    entity: str
    id: str
    sync_token: str
    name: str
    full_name: str
    active: bool


@dataclass(frozen=True, slots=True)
class Item:
    """A product or service. `kind` is Service, NonInventory, Inventory, Category, Group."""

    entry: ListEntry
    kind: str | None
    unit_price: Decimal | None
    income_account_id: str | None


@dataclass(frozen=True, slots=True)
class Account:
    """An account of the chart of accounts."""

    entry: ListEntry
    kind: str | None
    subkind: str | None
    currency: str | None


@dataclass(frozen=True, slots=True)
class Term:
    """A payment term; `due_days` only for the standard kind, `day_of_month` for the other."""

    entry: ListEntry
    due_days: int | None
    day_of_month: int | None


def parse_preferences(payload: Mapping[str, Any]) -> Preferences:
    fields = Fields("Preferences", payload)
    if not fields.has("AccountingInfoPrefs"):
        # Every company has these; without them a closing date would pass for none.
        raise fields.bad("AccountingInfoPrefs", "is missing")
    sales, books = fields.part("SalesFormsPrefs"), fields.part("AccountingInfoPrefs")
    currency, tax = fields.part("CurrencyPrefs"), fields.part("TaxPrefs")
    return Preferences(
        custom_numbers=sales.flag("CustomTxnNumbers"),
        auto_apply_credit=sales.flag("AutoApplyCredit"),
        auto_apply_payments=sales.flag("AutoApplyPayments"),
        book_close_date=books.optional_day("BookCloseDate"),
        class_per_transaction=books.flag("ClassTrackingPerTxn"),
        class_per_line=books.flag("ClassTrackingPerTxnLine"),
        departments=books.flag("TrackDepartments"),
        multi_currency=currency.flag("MultiCurrencyEnabled"),
        home_currency=currency.optional_reference("HomeCurrency"),
        sales_tax=tax.flag("UsingSalesTax"),
        automated_sales_tax=tax.flag("PartnerTaxEnabled"),
    )


def parse_company_info(payload: Mapping[str, Any]) -> CompanyInfo:
    fields = Fields("CompanyInfo", payload)
    name = fields.text("CompanyName", _LONGEST_NAME)
    if not name:
        raise fields.bad("CompanyName", "is missing")
    return CompanyInfo(name, fields.text("LegalName", _LONGEST_NAME), fields.code("Country"))


def parse_list_entry(entity: str, payload: Mapping[str, Any]) -> ListEntry:
    return _entry(entity, Fields(entity, payload))


def parse_item(payload: Mapping[str, Any]) -> Item:
    fields = Fields("Item", payload)
    return Item(
        entry=_entry("Item", fields),
        kind=fields.code("Type"),
        unit_price=fields.optional_number("UnitPrice"),
        income_account_id=fields.optional_reference("IncomeAccountRef"),
    )


def parse_account(payload: Mapping[str, Any]) -> Account:
    fields = Fields("Account", payload)
    return Account(
        entry=_entry("Account", fields),
        kind=fields.code("AccountType"),
        subkind=fields.code("AccountSubType"),
        currency=fields.optional_reference("CurrencyRef"),
    )


def parse_term(payload: Mapping[str, Any]) -> Term:
    fields = Fields("Term", payload)
    return Term(
        entry=_entry("Term", fields),
        due_days=_whole(fields, "DueDays"),
        day_of_month=_whole(fields, "DayOfMonthDue"),
    )


def _entry(entity: str, fields: Fields) -> ListEntry:
    name = fields.text("Name", _LONGEST_NAME)
    if not name:
        raise fields.bad("Name", "is missing")
    return ListEntry(
        entity=entity,
        id=fields.identifier("Id"),
        sync_token=fields.identifier("SyncToken"),
        name=name,
        full_name=fields.text("FullyQualifiedName", _LONGEST_NAME) or name,
        active=fields.flag("Active") is not False,
    )


def _whole(fields: Fields, name: str) -> int | None:
    number = fields.optional_number(name)
    return None if number is None else int(number)
