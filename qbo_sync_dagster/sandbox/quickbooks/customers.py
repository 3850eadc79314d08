"""Customers: names shared with vendors and employees, jobs, balances that others move.

Belongs here: what a customer may hold. Does not: transactions.
"""

from __future__ import annotations

import hashlib

from qbo_sync_dagster.sandbox.quickbooks import references, schema
from qbo_sync_dagster.sandbox.quickbooks.books import ZERO, Books
from qbo_sync_dagster.sandbox.quickbooks.faults import fault, missing
from qbo_sync_dagster.sandbox.quickbooks.lists import name_for, place_in_tree
from qbo_sync_dagster.sandbox.quickbooks.objects import Record
from qbo_sync_dagster.sandbox.quickbooks.schema import Schema
from qbo_sync_dagster.sandbox.quickbooks.wire import Json

_NAME_PARTS = ("Title", "GivenName", "MiddleName", "FamilyName", "Suffix")

SCHEMA: Schema = {
    **schema.COMMON,
    "DisplayName": schema.text(500),
    "Title": schema.text(16),
    "GivenName": schema.text(100),
    "MiddleName": schema.text(100),
    "FamilyName": schema.text(100),
    "Suffix": schema.text(16),
    "CompanyName": schema.text(100),
    "PrintOnCheckName": schema.text(500),
    "PrimaryEmailAddr": schema.email_address,
    "PrimaryPhone": schema.phone,
    "AlternatePhone": schema.phone,
    "Mobile": schema.phone,
    "Fax": schema.phone,
    "WebAddr": schema.nested({"URI": schema.text(1000)}),
    "BillAddr": schema.address,
    "ShipAddr": schema.address,
    "Notes": schema.text(2000),
    "Active": schema.flag,
    "Taxable": schema.flag,
    "DefaultTaxCodeRef": schema.reference,
    "SalesTermRef": schema.reference,
    "PaymentMethodRef": schema.reference,
    "CurrencyRef": schema.reference,
    "PreferredDeliveryMethod": schema.one_of("Print", "Email", "None"),
    "Job": schema.flag,
    "ParentRef": schema.reference,
    "BillWithParent": schema.flag,
    "Balance": None,
    "BalanceWithJobs": None,
    "FullyQualifiedName": None,
    "Level": None,
    "IsProject": None,
    "ClientEntityId": None,
    "V4IDPseudonym": None,
}


def build(books: Books, accepted: Json, before: Record | None) -> Json:
    """The content of a new or changed customer."""
    content = {**_defaults(books, before), **accepted}
    display = content.get("DisplayName") or _joined_name(content)
    if not display:
        raise missing("DisplayName")
    active = bool(content["Active"])
    _check_inactivation(before, active=active)
    content["DisplayName"] = name_for(display, before, active=active)
    content.setdefault("PrintOnCheckName", display)
    references.name_is_free(books, "Name", content["DisplayName"], before.id if before else None)
    content["CurrencyRef"] = _currency(books, content, before)
    _check_references(books, content)
    if "ParentRef" in content and not content["Job"]:
        raise fault("6150", "A customer with a ParentRef must be a Job", "ParentRef")
    placed = place_in_tree(books, "Customer", content, "Job")
    return {**content, **placed, **_pseudonym(books, content, before)}


def _defaults(books: Books, before: Record | None) -> Json:
    kept = ("Balance", "BalanceWithJobs", "V4IDPseudonym")
    defaults: Json = {
        "Taxable": True,
        "Job": False,
        "BillWithParent": False,
        "Active": True,
        "PreferredDeliveryMethod": "Print",
        "IsProject": False,
        "ClientEntityId": "0",
        "Balance": ZERO,
        "BalanceWithJobs": ZERO,
    }
    if before is not None:
        defaults |= {name: before.content[name] for name in kept if name in before.content}
    return defaults


def _joined_name(content: Json) -> str:
    return " ".join(content[part] for part in _NAME_PARTS if content.get(part))


def _check_inactivation(before: Record | None, *, active: bool) -> None:
    if before is None or active or not before.content["Active"]:
        return
    if before.amount("BalanceWithJobs"):
        raise fault("6220", "A customer with a balance cannot be made inactive", "Active")


def _currency(books: Books, content: Json, before: Record | None) -> Json:
    home = references.home_currency(books)
    own: Json = before.content["CurrencyRef"] if before else home
    sent: Json = content.get("CurrencyRef", own)
    if before is not None and sent["value"] != own["value"]:
        raise fault("6000", "A customer's currency cannot be changed", "CurrencyRef")
    if not books.switches.multicurrency and sent["value"] != home["value"]:
        raise fault("6000", "Multi Currency should be enabled for this", "CurrencyRef")
    return home if sent["value"] == home["value"] else {"value": sent["value"]}


def _check_references(books: Books, content: Json) -> None:
    for name, entity in (("SalesTermRef", "Term"), ("PaymentMethodRef", "PaymentMethod")):
        if name in content:
            content[name] = references.named(books, entity, content[name])


def _pseudonym(books: Books, content: Json, before: Record | None) -> Json:
    if before is not None:
        return {}
    seed = f"{books.realm.id}:{content['DisplayName']}"
    return {"V4IDPseudonym": "002098" + hashlib.sha256(seed.encode()).hexdigest()[:26]}
