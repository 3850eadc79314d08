"""The entities this sandbox knows, and what a query or Change Data Capture may ask of each.

Belongs here: names, query properties, orders and quirks. Does not: how an entity is written.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Filterable:
    """A property a query may filter or order by: its path in the object and its SQL type."""

    path: tuple[str, ...]
    type: str = "text"


@dataclass(frozen=True, slots=True)
class Entity:
    """One kind of object."""

    name: str
    filterable: Mapping[str, Filterable] = field(default_factory=dict)
    is_transaction: bool = False
    # Intuit counts list queries of some entities and not of others.
    has_total_count: bool = False
    # Change Data Capture leaves some entities out.
    has_changes: bool = True
    # Which entities draw their ids, and keep their names unique, from one pool.
    id_pool: str = ""
    name_property: str = "Name"

    @property
    def segment(self) -> str:
        """The entity in a URL."""
        return self.name.lower()

    @property
    def pool(self) -> str:
        """The id sequence: all transactions share one, each list has its own."""
        return "Transaction" if self.is_transaction else (self.id_pool or self.name)


def _paths(**types: str) -> dict[str, Filterable]:
    return {name.lower(): Filterable((name,), kind) for name, kind in types.items()}


def _refs(*names: str) -> dict[str, Filterable]:
    return {name.lower(): Filterable((name, "value")) for name in names}


_DOCUMENT = {
    **_paths(DocNumber="text", TxnDate="date", DueDate="date", Balance="numeric"),
    **_paths(TotalAmt="numeric"),
    **_refs("CustomerRef", "SalesTermRef"),
}
_LIST = _paths(Name="text", Active="boolean")
_TREE = {**_LIST, **_paths(FullyQualifiedName="text")}
_PERSON = {
    **_paths(DisplayName="text", GivenName="text", FamilyName="text", Active="boolean"),
    **_paths(FullyQualifiedName="text"),
    "primaryemailaddr": Filterable(("PrimaryEmailAddr", "Address")),
}
_PAYMENT = {
    **_paths(PaymentRefNum="text", TxnDate="date", TotalAmt="numeric"),
    **_refs("CustomerRef"),
}

ENTITIES: Mapping[str, Entity] = {
    entity.name: entity
    for entity in (
        Entity("Customer", _PERSON, id_pool="Name", name_property="DisplayName"),
        Entity("Item", {**_TREE, **_paths(Type="text", Sku="text")}),
        Entity("Invoice", _DOCUMENT, is_transaction=True, has_total_count=True),
        Entity("CreditMemo", _DOCUMENT, is_transaction=True),
        Entity("Payment", _PAYMENT, is_transaction=True),
        Entity("Term", _LIST),
        Entity("TaxCode", _LIST, has_changes=False),
        Entity(
            "Account",
            {**_TREE, **_paths(AccountType="text", AccountSubType="text", Classification="text")},
        ),
        Entity("Class", _TREE),
        Entity("Department", _TREE),
        Entity("PaymentMethod", _LIST),
    )
}

# These only occupy names: customers, vendors and employees may not share one.
NAME_HOLDERS = ("Vendor", "Employee")
SINGLETONS = ("CompanyInfo", "Preferences")

BY_SEGMENT: Mapping[str, Entity] = {entity.segment: entity for entity in ENTITIES.values()}
