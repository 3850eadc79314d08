"""What bookkeepers do in QuickBooks on a day, but for payments.

Belongs here: documents, credit, customers, the closing of books. Does not: payments (cheques).
"""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal
from typing import Any

from benchmarks.year.chances import Record, on_open_invoice
from benchmarks.year.cheques import cheque
from benchmarks.year.day import Day
from benchmarks.year.provider import Company

# Books are closed some weeks after the days that they hold.
_CLOSED_AFTER = timedelta(days=25)


def sell_elsewhere(day: Day) -> bool:
    """A sale and its payment that never touch AlgaPSA."""
    company = day.company()
    client = day.provider.clients[0]
    [item, *_] = company.items.values()
    customer = company.customers[client]
    number = f"QB-{day.number()}"
    sold = day.provider.quickbooks.invoice(
        company.realm, customer, [(item, Decimal("12.50"))], DocNumber=number
    )
    cheque(day, company, customer, [(sold["Id"], Decimal("12.50"))], Decimal("12.50"))
    return True


@on_open_invoice
def edit_document(day: Day, company: Company, invoice: Record) -> bool:
    """A bookkeeper changes an exported invoice: its amount, its number, or a mere note."""
    changes: list[dict[str, Any]] = [
        {"PrivateNote": f"Called {day.number()}"},
        {"DocNumber": f"X-{day.number()}"},
        {"Line": _raised(invoice["Line"])},
    ]
    day.provider.quickbooks.edit(
        company.realm, "Invoice", invoice["Id"], **day.chance.choice(changes)
    )
    return True


@on_open_invoice
def lose_document(day: Day, company: Company, invoice: Record) -> bool:
    """A bookkeeper voids or deletes an exported invoice."""
    undo = day.chance.choice([day.provider.quickbooks.void, day.provider.quickbooks.delete])
    undo(company.realm, "Invoice", invoice["Id"])
    return True


@on_open_invoice
def spend_memo(day: Day, company: Company, invoice: Record) -> bool:
    """A bookkeeper applies a credit memo of QuickBooks' own to an exported invoice."""
    [item, *_] = company.items.values()
    customer, amount = (
        invoice["CustomerRef"]["value"],
        min(Decimal(20), Decimal(invoice["Balance"])),
    )
    number = f"QBC-{day.number()}"
    memo = day.provider.quickbooks.credit_memo(
        company.realm, customer, [(item, amount)], DocNumber=number
    )
    day.provider.quickbooks.apply_credit(
        company.realm, customer, invoice["Id"], str(memo["Id"]), amount
    )
    return True


@on_open_invoice
def spend_exported_memo(day: Day, company: Company, invoice: Record) -> bool:
    """A bookkeeper applies a credit note that AlgaPSA exported, which AlgaPSA does not know of."""
    for _, memo_id in day.linked(company, "credit_memo"):
        memo = day.provider.object(company, "CreditMemo", memo_id)
        if memo and memo["RemainingCredit"] > 0:
            customer = invoice["CustomerRef"]["value"]
            amount = min(Decimal(memo["RemainingCredit"]), Decimal(invoice["Balance"]))
            day.provider.quickbooks.apply_credit(
                company.realm, customer, invoice["Id"], memo_id, amount
            )
            return True
    return False


def alter_what_just_arrived(day: Day) -> bool:
    """A bookkeeper changes what was just sent, before its answer that was lost is missed."""
    company = day.company()
    unknown = day.unlinked(company, "Invoice")
    if not unknown:
        return False
    invoice = day.chance.choice(unknown)
    changes: list[dict[str, Any]] = [
        {"DocNumber": f"X-{day.number()}"},
        {"DocNumber": f"X-{day.number()}", "Line": _raised(invoice["Line"])},
    ]
    day.altered.append(invoice["Id"])
    day.provider.quickbooks.edit(
        company.realm, "Invoice", invoice["Id"], **day.chance.choice(changes)
    )
    return True


@on_open_invoice
def move_to_other_customer(day: Day, company: Company, invoice: Record) -> bool:
    """A bookkeeper who merges two customers gives an invoice to the other one."""
    other = day.chance.choice(list(company.customers.values()))
    if other == invoice["CustomerRef"]["value"]:
        return False
    day.provider.quickbooks.edit(
        company.realm, "Invoice", invoice["Id"], CustomerRef={"value": other}
    )
    return True


def retire_customer(day: Day) -> bool:
    """A customer who owes nothing is made inactive."""
    company = day.company()
    customer = day.chance.choice(list(company.customers.values()))
    day.provider.quickbooks.edit(company.realm, "Customer", customer, Active=False)
    return True


def bring_customer_back(day: Day) -> bool:
    """An inactive customer is made active again."""
    company = day.company()
    for customer in company.customers.values():
        found = day.provider.object(company, "Customer", customer)
        if found and not found["Active"]:
            day.provider.quickbooks.edit(company.realm, "Customer", customer, Active=True)
            return True
    return False


def close_books(day: Day) -> bool:
    """A company closes its books up to some weeks ago."""
    closed = (day.provider.today - _CLOSED_AFTER).isoformat()
    day.provider.quickbooks.set(day.company().realm, book_close_date=closed)
    return True


def open_books(day: Day) -> bool:
    """A company opens its books again."""
    day.provider.quickbooks.set(day.company().realm, book_close_date="")
    return True


def _raised(lines: list[dict[str, Any]]) -> list[dict[str, Any]]:
    sold = [line for line in lines if line["DetailType"] == "SalesItemLineDetail"]
    detail = {
        key: value
        for key, value in sold[0]["SalesItemLineDetail"].items()
        if key not in ("Qty", "UnitPrice")
    }
    first = {**sold[0], "Amount": sold[0]["Amount"] + 10, "SalesItemLineDetail": detail}
    return [first, *sold[1:]]
