"""Documents that may stand in QuickBooks already."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime

import pytest

from qbo_sync_dagster.domain.algapsa_records import DocumentHeader
from qbo_sync_dagster.domain.document_view import VOIDED, DocumentView
from qbo_sync_dagster.domain.history_matching import (
    BookedDocument,
    HistoryMatch,
    HistoryState,
    match_history,
)

DAY = date(2026, 3, 2)
HEADER = DocumentHeader(
    invoice_id="i1",
    number="INV-1",
    client_id="c1",
    status="sent",
    invoice_type="standard",
    is_prepayment=False,
    invoice_date=DAY,
    due_date=DAY,
    finalized_at=datetime(2026, 3, 2, tzinfo=UTC),
    created_at=datetime(2026, 3, 2, tzinfo=UTC),
    currency="USD",
    total_minor=10_000,
    credit_applied_minor=0,
    paid_minor=0,
    fingerprint="f",
)
VIEW = DocumentView("live", "INV-1", "7", "USD", "2026-03-02", "2026-03-02", 10_000, 0, ())
CUSTOMERS = {"c1": "7", "c2": "8"}


def booked(key: str = "145", kind: str = "invoice", **changes: object) -> BookedDocument:
    return BookedDocument(key, kind, replace(VIEW, **changes))  # type: ignore[arg-type]


def match(*found: BookedDocument, header: DocumentHeader = HEADER) -> HistoryMatch:
    [only] = match_history([header], found, CUSTOMERS, ())
    return only


def test_number_total_and_customer_make_a_match() -> None:
    found = match(booked())

    assert (found.state, found.quickbooks_id, found.reason) == (HistoryState.MATCHED, "145", "")


@pytest.mark.parametrize("total", [9_999, 10_001])
def test_a_cent_of_rounding_still_matches(total: int) -> None:
    assert match(booked(total_minor=total)).state is HistoryState.MATCHED


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"total_minor": 10_002}, "total is 100.02"),
        ({"customer_id": "8"}, "another customer"),
        ({"currency": "EUR"}, "in EUR"),
        ({"state": VOIDED}, "voided"),
    ],
)
def test_what_differs_is_listed_with_the_reason(changes: dict[str, object], reason: str) -> None:
    found = match(booked(**changes))

    assert found.state is HistoryState.REVIEW
    assert reason in found.reason


def test_two_objects_with_the_number_are_never_guessed() -> None:
    found = match(booked("145"), booked("146"))

    assert found.state is HistoryState.REVIEW
    assert found.quickbooks_id == ""
    assert "2 documents with this number" in found.reason


def test_two_documents_with_the_number_are_never_guessed() -> None:
    other = replace(HEADER, invoice_id="i2", number=" inv-1 ")

    found = match_history([HEADER, other], [booked()], CUSTOMERS, ())

    assert [each.state for each in found] == [HistoryState.REVIEW] * 2


def test_an_object_that_is_linked_already_is_listed() -> None:
    [found] = match_history([HEADER], [booked()], CUSTOMERS, {("invoice", "145")})

    assert found.state is HistoryState.REVIEW
    assert "linked to another" in found.reason


def test_a_client_without_customer_is_linked_first() -> None:
    found = match(booked(), header=replace(HEADER, client_id="c9"))

    assert found.state is HistoryState.REVIEW
    assert "client is not linked" in found.reason


def test_a_credit_note_matches_a_credit_memo_and_no_invoice() -> None:
    note = replace(HEADER, invoice_type="credit_note", total_minor=-10_000)

    assert match(booked(), header=note).state is HistoryState.NONE
    assert match(booked(kind="credit_memo"), header=note).state is HistoryState.MATCHED


def test_what_quickbooks_lacks_is_no_error() -> None:
    assert match().state is HistoryState.NONE
