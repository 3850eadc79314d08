"""Whether an object in QuickBooks is the one we sent: number first, then content, never a guess."""

from __future__ import annotations

from typing import Any

import pytest

from qbo_sync_dagster.domain.document_view import LineView
from qbo_sync_dagster.domain.identity import DocumentIdentity, Findings, find_documents

from .conftest import Make


def sought(**fields: Any) -> DocumentIdentity:
    described: dict[str, Any] = {
        "number": "INV-1",
        "customer_id": "58",
        "total_minor": 10_000,
        "date": "2026-03-02",
        "line_amounts": (10_000,),
    }
    return DocumentIdentity(**(described | fields))


def test_an_object_with_number_and_customer_is_the_document_whatever_was_edited(
    view: Make,
) -> None:
    edited = view(total_minor=1, date="2027-01-01", lines=())

    assert find_documents({1: sought()}, {"145": edited})[1].own == ("145",)


def test_an_object_with_another_number_is_recognised_by_its_content(view: Make) -> None:
    assert find_documents({1: sought()}, {"145": view(number="1001")})[1].own == ("145",)


@pytest.mark.parametrize(
    "fields",
    [
        {"total_minor": 9_999},
        {"date": "2026-03-03"},
        {"lines": (LineView("12", "", 5_000, "", ""), LineView("12", "", 5_000, "", ""))},
        {"customer_id": "59"},
    ],
)
def test_content_that_differs_in_one_part_proves_nothing(view: Make, fields: Any) -> None:
    assert find_documents({1: sought()}, {"145": view(number="1001", **fields)})[1].own == ()


def test_the_same_number_for_another_customer_is_not_ours_but_forbids_a_second_send(
    view: Make,
) -> None:
    assert find_documents({1: sought()}, {"145": view(customer_id="59")})[1] == Findings((), 1)


def test_the_same_customer_and_amount_forbid_a_second_send(view: Make) -> None:
    moved = view(number="1001", date="2026-05-01")

    assert find_documents({1: sought()}, {"145": moved})[1] == Findings((), 1)


def test_an_unrelated_object_says_nothing(view: Make) -> None:
    other = view(number="1001", customer_id="59", total_minor=1)

    assert find_documents({1: sought()}, {"145": other})[1] == Findings((), 0)


def test_two_objects_with_the_number_are_both_named(view: Make) -> None:
    assert find_documents({1: sought()}, {"145": view(), "146": view()})[1].own == ("145", "146")


def test_two_equal_invoices_are_told_apart_by_number(view: Make) -> None:
    two = {1: sought(), 2: sought(number="INV-2")}

    found = find_documents(two, {"145": view(number="INV-2"), "146": view()})

    assert (found[1].own, found[2].own) == (("146",), ("145",))


def test_of_two_equal_invoices_the_lost_one_does_not_take_the_others_object(view: Make) -> None:
    two = {1: sought(), 2: sought(number="INV-2")}

    found = find_documents(two, {"145": view(number="INV-2")})

    assert found[1] == Findings((), 0)
    assert found[2].own == ("145",)


def test_two_equal_invoices_without_numbers_are_left_to_a_person(view: Make) -> None:
    two = {1: sought(), 2: sought(number="INV-2")}
    shown = {"145": view(number="1001"), "146": view(number="1002")}

    found = find_documents(two, shown)

    assert (found[1].own, found[2].own) == ((), ())
    assert found[1].suspects > 0
    assert found[2].suspects > 0


def test_an_identity_is_stored_and_read_back_whole() -> None:
    identity = sought(line_amounts=(6_000, 4_000))

    assert DocumentIdentity.from_json(identity.as_json()) == identity
