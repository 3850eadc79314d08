"""References between objects: that they name something usable, and the name shown with them.

Belongs here: looking a reference up. Does not: what an entity does with it.
"""

from __future__ import annotations

from qbo_sync_dagster.sandbox.quickbooks.books import Books
from qbo_sync_dagster.sandbox.quickbooks.faults import bad_reference, fault, not_found
from qbo_sync_dagster.sandbox.quickbooks.objects import Record
from qbo_sync_dagster.sandbox.quickbooks.wire import Json

# The names under which Intuit's fault texts speak of its lists.
_INTERNAL = {
    "Customer": "Names",
    "Account": "Accounts",
    "Class": "Klasses",
    "Department": "Depts",
    "Item": "Items",
    "Term": "Terms",
    "TaxCode": "TaxCodes",
    "PaymentMethod": "PaymentMethods",
}


def require(books: Books, entity: str, reference: Json) -> Record:
    """The active object that is referred to; a fault if there is none."""
    record = books.get(entity, reference["value"])
    if record is None:
        raise bad_reference(_INTERNAL[entity], reference["value"])
    if record.content.get("Active") is False:
        raise not_found()
    return record


def named(books: Books, entity: str, reference: Json) -> Json:
    """The reference with the object's name."""
    record = require(books, entity, reference)
    return {"value": record.id, "name": record.content.get("FullyQualifiedName", record.name)}


def name_is_free(books: Books, pool: str, name: str, own_id: str | None) -> None:
    """Raises 6240 if another object of the pool bears the name."""
    holder = books.with_name(pool, name)
    if holder is not None and holder.id != own_id:
        raise fault("6240", f"The name supplied already exists. : Id={holder.id}", "DisplayName")


def currency_of(books: Books, sent: Json | None, customer: Record) -> Json:
    """The currency of a customer's transaction: the customer's own, and only that."""
    own = customer.content["CurrencyRef"]
    if sent is not None and sent["value"] != own["value"]:
        detail = f"The currency {sent['value']} is not the customer's, which is {own['value']}"
        raise fault("6000", f"Business Validation Error: {detail}", "CurrencyRef")
    return dict(own)


def home_currency(books: Books) -> Json:
    """The company's currency as a reference."""
    code = books.switches.home_currency
    return {"value": code, "name": _CURRENCY_NAMES.get(code, code)}


_CURRENCY_NAMES = {
    "USD": "United States Dollar",
    "CAD": "Canadian Dollar",
    "EUR": "Euro",
    "GBP": "British Pound Sterling",
    "AUD": "Australian Dollar",
}
