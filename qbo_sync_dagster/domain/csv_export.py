"""Invoices as the file that QuickBooks Online imports, for companies that are not connected.

Names stand where a connected company has ids. What a document lacks is judged by the same rules
as for sending it; the file is written whole or not at all.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Iterator, Mapping

from qbo_sync_dagster.domain.algapsa_records import Charge, Client, Document
from qbo_sync_dagster.domain.export import NotReady, References, prepare_export
from qbo_sync_dagster.domain.foreign_text import is_formula
from qbo_sync_dagster.domain.money import format_minor

COLUMNS = (
    *("*InvoiceNo", "*Customer", "*InvoiceDate", "*DueDate", "Terms", "Memo"),
    *("*Item(Product/Service)", "ItemDescription", "*ItemQuantity", "*ItemRate", "*ItemAmount"),
    *("ItemTaxCode", "ItemTaxAmount", "Currency"),
)
# QuickBooks itself keeps an item of this name for sales without a product.
_ANY_ITEM = "Services"


def csv_problems(document: Document, client: Client | None) -> tuple[str, ...]:
    """What keeps the document out of the file, each a sentence with its cure."""
    if document.header.is_credit_note:
        return ("QuickBooks imports invoices only: enter this credit note there by hand.",)
    prepared = prepare_export(document, client, _by_name(document, client))
    return prepared.problems if isinstance(prepared, NotReady) else ()


def write_invoices(documents: Iterable[Document], clients: Mapping[str, Client]) -> str:
    """The file: a row a charge, dates as month/day/year, amounts in the invoice's currency."""
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\r\n")
    writer.writerow(COLUMNS)
    for document in documents:
        client = clients[document.header.client_id]
        writer.writerows(_rows(document, client))
    return out.getvalue()


def _rows(document: Document, client: Client) -> Iterator[tuple[str, ...]]:
    header = document.header
    for charge in document.charges:
        net = charge.net_minor or 0
        quantity, rate = _multiplied(charge, net)
        yield (
            _text(header.number),
            _text(client.name),
            f"{header.invoice_date:%m/%d/%Y}",
            f"{header.due_date:%m/%d/%Y}",
            _text(client.payment_terms),
            _text(f"PO: {document.po_number}" if document.po_number else ""),
            _text(charge.service_name or _ANY_ITEM),
            _text(charge.description),
            quantity,
            rate,
            format_minor(net),
            _text(charge.tax_region or ""),
            format_minor(charge.tax_minor),
            header.currency,
        )


def _multiplied(charge: Charge, net: int) -> tuple[str, str]:
    # The import computes the amount again: a rounded price would change it.
    if charge.quantity * charge.unit_price_minor != net:
        return "1", format_minor(net)
    return f"{charge.quantity.normalize():f}", format_minor(charge.unit_price_minor)


def _text(value: str) -> str:
    line = " ".join(value.split())
    # No apostrophe here: the import would take it for a part of the name.
    return f" {line}" if is_formula(line) else line


def _by_name(document: Document, client: Client | None) -> References:
    """Everything the document refers to, linked to its own name."""
    services = {
        service_id: name or service_id
        for charge in document.charges
        for service_id, name in (
            (charge.service_id, charge.service_name),
            *((detail.service_id, detail.service_name) for detail in charge.details),
        )
        if service_id
    }
    regions = {charge.tax_region for charge in document.charges if charge.tax_region}
    terms = {client.payment_terms} if client else set()
    return References(
        customers={client.client_id: client.name} if client else {},
        items=services,
        tax_codes={region: region for region in regions},
        terms={term: term for term in terms},
        default_item=_ANY_ITEM,
    )
