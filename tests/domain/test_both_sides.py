"""AlgaPSA's version of a document beside QuickBooks', in the fields that an accountant compares."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import date
from decimal import Decimal

from qbo_sync_dagster.domain.both_sides import (
    UNCHANGED,
    SideBySide,
    algapsa_view,
    in_words,
    side_by_side,
)
from qbo_sync_dagster.domain.document_view import FieldDifference, differences
from qbo_sync_dagster.domain.export import ExportDocument, References, prepare_export

from .conftest import Make

REFERENCES = References(
    customers={"client-1": "58"}, items={"service-1": "12"}, tax_codes={}, terms={"net_30": "3"}
)


def _wanted(document: object, client: object) -> ExportDocument:
    wanted = prepare_export(document, client, REFERENCES)  # type: ignore[arg-type]
    assert isinstance(wanted, ExportDocument)
    return wanted


def test_a_document_as_it_was_exported_looks_as_agreed_on(
    document: Make, client: Make, view: Make
) -> None:
    assert differences(view(), algapsa_view(_wanted(document(), client()), view())) == []


def test_every_field_that_algapsa_changed_is_found(
    document: Make, client: Make, charge: Make, header: Make, view: Make
) -> None:
    changed = document(
        charge(6_000, quantity=Decimal("1.50"), unit_price_minor=4_000, tax_minor=500),
        charge(5_000),
        header=header(number="INV-2", total_minor=11_500, currency="CAD"),
    )

    found: Mapping[str, str] = {
        each.field: each.shown
        for each in differences(view(), algapsa_view(_wanted(changed, client()), view()))
    }

    assert found == {
        "number": "INV-2",
        "currency": "CAD",
        "total": "115.00",
        "tax": "5.00",
        "line 1": "quantity 1.5, item 12, amount 60.00",
        "added line 2": "quantity 1, item 12, amount 50.00",
    }


def test_client_dates_and_class_are_those_that_would_be_sent_today(
    document: Make, client: Make, header: Make, view: Make
) -> None:
    changed = document(
        header=header(
            client_id="client-2", invoice_date=date(2026, 3, 5), due_date=date(2026, 4, 9)
        )
    )
    references = replace(REFERENCES, customers={"client-2": "59"}, default_class="7")
    wanted = prepare_export(changed, client(client_id="client-2"), references)
    assert isinstance(wanted, ExportDocument)

    found = differences(view(), algapsa_view(wanted, view()))

    assert {each.field: each.shown for each in found} == {
        "customer": "59",
        "date": "2026-03-05",
        "due date": "2026-04-09",
        "line 1": "quantity 1, item 12, amount 100.00, class 7",
    }


def test_a_company_that_names_no_currency_differs_in_none(
    document: Make, client: Make, view: Make
) -> None:
    agreed = view(currency="")

    assert differences(agreed, algapsa_view(_wanted(document(), client()), agreed)) == []


def test_both_sides_stand_beside_each_other_in_reading_order() -> None:
    here = [FieldDifference("line 2", "a", "b"), FieldDifference("total", "1.00", "2.00")]
    there = [FieldDifference("line 10", "c", "d"), FieldDifference("total", "1.00", "3.00")]

    assert side_by_side(here, there) == [
        SideBySide("total", "1.00", "2.00", "3.00"),
        SideBySide("line 2", "a", "b", UNCHANGED),
        SideBySide("line 10", "c", UNCHANGED, "d"),
    ]


def test_many_differences_are_told_up_to_a_number_and_the_rest_counted() -> None:
    found = [FieldDifference(f"line {n}", "a", "b") for n in (1, 2, 3)]

    assert in_words(found, 3) == "line 1: a -> b; line 2: a -> b; line 3: a -> b"
    assert in_words(found, 1) == "line 1: a -> b; and 2 more"
