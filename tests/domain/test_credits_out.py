"""Credit on its way to QuickBooks: what goes, what waits, what never goes; room and identity."""

from __future__ import annotations

from dataclasses import replace
from datetime import date, timedelta

import pytest

from qbo_sync_dagster.domain.algapsa_payments import CreditApplication, NoteCredit
from qbo_sync_dagster.domain.catalogue import ExceptionKind
from qbo_sync_dagster.domain.credit_exceptions import (
    not_expressible,
    vanished_credits,
    waits_too_long,
)
from qbo_sync_dagster.domain.credit_identity import CreditIdentity, SeenCredit, find_credit
from qbo_sync_dagster.domain.credit_room import CreditRoom, Shortage
from qbo_sync_dagster.domain.credits_out import CreditScope, CreditStanding, credit_standing

DAY = date(2026, 3, 20)
APPLIED = CreditApplication(
    "tx", "credit", "invoice", 3_000, DAY, "note", "credit_note", False, "CM-7", "INV-7"
)
SCOPE = CreditScope(DAY, {"invoice"}, {"note"}, set(), set())


@pytest.mark.parametrize(
    ("application", "scope", "expected"),
    [
        (APPLIED, SCOPE, CreditStanding.TO_PUSH),
        (replace(APPLIED, is_reversed=True), SCOPE, CreditStanding.REVERSED),
        (APPLIED, replace(SCOPE, linked={"tx:credit"}), CreditStanding.LINKED),
        (APPLIED, replace(SCOPE, notes=set()), CreditStanding.WAITING),
        (APPLIED, replace(SCOPE, invoices=set(), unlinked={"invoice"}), CreditStanding.WAITING),
        (APPLIED, replace(SCOPE, invoices=set()), CreditStanding.ELSEWHERE),
        (
            APPLIED,
            replace(SCOPE, go_live=DAY + timedelta(days=1)),
            CreditStanding.BEFORE_GO_LIVE,
        ),
        (replace(APPLIED, source_type="prepayment"), SCOPE, CreditStanding.NOT_EXPRESSIBLE),
        (replace(APPLIED, source_invoice_id=None), SCOPE, CreditStanding.NOT_EXPRESSIBLE),
    ],
)
def test_where_an_application_stands(
    application: CreditApplication, scope: CreditScope, expected: CreditStanding
) -> None:
    assert credit_standing(application, scope) is expected


def test_each_use_of_a_note_is_one_of_its_own() -> None:
    assert APPLIED.key != replace(APPLIED, transaction_id="later").key


@pytest.mark.parametrize(
    ("source", "kind"),
    [
        ("prepayment", ExceptionKind.CREDIT_PREPAYMENT),
        ("standard", ExceptionKind.CREDIT_DEPOSIT),
        (None, ExceptionKind.CREDIT_NOT_EXPRESSIBLE),
    ],
)
def test_credit_without_a_memo_is_told_by_where_it_came_from(
    source: str | None, kind: ExceptionKind
) -> None:
    told = not_expressible(replace(APPLIED, source_type=source))

    assert told.kind is kind
    assert told.amounts == {"credit": 3_000}


def test_two_applications_of_one_memo_never_count_on_the_same_credit() -> None:
    room = CreditRoom({"memo": 5_000}, {"one": 9_000, "two": 9_000})

    assert room.reserve("memo", "one", 3_000) is None
    assert room.reserve("memo", "two", 3_000) == Shortage(True, 2_000)
    assert room.reserve("memo", "two", 2_000) is None


def test_an_invoice_is_reserved_like_a_memo() -> None:
    room = CreditRoom({"memo": 9_000, "more": 9_000}, {"one": 5_000})

    assert room.reserve("memo", "one", 3_000) is None
    assert room.reserve("more", "one", 3_000) == Shortage(False, 2_000)


def test_what_does_not_fit_takes_nothing() -> None:
    room = CreditRoom({"memo": 5_000}, {"one": 1_000, "two": 9_000})

    assert room.reserve("memo", "one", 3_000) is not None
    assert room.reserve("memo", "two", 5_000) is None


def test_a_document_that_quickbooks_lacks_has_no_room() -> None:
    assert CreditRoom({}, {"one": 1_000}).reserve("memo", "one", 1) == Shortage(True, 0)


MARKER = "[sync:0123456789abcdef]"
WANTED = CreditIdentity(MARKER, "memo", "invoice", 3_000)


def seen(payment: str, *markers: str, minor: int = 3_000) -> SeenCredit:
    return SeenCredit(payment, markers, (("memo", minor),), (("invoice", minor),))


def test_the_marker_decides_between_two_alike() -> None:
    assert find_credit(WANTED, [seen("1"), seen("2", MARKER)]) == ("2",)


def test_without_a_marker_memo_invoice_and_amount_do() -> None:
    assert find_credit(WANTED, [seen("1")]) == ("1",)


def test_a_copy_of_the_marker_on_other_amounts_gives_way_to_what_was_sent() -> None:
    assert find_credit(WANTED, [seen("1", MARKER, minor=1_000), seen("2", MARKER)]) == ("2",)


def test_what_bears_the_marker_alone_is_ours_whatever_its_amounts_became() -> None:
    assert find_credit(WANTED, [seen("1", MARKER, minor=1_000), seen("2")]) == ("1",)


def test_another_applications_payment_is_not_taken() -> None:
    assert find_credit(WANTED, [seen("1", "[sync:fedcba9876543210]")]) == ()


def test_documents_that_do_not_come_are_told_after_a_week() -> None:
    assert waits_too_long(APPLIED, DAY + timedelta(days=7)) is None
    told = waits_too_long(APPLIED, DAY + timedelta(days=8))
    assert told is not None
    assert "CM-7" in told.what_happened


def test_credit_that_went_another_way_than_by_applications_is_told() -> None:
    note = NoteCredit("note", "CM-7", 5_000, 0, "USD")

    [told] = vanished_credits([note], [APPLIED], {"note"})

    assert told.amounts == {"credit": 2_000}
    assert list(vanished_credits([note], [APPLIED], set())) == []


def test_credit_that_was_taken_back_does_not_count_as_used() -> None:
    note = NoteCredit("note", "CM-7", 5_000, 0, "USD")

    [told] = vanished_credits([note], [APPLIED, replace(APPLIED, is_reversed=True)], {"note"})

    assert told.amounts == {"credit": 2_000}
