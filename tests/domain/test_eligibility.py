"""Which documents QuickBooks still lacks, and which may not go there."""

from __future__ import annotations

from datetime import UTC, date, datetime
from typing import Any

import pytest

from qbo_sync_dagster.domain.catalogue import ExceptionKind
from qbo_sync_dagster.domain.eligibility import (
    CompanyScope,
    Standing,
    connect_day,
    exceptions_of,
    is_mapped_here,
    may_be_recognised,
    standing,
)

from .conftest import Make

HERE, ELSEWHERE = "realm-1", "realm-2"
BEFORE_GO_LIVE = date(2026, 2, 27)


def scope(**fields: Any) -> CompanyScope:
    described: dict[str, Any] = {
        "realm": HERE,
        "is_default": True,
        "go_live": date(2026, 3, 1),
        "connected_at": datetime(2026, 3, 10, 12, tzinfo=UTC),
        "time_zone": "America/Los_Angeles",
        "linked": frozenset(),
        "homes": {},
    }
    return CompanyScope(**(described | fields))


def test_a_finalized_invoice_of_the_default_company_is_to_be_exported(header: Make) -> None:
    assert standing(header(), scope()) is Standing.TO_EXPORT


@pytest.mark.parametrize("status", ["sent", "paid", "partially_applied", "overdue"])
def test_how_far_it_is_paid_does_not_matter(header: Make, status: str) -> None:
    assert standing(header(status=status), scope()) is Standing.TO_EXPORT


def test_a_linked_document_is_never_exported_again(header: Make) -> None:
    assert standing(header(), scope(linked={"inv-1"})) is Standing.LINKED


def test_a_draft_is_not_exported(header: Make) -> None:
    assert standing(header(status="draft"), scope()) is Standing.NOT_FINAL
    assert standing(header(finalized_at=None), scope()) is Standing.NOT_FINAL


@pytest.mark.parametrize("status", ["cancelled", "void"])
def test_a_cancelled_document_is_not_exported(header: Make, status: str) -> None:
    assert standing(header(status=status), scope()) is Standing.CANCELLED


def test_a_credit_note_is_exported_like_an_invoice(header: Make) -> None:
    note = header(invoice_type="credit_note", total_minor=-500)
    assert standing(note, scope()) is Standing.TO_EXPORT


def test_what_a_file_took_to_quickbooks_is_not_exported_and_told_with_its_cure(
    header: Make,
) -> None:
    taken = scope(booked_by_csv={"inv-1"}, chosen={"inv-1"})

    [told] = exceptions_of([header()], taken)

    assert standing(header(), taken) is Standing.BOOKED_BY_CSV
    assert told.kind is ExceptionKind.ALREADY_IN_QUICKBOOKS
    assert "onboard --step history" in told.what_happened


@pytest.mark.parametrize(
    "fields",
    [{"is_prepayment": True}, {"invoice_type": "prepayment"}, {"status": "prepayment"}],
)
def test_a_prepayment_is_not_exported(header: Make, fields: dict[str, Any]) -> None:
    assert standing(header(**fields), scope()) is Standing.PREPAYMENT


# Homes


def test_without_a_home_a_document_goes_to_the_default_company_only(header: Make) -> None:
    assert standing(header(), scope(is_default=False)) is Standing.ELSEWHERE


def test_a_home_decides_against_the_default(header: Make) -> None:
    assert standing(header(), scope(homes={"inv-1": ELSEWHERE})) is Standing.ELSEWHERE
    assert standing(header(), scope(is_default=False, homes={"inv-1": HERE})) is Standing.TO_EXPORT


# Go-live


def test_the_go_live_day_itself_is_exported(header: Make) -> None:
    assert standing(header(invoice_date=date(2026, 3, 1)), scope()) is Standing.TO_EXPORT


def test_what_is_dated_and_was_finalized_before_stays_in_the_old_books(header: Make) -> None:
    old = header(invoice_date=BEFORE_GO_LIVE, finalized_at=datetime(2026, 2, 27, tzinfo=UTC))

    assert standing(old, scope()) is Standing.BEFORE_GO_LIVE
    assert exceptions_of([old], scope()) == []


@pytest.mark.parametrize("day", [10, 11])
def test_what_is_dated_before_go_live_but_finalized_after_connecting_is_asked_about(
    header: Make, day: int
) -> None:
    late = header(invoice_date=BEFORE_GO_LIVE, finalized_at=datetime(2026, 3, day, tzinfo=UTC))

    assert standing(late, scope()) is Standing.FINALIZED_LATE
    [told] = exceptions_of([late], scope())
    assert told.kind is ExceptionKind.BEFORE_GO_LIVE
    assert "2026-02-27" in told.what_happened
    assert "2026-03-01" in told.what_happened


def test_what_was_finalized_the_day_before_connecting_is_history(header: Make) -> None:
    old = header(invoice_date=BEFORE_GO_LIVE, finalized_at=datetime(2026, 3, 9, tzinfo=UTC))

    assert standing(old, scope()) is Standing.BEFORE_GO_LIVE


def test_the_connect_day_is_that_of_the_companys_own_time_zone() -> None:
    evening = datetime(2026, 3, 11, 2, tzinfo=UTC)

    assert connect_day(evening, "America/Los_Angeles") == date(2026, 3, 10)
    assert connect_day(evening, "Europe/Berlin") == date(2026, 3, 11)


# Booked by AlgaPSA itself


def test_what_algapsa_itself_booked_is_never_created_again(header: Make) -> None:
    mapped = header(mapped_by_algapsa="quickbooks_online", mapped_external_id="145")

    assert standing(mapped, scope()) is Standing.BOOKED_BY_ALGAPSA
    [told] = exceptions_of([mapped], scope())
    assert told.kind is ExceptionKind.ALREADY_IN_QUICKBOOKS
    assert "145" in told.what_happened


# Exceptions


def test_only_documents_that_need_a_person_make_exceptions(header: Make) -> None:
    silent = [
        header(),
        header(status="draft"),
        header(status="cancelled"),
        header(invoice_type="credit_note"),
    ]

    assert exceptions_of(silent, scope()) == []


def test_a_prepayment_is_told_with_its_amount(header: Make) -> None:
    [told] = exceptions_of([header(is_prepayment=True, total_minor=250_000)], scope())

    assert told.title == "Prepayment to record in QuickBooks"
    assert "2,500.00 USD" in told.what_happened
    assert told.amounts == {"total": 250_000}
    assert told.record == "invoice:inv-1"


def test_a_judged_document_is_told_again_only_when_its_content_changes(header: Make) -> None:
    [before] = exceptions_of([header(is_prepayment=True)], scope())
    [paid] = exceptions_of([header(is_prepayment=True, paid_minor=1)], scope())
    [edited] = exceptions_of([header(is_prepayment=True, fingerprint="f2")], scope())

    assert before.version == paid.version
    assert before.version != edited.version


@pytest.mark.parametrize(
    ("fields", "here"),
    [
        ({}, True),
        ({"mapped_realm": HERE}, True),
        ({"mapped_realm": ELSEWHERE}, False),
        ({"mapped_by_algapsa": "quickbooks_csv"}, False),
        ({"mapped_external_id": None}, False),
        ({"finalized_at": None}, False),
        ({"invoice_type": "credit_note", "total_minor": -1}, True),
    ],
)
def test_a_mapping_that_names_an_invoice_of_this_company_can_become_a_link(
    header: Make, fields: dict[str, Any], here: bool
) -> None:
    mapped = {"mapped_by_algapsa": "quickbooks_online", "mapped_external_id": "145"}

    assert is_mapped_here(header(**(mapped | fields)), scope()) is here


def test_a_mapping_goes_to_the_company_it_names_and_not_to_the_default(header: Make) -> None:
    mapped = header(
        mapped_by_algapsa="quickbooks_online", mapped_external_id="145", mapped_realm=HERE
    )

    assert is_mapped_here(mapped, scope(is_default=False))
    assert not is_mapped_here(mapped, scope(homes={"inv-1": ELSEWHERE}))
    assert not is_mapped_here(mapped, scope(linked={"inv-1"}))


def test_a_mapping_that_names_no_company_is_the_default_companys(header: Make) -> None:
    mapped = header(mapped_by_algapsa="quickbooks_online", mapped_external_id="145")

    assert not is_mapped_here(mapped, scope(is_default=False))


def test_an_object_is_not_taken_by_its_content_for_what_stands_elsewhere_or_was_cancelled(
    header: Make,
) -> None:
    assert may_be_recognised(header())
    assert not may_be_recognised(header(mapped_by_algapsa="quickbooks_online"))
    assert not may_be_recognised(header(mapped_by_algapsa="quickbooks_csv"))
    assert not may_be_recognised(header(status="cancelled"))
