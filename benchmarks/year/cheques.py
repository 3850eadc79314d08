"""What bookkeepers do with payments in QuickBooks on a day.

Belongs here: money and where it goes. Does not: documents, customers, books (bookkeepers).
"""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal

from benchmarks.year.chances import (
    Record,
    on_cheque,
    on_open_invoice,
    on_sent_payment,
    on_unapplied_payment,
)
from benchmarks.year.day import Day
from benchmarks.year.provider import Company
from qbo_sync_dagster.sandbox.algapsa import payments

_CENT = Decimal("0.01")


@on_open_invoice
def pay(day: Day, company: Company, invoice: Record) -> bool:
    """A bookkeeper records a cheque over one invoice, in full, in part, or over it."""
    balance = invoice["Balance"]
    amount = day.chance.choice([balance, balance, _part(balance, 2)])
    total = amount + (Decimal(5) if day.chance.random() < 0.1 else 0)
    cheque(day, company, invoice["CustomerRef"]["value"], [(invoice["Id"], amount)], total)
    return True


@on_open_invoice
def pay_several(day: Day, company: Company, invoice: Record) -> bool:
    """One cheque over several invoices of a customer."""
    customer = invoice["CustomerRef"]["value"]
    others = [day.provider.object(company, "Invoice", each) for _, each in day.linked(company)[:8]]
    paid = {invoice["Id"]: invoice["Balance"]}
    for each in others:
        if each and each["CustomerRef"]["value"] == customer and each["Balance"] > 0:
            paid[each["Id"]] = each["Balance"]
    cheque(day, company, customer, list(paid.items()), sum(paid.values(), Decimal(0)))
    return True


@on_open_invoice
def enter_twice(day: Day, company: Company, invoice: Record) -> bool:
    """The same cheque is entered in AlgaPSA and in QuickBooks, on the same day."""
    balance = invoice["Balance"]
    amount = day.chance.choice([balance, _part(balance, 2)])
    document = next(key for key, each in day.linked(company) if each == invoice["Id"])
    payment = payments.Payment(
        document,
        int(amount.scaleb(2)),
        day.provider.today,
        method="check",
        reference=f"BOTH {day.number()}",
    )
    day.provider.do(payments.record_payment, payment)
    cheque(day, company, invoice["CustomerRef"]["value"], [(invoice["Id"], amount)], amount)
    return True


@on_cheque
def edit_cheque(day: Day, company: Company, payment: Record) -> bool:
    """A bookkeeper lowers a payment by a third."""
    _lower(day, company, payment)
    return True


@on_cheque
def undo_cheque(day: Day, company: Company, payment: Record) -> bool:
    """A bookkeeper voids, deletes or unapplies a payment."""
    _undo(day, company, payment)
    return True


@on_cheque
def date_cheque(day: Day, company: Company, payment: Record) -> bool:
    """A bookkeeper gives a payment another date."""
    _date(day, company, payment)
    return True


@on_sent_payment
def meddle(day: Day, company: Company, payment: Record) -> bool:
    """A bookkeeper changes, dates, voids, deletes or unapplies a payment that AlgaPSA sent."""
    day.chance.choice([_lower, _date, _undo])(day, company, payment)
    return True


@on_unapplied_payment
def apply_rest(day: Day, company: Company, payment: Record) -> bool:
    """A bookkeeper gives what is left of a payment to an open invoice of its customer."""
    customer = payment["CustomerRef"]["value"]
    lines = _lines(payment)
    for _, quickbooks_id in day.linked(company)[:20]:
        invoice = day.provider.object(company, "Invoice", quickbooks_id)
        if invoice and invoice["CustomerRef"]["value"] == customer and invoice["Balance"] > 0:
            rest = min(payment["UnappliedAmt"], invoice["Balance"])
            lines[quickbooks_id] = lines.get(quickbooks_id, Decimal(0)) + rest
            day.provider.quickbooks.edit_payment(
                company.realm, payment["Id"], list(lines.items()), total=payment["TotalAmt"]
            )
            return True
    return False


def cheque(
    day: Day, company: Company, customer: str, lines: list[tuple[str, Decimal]], total: Decimal
) -> None:
    """A cheque that a bookkeeper types in."""
    day.provider.quickbooks.record_payment(
        company.realm, customer, lines, total=total, ref=f"CHQ {day.number()}"
    )


def _lower(day: Day, company: Company, payment: Record) -> None:
    lines = [(invoice, _part(minor * 2, 3)) for invoice, minor in _lines(payment).items()]
    day.provider.quickbooks.edit_payment(company.realm, payment["Id"], lines)


def _date(day: Day, company: Company, payment: Record) -> None:
    moved = (day.provider.today - timedelta(days=day.chance.randint(1, 9))).isoformat()
    day.provider.quickbooks.edit(company.realm, "Payment", payment["Id"], TxnDate=moved)


def _undo(day: Day, company: Company, payment: Record) -> None:
    quickbooks = day.provider.quickbooks
    match day.chance.randrange(3):
        case 0:
            quickbooks.void(company.realm, "Payment", payment["Id"])
        case 1:
            quickbooks.delete(company.realm, "Payment", payment["Id"])
        case _:
            quickbooks.unapply(company.realm, payment["Id"])


def _lines(payment: Record) -> dict[str, Decimal]:
    return {
        link["TxnId"]: Decimal(line["Amount"])
        for line in payment["Line"]
        for link in line["LinkedTxn"]
        if link["TxnType"] == "Invoice"
    }


def _part(amount: Decimal, of: int) -> Decimal:
    return max(_CENT, (Decimal(amount) / of).quantize(_CENT))
