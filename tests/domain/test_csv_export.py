"""Invoices as QuickBooks' import file."""

from __future__ import annotations

import csv
import io
from dataclasses import replace
from decimal import Decimal

from qbo_sync_dagster.domain.algapsa_records import Charge, Client, Document
from qbo_sync_dagster.domain.csv_export import COLUMNS, csv_problems, write_invoices

from .test_history_matching import HEADER

CLIENT = Client("c1", "Quarry Lane Dental", None, "net_30", "USD", False, False)
CHARGE = Charge(
    item_id="l1",
    service_id="s1",
    service_name="Managed endpoint",
    description="Endpoints, June",
    quantity=Decimal(3),
    unit_price_minor=3_333,
    net_minor=9_999,
    tax_minor=1,
    tax_region="US-WA",
    is_taxable=True,
    is_discount=False,
)
DOCUMENT = Document(HEADER, 9_999, 1, "4711", None, "internal", (CHARGE,))


def rows(*charges: Charge) -> list[dict[str, str]]:
    document = replace(DOCUMENT, charges=charges or DOCUMENT.charges)
    return list(csv.DictReader(io.StringIO(write_invoices([document], {"c1": CLIENT}))))


def test_a_row_a_charge_with_the_columns_that_quickbooks_imports() -> None:
    [row] = rows()

    assert tuple(row) == COLUMNS
    assert row["*Customer"] == "Quarry Lane Dental"
    assert row["*InvoiceDate"] == "03/02/2026"
    assert row["Memo"] == "PO: 4711"
    assert (row["*ItemQuantity"], row["*ItemRate"], row["*ItemAmount"]) == ("3", "33.33", "99.99")
    assert (row["ItemTaxCode"], row["ItemTaxAmount"]) == ("US-WA", "0.01")


def test_a_price_that_does_not_multiply_to_the_amount_is_written_as_one_piece() -> None:
    [row] = rows(replace(CHARGE, quantity=Decimal("1.5")))

    assert (row["*ItemQuantity"], row["*ItemRate"]) == ("1", "99.99")


def test_a_text_that_a_spreadsheet_would_run_is_made_harmless() -> None:
    [row] = rows(replace(CHARGE, description="=HYPERLINK(1)\nx"))

    assert row["ItemDescription"] == " =HYPERLINK(1) x"


def test_a_charge_without_a_service_is_written_under_quickbooks_own_item() -> None:
    [row] = rows(replace(CHARGE, service_id=None, service_name=None))

    assert row["*Item(Product/Service)"] == "Services"


def test_a_complete_invoice_has_no_problems_whatever_is_linked() -> None:
    assert csv_problems(DOCUMENT, CLIENT) == ()


def test_what_does_not_add_up_is_told() -> None:
    broken = replace(DOCUMENT, charges=(replace(CHARGE, net_minor=9_000),))

    assert "add up" in csv_problems(broken, CLIENT)[0]


def test_a_credit_note_cannot_be_imported() -> None:
    note = replace(HEADER, invoice_type="credit_note", total_minor=-10_000)

    assert "invoices only" in csv_problems(replace(DOCUMENT, header=note), CLIENT)[0]
