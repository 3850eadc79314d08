"""The small lists: items, accounts, terms, classes, departments, payment methods, tax codes.

Belongs here: their properties, defaults and names. Does not: customers, who owe money.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from qbo_sync_dagster.sandbox.quickbooks import references, schema
from qbo_sync_dagster.sandbox.quickbooks.books import Books
from qbo_sync_dagster.sandbox.quickbooks.entities import ENTITIES
from qbo_sync_dagster.sandbox.quickbooks.faults import fault, missing
from qbo_sync_dagster.sandbox.quickbooks.objects import Record
from qbo_sync_dagster.sandbox.quickbooks.schema import Schema
from qbo_sync_dagster.sandbox.quickbooks.wire import Json

DELETED_SUFFIX = " (deleted)"
DEEPEST_LEVEL = 4

_NAMED: Schema = {**schema.COMMON, "Active": schema.flag}
_TREE: Schema = {
    **_NAMED,
    "Name": schema.text(100),
    "ParentRef": schema.reference,
    "FullyQualifiedName": None,
    "Level": None,
}


@dataclass(frozen=True, slots=True)
class ListKind:
    """How one list behaves. `references` maps properties to the entities they name."""

    schema: Schema
    required: tuple[str, ...] = ("Name",)
    defaults: Callable[[Json], Json] = lambda _content: {}
    references: Mapping[str, str] | None = None
    sub_flag: str = ""


def _item_defaults(content: Json) -> Json:
    return {"Taxable": False, "UnitPrice": 0, "Type": "Service", "PurchaseCost": 0} | {
        "TrackQtyOnHand": False
    }


def _term_defaults(content: Json) -> Json:
    dated = "DayOfMonthDue" in content
    return {"Type": "DATE_DRIVEN"} if dated else {"Type": "STANDARD", "DueDays": 0}


def _account_defaults(content: Json) -> Json:
    return {"CurrencyRef": {"value": "USD"}}


KINDS: Mapping[str, ListKind] = {
    "Item": ListKind(
        {
            **_TREE,
            "Description": schema.text(4000),
            "Type": schema.one_of("Service", "NonInventory"),
            "Taxable": schema.flag,
            "UnitPrice": schema.number,
            "PurchaseCost": schema.number,
            "PurchaseDesc": schema.text(1000),
            "Sku": schema.text(100),
            "TrackQtyOnHand": None,
            "IncomeAccountRef": schema.reference,
            "ExpenseAccountRef": schema.reference,
            "SalesTaxCodeRef": schema.reference,
            "ClassRef": schema.reference,
        },
        required=("Name", "IncomeAccountRef"),
        defaults=_item_defaults,
        references={
            "IncomeAccountRef": "Account",
            "ExpenseAccountRef": "Account",
            "ClassRef": "Class",
        },
        sub_flag="SubItem",
    ),
    "Account": ListKind(
        {
            **_TREE,
            "AccountType": schema.text(100),
            "AccountSubType": schema.text(100),
            "Classification": schema.text(100),
            "AcctNum": schema.text(20),
            "Description": schema.text(100),
            "CurrencyRef": schema.reference,
        },
        required=("Name", "AccountType"),
        defaults=_account_defaults,
        sub_flag="SubAccount",
    ),
    "Class": ListKind(_TREE, sub_flag="SubClass"),
    "Department": ListKind(_TREE, sub_flag="SubDepartment"),
    "Term": ListKind(
        {
            **_NAMED,
            "Name": schema.text(31),
            "Type": schema.one_of("STANDARD", "DATE_DRIVEN"),
            "DueDays": schema.number,
            "DiscountDays": schema.number,
            "DiscountPercent": schema.number,
            "DayOfMonthDue": schema.number,
            "DueNextMonthDays": schema.number,
            "DiscountDayOfMonth": schema.number,
        },
        defaults=_term_defaults,
    ),
    "PaymentMethod": ListKind(
        {
            **_NAMED,
            "Name": schema.text(31),
            "Type": schema.one_of("CREDIT_CARD", "NON_CREDIT_CARD"),
        },
        defaults=lambda _content: {"Type": "NON_CREDIT_CARD"},
    ),
    "TaxCode": ListKind(
        {
            **_NAMED,
            "Name": schema.text(100),
            "Description": schema.text(100),
            "Taxable": schema.flag,
            "TaxGroup": schema.flag,
        },
    ),
}


def build(books: Books, entity: str, accepted: Json, before: Record | None) -> Json:
    """The content of a new or changed entry: `accepted` is what it should hold."""
    kind = KINDS[entity]
    for name in kind.required:
        if not accepted.get(name):
            raise missing(name)
    content = {"Active": True, **kind.defaults(accepted), **accepted}
    content["Name"] = name_for(content["Name"], before, active=content["Active"])
    for name, target in (kind.references or {}).items():
        if name in content:
            content[name] = references.named(books, target, content[name])
    if kind.sub_flag:
        content |= place_in_tree(books, entity, content, kind.sub_flag)
    pool = ENTITIES[entity].pool
    references.name_is_free(books, pool, content["Name"], before.id if before else None)
    return content


def name_for(name: str, before: Record | None, *, active: bool) -> str:
    """A name gains ` (deleted)` when its entry is made inactive, and loses it again."""
    if ":" in name or "\t" in name or "\n" in name:
        raise fault("2040", f"Name {name!r} has a colon, tab or new line", "Name")
    if not active and not name.endswith(DELETED_SUFFIX):
        return name + DELETED_SUFFIX
    was_inactive = before is not None and before.content.get("Active") is False
    return name.removesuffix(DELETED_SUFFIX) if active and was_inactive else name


def place_in_tree(books: Books, entity: str, content: Json, sub_flag: str) -> Json:
    """FullyQualifiedName, level and the flag of an entry below a parent."""
    name = content.get("DisplayName") or content["Name"]
    if "ParentRef" not in content:
        return {"FullyQualifiedName": name}
    parent = references.require(books, entity, content["ParentRef"])
    level = int(parent.content.get("Level", 0)) + 1
    if level > DEEPEST_LEVEL:
        raise fault("6180", "An entry can be at most five levels deep", "ParentRef")
    qualified = f"{parent.content['FullyQualifiedName']}:{name}"
    return {"FullyQualifiedName": qualified, "Level": level, sub_flag: True}
