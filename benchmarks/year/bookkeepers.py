"""What bookkeepers do in QuickBooks on a day. An act returns False where there is nothing to do."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal
from typing import Any

from benchmarks.year.day import Day
from benchmarks.year.provider import Company

# Books are closed some weeks after the days that they hold.
_CLOSED_AFTER = timedelta(days=25)


def pay(day: Day) -> bool:
    """A bookkeeper records a cheque over one invoice, in full, in part, or over it."""
    company = day.company()
    found = day.open_invoice(company)
    if found is None:
        return False
    balance = found["Balance"]
    amount = day.chance.choice([balance, balance, max(Decimal("0.01"), _half(balance))])
    total = amount + (Decimal(5) if day.chance.random() < 0.1 else 0)
    _cheque(day, company, found["CustomerRef"]["value"], [(found["Id"], amount)], total)
    return True


def pay_several(day: Day) -> bool:
    """One cheque over several invoices of a customer."""
    company = day.company()
    first = day.open_invoice(company)
    if first is None:
        return False
    customer = first["CustomerRef"]["value"]
    others = [day.provider.object(company, "Invoice", each) for _, each in day.linked(company)[:8]]
    paid = {first["Id"]: first["Balance"]}
    for each in others:
        if each and each["CustomerRef"]["value"] == customer and each["Balance"] > 0:
            paid[each["Id"]] = each["Balance"]
    _cheque(day, company, customer, list(paid.items()), sum(paid.values(), Decimal(0)))
    return True


def edit_cheque(day: Day) -> bool:
    """A bookkeeper lowers a payment by a third."""
    company = day.company()
    found = day.money_in_quickbooks(company)
    if found is None:
        return False
    lines = [(line["LinkedTxn"][0]["TxnId"], _less(line["Amount"])) for line in found["Line"]]
    day.provider.quickbooks.edit_payment(company.realm, found["Id"], lines)
    return True


def undo_cheque(day: Day) -> bool:
    """A bookkeeper voids, deletes or unapplies a payment."""
    company = day.company()
    found = day.money_in_quickbooks(company)
    if found is None:
        return False
    quickbooks = day.provider.quickbooks
    match day.chance.randrange(3):
        case 0:
            quickbooks.void(company.realm, "Payment", found["Id"])
        case 1:
            quickbooks.delete(company.realm, "Payment", found["Id"])
        case _:
            quickbooks.unapply(company.realm, found["Id"])
    return True


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
    _cheque(day, company, customer, [(sold["Id"], Decimal("12.50"))], Decimal("12.50"))
    return True


def edit_document(day: Day) -> bool:
    """A bookkeeper changes an exported invoice: its amount, its number, or a mere note."""
    company = day.company()
    found = day.open_invoice(company)
    if found is None:
        return False
    changes: list[dict[str, Any]] = [
        {"PrivateNote": f"Called {day.number()}"},
        {"DocNumber": f"X-{day.number()}"},
        {"Line": _raised(found["Line"])},
    ]
    day.provider.quickbooks.edit(
        company.realm, "Invoice", found["Id"], **day.chance.choice(changes)
    )
    return True


def lose_document(day: Day) -> bool:
    """A bookkeeper voids or deletes an exported invoice."""
    company = day.company()
    found = day.open_invoice(company)
    if found is None:
        return False
    undo = day.chance.choice([day.provider.quickbooks.void, day.provider.quickbooks.delete])
    undo(company.realm, "Invoice", found["Id"])
    return True


def spend_memo(day: Day) -> bool:
    """A bookkeeper applies a credit memo of QuickBooks' own to an exported invoice."""
    company = day.company()
    found = day.open_invoice(company)
    if found is None:
        return False
    [item, *_] = company.items.values()
    customer, amount = found["CustomerRef"]["value"], min(Decimal(20), Decimal(found["Balance"]))
    number = f"QBC-{day.number()}"
    memo = day.provider.quickbooks.credit_memo(
        company.realm, customer, [(item, amount)], DocNumber=number
    )
    day.provider.quickbooks.apply_credit(
        company.realm, customer, found["Id"], str(memo["Id"]), amount
    )
    return True


def spend_exported_memo(day: Day) -> bool:
    """A bookkeeper applies a credit note that AlgaPSA exported, which AlgaPSA does not know of."""
    company = day.company()
    found = day.open_invoice(company)
    for _, memo_id in day.linked(company, "credit_memo") if found else ():
        memo = day.provider.object(company, "CreditMemo", memo_id)
        if found and memo and memo["RemainingCredit"] > 0:
            customer = found["CustomerRef"]["value"]
            amount = min(Decimal(memo["RemainingCredit"]), Decimal(found["Balance"]))
            day.provider.quickbooks.apply_credit(
                company.realm, customer, found["Id"], memo_id, amount
            )
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


def _cheque(
    day: Day, company: Company, customer: str, lines: list[tuple[str, Decimal]], total: Decimal
) -> None:
    day.provider.quickbooks.record_payment(
        company.realm, customer, lines, total=total, ref=f"CHQ {day.number()}"
    )


def _half(amount: Decimal) -> Decimal:
    return (Decimal(amount) / 2).quantize(Decimal("0.01"))


def _less(amount: Decimal) -> Decimal:
    return max(Decimal("0.01"), (Decimal(amount) * 2 / 3).quantize(Decimal("0.01")))


def _raised(lines: list[dict[str, Any]]) -> list[dict[str, Any]]:
    sold = [line for line in lines if line["DetailType"] == "SalesItemLineDetail"]
    detail = {
        key: value
        for key, value in sold[0]["SalesItemLineDetail"].items()
        if key not in ("Qty", "UnitPrice")
    }
    first = {**sold[0], "Amount": sold[0]["Amount"] + 10, "SalesItemLineDetail": detail}
    return [first, *sold[1:]]
