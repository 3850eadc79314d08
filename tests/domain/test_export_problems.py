"""Exports that cannot happen, as exceptions: which invoice, which cause, which version."""

from __future__ import annotations

from qbo_sync_dagster.domain.export_problems import (
    customer_refused,
    not_ready,
    number_taken,
    refused,
)

from .conftest import Make


def test_one_exception_names_all_that_an_invoice_lacks(header: Make) -> None:
    record = not_ready(header(), ["No term.", "No item."])

    assert record.title == "Scheduled accounting export failed validation"
    assert record.what_happened == "Invoice INV-1 is not ready for QuickBooks. No term. No item."


def test_a_refusal_gives_quickbooks_sentence_and_intuits_reference(header: Make) -> None:
    record = refused(header(), "a required value is missing.", "1-abc")

    assert "refused invoice INV-1: a required value is missing." in record.what_happened
    assert "1-abc" in record.what_happened


def test_a_refusal_without_a_reference_mentions_none(header: Make) -> None:
    assert "reference" not in refused(header(), "No.", None).what_happened


def test_a_taken_number_points_to_the_objects_that_bear_it(header: Make) -> None:
    record = number_taken(header(), [("Invoice", "145"), ("CreditMemo", "146")])

    assert record.title == "Already in QuickBooks"
    assert [each.record_id for each in record.references if each.side == "quickbooks"] == [
        "145",
        "146",
    ]


def test_problems_of_an_invoice_are_judged_in_the_version_of_its_content(header: Make) -> None:
    edited = header(fingerprint="f2")
    for record, again in (
        (not_ready(header(), []), not_ready(edited, [])),
        (refused(header(), "", None), refused(edited, "", None)),
        (number_taken(header(), []), number_taken(edited, [])),
    ):
        assert record.version == "f1"
        assert again.version == "f2"


def test_a_refused_customer_is_about_the_client_and_its_name() -> None:
    record = customer_refused("client-1", "Quarry Lane Dental", "the name is taken.")

    assert record.record == "client:client-1"
    assert "the name is taken." in record.what_happened
    assert record.version != customer_refused("client-1", "Quarry Lane", "").version
