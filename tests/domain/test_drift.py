"""Drift told to people: on which side, in which fields, and when it is told again."""

from __future__ import annotations

from typing import Any

import pytest

from qbo_sync_dagster.domain.catalogue import ExceptionKind
from qbo_sync_dagster.domain.document_view import (
    DELETED,
    VOIDED,
    DocumentView,
    FieldDifference,
    differences,
)
from qbo_sync_dagster.domain.drift import ChangedSides, changed_in_algapsa, drift_exception
from qbo_sync_dagster.domain.exception_record import ExceptionRecord

from .conftest import Make


def told(agreed: DocumentView, shown: DocumentView) -> ExceptionRecord:
    return drift_exception("inv-1", "145", agreed, shown, differences(agreed, shown))


def test_a_changed_document_is_told_field_by_field(view: Make) -> None:
    record = told(view(), view(total_minor=10_825, date="2026-03-05"))

    assert record.kind is ExceptionKind.DRIFT_CHANGED
    assert record.title == "Exported invoice was changed in QuickBooks"
    assert record.what_happened == (
        "Invoice INV-1 was changed in QuickBooks. Date: 2026-03-02 -> 2026-03-05; "
        "total: 100.00 -> 108.25."
    )
    assert record.amounts == {"exported total": 10_000, "QuickBooks total": 10_825}


@pytest.mark.parametrize("state", [VOIDED, DELETED])
def test_a_document_that_is_gone_is_told_as_that(view: Make, state: str) -> None:
    record = told(view(), view().gone(state))

    assert record.kind is ExceptionKind.DRIFT_GONE
    assert record.what_happened == f"Invoice INV-1 was {state} in QuickBooks."


def test_of_very_many_fields_the_first_are_told_and_the_rest_counted(view: Make) -> None:
    found = [FieldDifference(f"line {n}", "a", "b") for n in range(1, 21)]

    record = drift_exception("inv-1", "145", view(), view(), found)

    assert "line 12: a -> b" in record.what_happened
    assert "line 13" not in record.what_happened
    assert record.what_happened.endswith("; and 8 more.")


def test_both_records_can_be_opened_from_it(view: Make) -> None:
    record = told(view(), view(number="X"))

    assert [(each.side, each.record_id) for each in record.references] == [
        ("algapsa", "inv-1"),
        ("quickbooks", "145"),
    ]


def test_what_was_judged_is_told_again_only_when_it_looks_different(view: Make) -> None:
    once = told(view(), view(total_minor=10_825))
    again = told(view(), view(total_minor=10_825))
    other = told(view(), view(total_minor=10_826))

    assert once.version == again.version
    assert once.version != other.version


# AlgaPSA's side


def changed(view: DocumentView, header: Any) -> ExceptionRecord | None:
    return changed_in_algapsa("inv-1", "145", "f1", view, header)


def test_an_unchanged_document_is_not_told(view: Make, header: Make) -> None:
    assert changed(view(), header()) is None


@pytest.mark.parametrize("status", ["sent", "partially_applied", "paid"])
def test_payments_and_credits_are_no_change(view: Make, header: Make, status: str) -> None:
    assert changed(view(), header(status=status, paid_minor=100, credit_applied_minor=5)) is None


def test_changed_content_is_told_with_both_totals(view: Make, header: Make) -> None:
    record = changed(view(), header(fingerprint="f2", total_minor=12_000))

    assert record is not None
    assert record.title == "Exported invoice was changed in AlgaPSA"
    assert "120.00" in record.what_happened
    assert "100.00" in record.what_happened
    assert record.amounts == {"QuickBooks total": 10_000, "AlgaPSA total": 12_000}


def _both(view: DocumentView, header: Any, **sides: Any) -> str:
    record = changed_in_algapsa("inv-1", "145", "f1", view, header, sides=ChangedSides(**sides))
    assert record is not None
    return record.what_happened


def test_both_versions_are_told_field_by_field(view: Make, header: Make) -> None:
    found = differences(view(), view(date="2026-03-05", total_minor=12_000))

    assert _both(view(), header(fingerprint="f2"), in_algapsa=found) == (
        "Invoice INV-1 was changed in AlgaPSA after it was exported. Date: 2026-03-02 -> "
        "2026-03-05; total: 100.00 -> 120.00. QuickBooks still shows it as it was agreed on."
    )


def test_what_quickbooks_changed_as_well_is_told_beside_it(view: Make, header: Make) -> None:
    here = differences(view(), view(number="INV-2"))
    there = differences(view(), view(due_date="2026-04-15"))

    assert _both(
        view(due_date="2026-04-15"),
        header(fingerprint="f2", number="INV-2"),
        in_algapsa=here,
        in_quickbooks=there,
    ) == (
        "Invoice INV-2 was changed in AlgaPSA after it was exported. Number: INV-1 -> INV-2. It "
        "was changed in QuickBooks as well. Due date: 2026-04-01 -> 2026-04-15."
    )


@pytest.mark.parametrize("state", [VOIDED, DELETED])
def test_what_is_gone_in_quickbooks_by_now_is_told_as_that(
    view: Make, header: Make, state: str
) -> None:
    gone = view().gone(state)
    told = _both(gone, header(fingerprint="f2"), in_quickbooks=differences(view(), gone))

    assert told.endswith(f"In QuickBooks it is {state}.")


def test_a_change_that_no_compared_field_shows_is_told_in_words(view: Make, header: Make) -> None:
    assert "a description, the PO number" in _both(view(), header(fingerprint="f2"))


def test_a_version_that_could_not_be_sent_says_why(view: Make, header: Make) -> None:
    told = _both(
        view(), header(fingerprint="f2", total_minor=12_000), problems=("It has no charges.",)
    )

    assert told == (
        "Invoice INV-1 was changed in AlgaPSA after it was exported. Its total is 120.00 there and "
        "100.00 in QuickBooks. It could not be sent as it is now: It has no charges."
    )


def test_a_difference_that_was_accepted_before_is_named_beside_the_totals(
    view: Make, header: Make
) -> None:
    record = changed_in_algapsa(
        "inv-1", "145", "f1", view(), header(fingerprint="f2"), sides=ChangedSides(accepted_minor=5)
    )

    assert record is not None
    assert record.amounts["difference accepted before"] == 5


def test_a_draft_is_told_as_reopened_even_if_its_content_changed(view: Make, header: Make) -> None:
    for draft in (header(status="draft", fingerprint="f2"), header(finalized_at=None)):
        record = changed(view(), draft)
        assert record is not None
        assert record.kind is ExceptionKind.REOPENED_IN_ALGAPSA


def test_a_missing_document_is_told_as_deleted(view: Make) -> None:
    record = changed(view(), None)

    assert record is not None
    assert record.kind is ExceptionKind.DELETED_IN_ALGAPSA
    assert "INV-1" in record.what_happened


@pytest.mark.parametrize("status", ["cancelled", "void"])
def test_a_voided_document_is_told_while_it_stands_in_quickbooks(
    view: Make, header: Make, status: str
) -> None:
    record = changed(view(), header(status=status))

    assert record is not None
    assert record.kind is ExceptionKind.VOIDED_IN_ALGAPSA


@pytest.mark.parametrize("state", [VOIDED, DELETED])
def test_a_document_voided_on_both_sides_needs_nobody(view: Make, header: Make, state: str) -> None:
    assert changed(view().gone(state), header(status="cancelled")) is None


def test_a_judged_change_is_not_told_again_when_a_payment_arrives(view: Make, header: Make) -> None:
    before = changed(view(), header(fingerprint="f2"))
    paid = changed(view(), header(fingerprint="f2", status="paid"))

    assert before is not None
    assert paid is not None
    assert before.version == paid.version
