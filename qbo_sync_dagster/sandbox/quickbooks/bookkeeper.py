"""Acts of a person at the screen: no OAuth, no SyncToken, the same books.

Belongs here: acts and seeding. Does not: HTTP.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence

from qbo_sync_dagster.sandbox.quickbooks import operations, payments
from qbo_sync_dagster.sandbox.quickbooks.books import Books, Given
from qbo_sync_dagster.sandbox.quickbooks.closing import WriteOptions
from qbo_sync_dagster.sandbox.quickbooks.entities import ENTITIES, NAME_HOLDERS
from qbo_sync_dagster.sandbox.quickbooks.faults import unsupported
from qbo_sync_dagster.sandbox.quickbooks.objects import Record
from qbo_sync_dagster.sandbox.quickbooks.wire import Json, parse_instant

_AT_THE_SCREEN = WriteOptions(sparse=True, as_bookkeeper=True)
_REMAKE = WriteOptions(as_bookkeeper=True)

# What a new company starts with. Undeposited Funds has the id that Intuit's own samples show.
_ACCOUNTS = (
    ("1", "Services", "Income", "ServiceFeeIncome"),
    ("2", "Sales of Product Income", "Income", "SalesOfProductIncome"),
    ("3", "Discounts given", "Income", "DiscountsRefundsGiven"),
    (payments.UNDEPOSITED_FUNDS, "Undeposited Funds", "Other Current Asset", "UndepositedFunds"),
    ("35", "Checking", "Bank", "Checking"),
    ("84", "Accounts Receivable (A/R)", "Accounts Receivable", "AccountsReceivable"),
)
_TERMS = (("1", "Due on receipt", 0), ("2", "Net 15", 15), ("3", "Net 30", 30), ("4", "Net 60", 60))
_METHODS = (("1", "Cash"), ("2", "Check"), ("3", "Credit Card"))
_TAX_CODES = (("TAX", True), ("NON", False))


def act(books: Books, name: str, entity: str, body: Json) -> Json | None:
    """One act; the object afterwards, or None if it was deleted."""
    if name == "create" and entity in NAME_HOLDERS:
        return operations.reserve_name(books, entity, body).as_json()
    if entity not in ENTITIES:
        raise unsupported(entity)
    if name == "create":
        return operations.create(books, entity, body, _AT_THE_SCREEN).as_json()
    record = operations.read(books, entity, str(body.get("Id", "")))
    known = {"Id": record.id, "SyncToken": str(record.token)}
    match name:
        case "update":
            return _edited(books, record, {**body, **known}).as_json()
        case "void":
            return operations.void(books, entity, known, _AT_THE_SCREEN).as_json()
        case "delete":
            operations.delete(books, entity, known, _AT_THE_SCREEN)
            return None
        case "deposit" if entity == "Payment":
            return payments.deposit(books, record).as_json()
        case "undeposit" if entity == "Payment":
            return payments.undeposit(books, record).as_json()
    raise unsupported(f"the act {name[:40]} on {entity}")


def _edited(books: Books, record: Record, body: Json) -> Record:
    """The screen always saves the whole form."""
    if record.entity == "Payment":
        body = {**record.as_json(), **body}
        return operations.update(books, record.entity, body, _REMAKE)
    return operations.update(books, record.entity, body, _AT_THE_SCREEN)


def seed(books: Books, wanted: Sequence[Json]) -> list[str]:
    """Many objects at once, in order; their ids. `created` and `updated` may be given; what an
    object sets in motion then happened at that time too."""
    _prefetch(books, wanted)
    present = books.now
    made = []
    for each in wanted:
        entity, body, given = each["entity"], each["body"], _given(each)
        books.now = given.updated or given.created or present
        if entity in NAME_HOLDERS:
            made.append(operations.reserve_name(books, entity, body).id)
        elif entity in ENTITIES:
            made.append(operations.create(books, entity, body, _REMAKE, given).id)
        else:
            raise unsupported(entity)
    return made


def furnish(books: Books) -> None:
    """Accounts, terms, payment methods and tax codes of a new company."""
    for identity, name, kind, sub_kind in _ACCOUNTS:
        body = {"Name": name, "AccountType": kind, "AccountSubType": sub_kind}
        operations.create(books, "Account", body, _REMAKE, Given(identity))
    for identity, name, days in _TERMS:
        operations.create(books, "Term", {"Name": name, "DueDays": days}, _REMAKE, Given(identity))
    for identity, name in _METHODS:
        operations.create(books, "PaymentMethod", {"Name": name}, _REMAKE, Given(identity))
    for identity, taxable in _TAX_CODES:
        code: Json = {"Name": identity, "Taxable": taxable, "TaxGroup": False}
        operations.create(books, "TaxCode", code, _REMAKE, Given(identity))


def _given(each: Json) -> Given:
    instants = [parse_instant(each[n]) if n in each else None for n in ("created", "updated")]
    return Given(each.get("id", ""), *instants)


def _prefetch(books: Books, wanted: Sequence[Json]) -> None:
    """Read what payments link to in one statement each, not one by one."""
    linked: dict[str, set[str]] = defaultdict(set)
    for each in wanted:
        if customer := each["body"].get("CustomerRef"):
            linked["Customer"].add(customer["value"])
        for line in each["body"].get("Line", []):
            for link in line.get("LinkedTxn", []):
                linked[link["TxnType"]].add(link["TxnId"])
    for entity, identities in linked.items():
        books.prefetch(entity, sorted(identities))
