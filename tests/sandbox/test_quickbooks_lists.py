"""Customers and the small lists: names, jobs, inactivation, references."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

Company = Any


def test_a_new_customer_has_intuits_defaults(company: Company) -> None:
    body = {"GivenName": "Ada", "FamilyName": "Example"}
    customer = company.post("customer", body).json()["Customer"]
    assert customer["DisplayName"] == customer["PrintOnCheckName"] == "Ada Example"
    assert (customer["Taxable"], customer["Job"], customer["Active"]) == (True, False, True)
    assert (customer["Balance"], customer["BalanceWithJobs"]) == (0, 0)


@pytest.mark.parametrize("holder", ["Customer", "Vendor", "Employee"])
def test_a_name_belongs_to_one_customer_vendor_or_employee(
    company: Company, code: Callable[..., str], holder: str
) -> None:
    company.control.create(company.realm, holder, {"DisplayName": "Blue Fern Ltd"})
    answer = company.post("customer", {"DisplayName": "blue fern LTD"})
    assert (answer.status_code, code(answer)) == (400, "6240")


def test_a_job_hangs_below_its_parent(company: Company, code: Callable[..., str]) -> None:
    parent = {"value": company.customer}
    orphan = {"DisplayName": "East office", "ParentRef": parent}
    assert code(company.post("customer", orphan)) == "6150"
    job = company.post("customer", {**orphan, "Job": True}).json()["Customer"]
    assert (job["FullyQualifiedName"], job["Level"]) == ("Harbor Dental Group:East office", 1)


def test_inactive_means_a_suffix_and_a_second_time_changes_nothing(company: Company) -> None:
    body = {"Id": company.customer, "SyncToken": "0", "sparse": True, "Active": False}
    gone = company.post("customer", body).json()["Customer"]
    assert gone["DisplayName"] == gone["FullyQualifiedName"] == "Harbor Dental Group (deleted)"
    again = company.post("customer", {**body, "SyncToken": "1"}).json()["Customer"]
    assert again["SyncToken"] == "1"
    back = company.post("customer", {**body, "SyncToken": "1", "Active": True}).json()["Customer"]
    assert (back["DisplayName"], back["SyncToken"]) == ("Harbor Dental Group", "2")


def test_a_customer_with_a_balance_stays_active(company: Company, code: Callable[..., str]) -> None:
    company.invoice(10)
    body = {"Id": company.customer, "SyncToken": "0", "sparse": True, "Active": False}
    assert code(company.post("customer", body)) == "6220"


def test_customers_cannot_be_deleted(company: Company, code: Callable[..., str]) -> None:
    target = {"Id": company.customer, "SyncToken": "0"}
    assert code(company.post("customer", target, operation="delete")) == "500"


def test_an_inactive_reference_is_not_found(company: Company, code: Callable[..., str]) -> None:
    company.control.edit(company.realm, "Item", company.item, Active=False)
    assert code(company.post("invoice", company.invoice_body(10))) == "610"


def test_a_sparse_update_with_the_same_values_keeps_the_token(company: Company) -> None:
    body = {"Id": company.item, "SyncToken": "0", "sparse": True, "Name": "Managed services"}
    assert company.post("item", body).json()["Item"]["SyncToken"] == "0"


def test_an_item_needs_a_name_and_an_income_account(
    company: Company, code: Callable[..., str]
) -> None:
    assert code(company.post("item", {"Name": "Backup"})) == "2020"
    body = {"Name": "Backup", "IncomeAccountRef": {"value": "4711"}}
    assert code(company.post("item", body)) == "2500"


def test_a_new_company_has_what_an_invoice_needs(company: Company) -> None:
    accounts = company.query("select * from Account where AccountSubType = 'UndepositedFunds'")
    assert [account["Id"] for account in accounts["Account"]] == ["4"]
    assert {code["Id"] for code in company.query("select * from TaxCode")["TaxCode"]} == {
        "TAX",
        "NON",
    }
    assert len(company.query("select * from Term")["Term"]) == 4


@pytest.mark.parametrize("segment", ["term", "class", "department", "paymentmethod"])
def test_the_small_lists_can_be_written_and_read(company: Company, segment: str) -> None:
    made = company.post(segment, {"Name": "Regional"}).json()
    entity = next(name for name in made if name != "time")
    read = company.read(f"{segment}/{made[entity]['Id']}").json()
    assert read[entity] == made[entity]


def test_company_info_and_preferences_are_read_or_queried(
    new_company: Callable[..., Company],
) -> None:
    company = new_company(book_close_date="2026-09-30", custom_txn_numbers=True)
    read = company.read("preferences").json()["Preferences"]
    assert read["AccountingInfoPrefs"]["BookCloseDate"] == "2026-09-30"
    assert read["SalesFormsPrefs"]["CustomTxnNumbers"] is True
    assert company.query("select * from Preferences")["Preferences"] == [read]
    info = company.read(f"companyinfo/{company.realm}").json()["CompanyInfo"]
    assert (info["CompanyName"], info["Country"]) == ("Northwind IT", "USA")
