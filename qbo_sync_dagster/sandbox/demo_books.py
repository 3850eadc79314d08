"""How a bookkeeper holds the seeded provider's records in QuickBooks: objects, before any id.

Pure: planned AlgaPSA records in, QuickBooks JSON out. Sending it is in `demo`.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from qbo_sync_dagster.domain.money import to_decimal
from qbo_sync_dagster.sandbox.algapsa.charges import Charge
from qbo_sync_dagster.sandbox.algapsa.payments import Payment
from qbo_sync_dagster.sandbox.algapsa.seed import PlannedClient, PlannedInvoice
from qbo_sync_dagster.sandbox.algapsa.tenants import Service

Json = dict[str, Any]

INCOME_ACCOUNT: Json = {
    "Name": "Managed Services Income",
    "AccountType": "Income",
    "AccountSubType": "ServiceFeeIncome",
}
# The names that every new company has.
TERMS: Mapping[str, str] = {
    "net_30": "Net 30",
    "net_15": "Net 15",
    "due_on_receipt": "Due on receipt",
}
DEFAULT_ITEM = "Services"
# A company in the United States marks its lines with these two and nothing else.
TAXABLE, NOT_TAXABLE = "TAX", "NON"


@dataclass(frozen=True, slots=True)
class BooksIds:
    """QuickBooks ids in one company, by the AlgaPSA id (services, clients) or term."""

    items: Mapping[str, str]
    default_item: str
    terms: Mapping[str, str]
    customers: Mapping[str, str]


def item(name: str, rate: int, income_account: str) -> Json:
    """A service item sold at `rate` cents."""
    return {
        "Name": name,
        "Type": "Service",
        "UnitPrice": to_decimal(rate),
        "IncomeAccountRef": {"value": income_account},
    }


def service_item(service: Service, income_account: str) -> Json:
    """The item that stands for a service."""
    return item(service.name, service.rate, income_account)


def customer(planned: PlannedClient, terms: Mapping[str, str]) -> Json:
    """The customer that stands for a client."""
    client = planned.client
    return {
        "DisplayName": client.name,
        "CompanyName": client.name,
        "PrimaryEmailAddr": {"Address": client.email},
        "BillAddr": {"Line1": "100 Harbor Street", "City": client.city, "Country": "US"},
        "SalesTermRef": {"value": terms[client.terms or "net_30"]},
    }


def invoice(planned: PlannedInvoice, number: str, terms: str, ids: BooksIds) -> Json:
    """The invoice as it was booked by hand, line by line, with AlgaPSA's number and tax."""
    draft = planned.draft
    tax = sum(charge.tax for charge in draft.charges)
    return {
        "DocNumber": number,
        "TxnDate": draft.invoice_date.isoformat(),
        "CustomerRef": {"value": ids.customers[draft.client_id]},
        "SalesTermRef": {"value": ids.terms[terms]},
        "Line": [line for charge in draft.charges for line in _lines(charge, ids)],
        "TxnTaxDetail": {"TotalTax": to_decimal(tax)},
    }


def payment(customer_id: str, paid_on: str, reference: str, parts: Mapping[str, int]) -> Json:
    """Money received on one day: cents per QuickBooks invoice id."""
    return {
        "CustomerRef": {"value": customer_id},
        "TxnDate": paid_on,
        "PaymentRefNum": reference[:21],
        "TotalAmt": to_decimal(sum(parts.values())),
        "Line": [
            {
                "Amount": to_decimal(amount),
                "LinkedTxn": [{"TxnId": identity, "TxnType": "Invoice"}],
            }
            for identity, amount in parts.items()
        ],
    }


def booked_payment(paid: Payment, customer_id: str, invoice_id: str) -> Json:
    """A payment of the past that stands in AlgaPSA too."""
    reference = paid.reference or ""
    return payment(customer_id, f"{paid.paid_on:%Y-%m-%d}", reference, {invoice_id: paid.amount})


def _lines(charge: Charge, ids: BooksIds) -> Iterator[Json]:
    """One line per charge; a fixed plan, which names no service itself, one line per part."""
    for part in charge.parts:
        item_id = ids.items[part.service_id]
        yield _line(charge, charge.description, part.allocated, part.quantity, item_id)
    if not charge.parts:
        item_id = ids.items.get(charge.service_id or "", ids.default_item)
        yield _line(charge, charge.description, charge.net, charge.quantity, item_id)


def _line(charge: Charge, description: str, amount: int, quantity: Decimal, item_id: str) -> Json:
    return {
        "Description": description,
        "Amount": to_decimal(amount),
        "DetailType": "SalesItemLineDetail",
        "SalesItemLineDetail": {
            "ItemRef": {"value": item_id},
            "Qty": quantity,
            "UnitPrice": to_decimal(amount) / quantity,
            "TaxCodeRef": {"value": TAXABLE if charge.tax else NOT_TAXABLE},
        },
    }
