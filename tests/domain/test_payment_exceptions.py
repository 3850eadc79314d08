"""How a waiting payment is told to accounting staff."""

from __future__ import annotations

from datetime import date

import pytest

from qbo_sync_dagster.domain.catalogue import ExceptionKind
from qbo_sync_dagster.domain.exception_record import ExceptionRecord
from qbo_sync_dagster.domain.payment_exceptions import refusal_exception
from qbo_sync_dagster.domain.payment_refusals import Refusal, RefusalKind, RefusalReason
from qbo_sync_dagster.domain.payment_wanted import WantedPayment
from qbo_sync_dagster.domain.same_money import LocalKind, LocalMoney

WANTED = WantedPayment("realm-1", "181", 4, date(2026, 3, 2), "EUR", "CHQ 17", "58", ())


def told(*reasons: RefusalReason) -> ExceptionRecord:
    record = refusal_exception(WANTED, Refusal(reasons, ()), {"977": "1042"})
    assert record
    return record


def reason(kind: RefusalKind, **fields: object) -> RefusalReason:
    described = {"number": "INV-1", "status": "cancelled", "currency": "USD", "wanted_minor": 5_000}
    return RefusalReason(kind, "inv-a", **(described | fields))  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("kind", "title", "sentence"),
    [
        (
            RefusalKind.NOT_PAYABLE,
            "QuickBooks payment targets a non-payable invoice",
            "It applies 50.00 to invoice INV-1, which is cancelled in AlgaPSA.",
        ),
        (
            RefusalKind.SETTLED,
            "QuickBooks payment targets an already-settled invoice",
            "QuickBooks applies 50.00 to invoice INV-1, of which AlgaPSA can take 0.00.",
        ),
        (
            RefusalKind.CURRENCY,
            "QuickBooks payment is in another currency than its invoice",
            "It is in EUR, and invoice INV-1 is in USD.",
        ),
        (
            RefusalKind.PREPAID_REPLENISHMENT,
            "QuickBooks payment is for a prepaid replenishment invoice",
            "50.00 on invoice INV-1 must also grant prepaid credit",
        ),
        (
            RefusalKind.MATCHED_CHANGED,
            "Applied payment was changed outside the sync",
            "now holds 50.00 on invoice INV-1.",
        ),
    ],
)
def test_each_refusal_has_its_title_and_names_the_figures(
    kind: RefusalKind, title: str, sentence: str
) -> None:
    record = told(reason(kind))
    assert record.title == title
    assert sentence in record.what_happened
    assert record.what_happened.startswith("QuickBooks payment CHQ 17 (id 181) of 2026-03-02")
    assert (record.record, record.version) == ("payment:181", "4")


def test_unknown_invoice_is_named_by_number_or_else_by_id() -> None:
    unknown = [
        RefusalReason(RefusalKind.UNKNOWN_INVOICE, each, wanted_minor=4_000)
        for each in ("977", "978")
    ]
    record = told(*unknown)
    assert record.title == "QuickBooks payment references an unknown invoice"
    assert "It applies 40.00 to QuickBooks invoice 1042" in record.what_happened
    assert "QuickBooks invoice with id 978" in record.what_happened
    assert record.amounts == {
        "applied to QuickBooks invoice 1042": 4_000,
        "applied to QuickBooks invoice with id 978": 4_000,
    }


def test_deleted_invoice_is_told_as_gone() -> None:
    assert (
        "AlgaPSA no longer has" in told(reason(RefusalKind.NOT_PAYABLE, status=None)).what_happened
    )


def test_possible_twin_is_told_with_its_amount() -> None:
    found = LocalMoney("row-1", LocalKind.CREDIT_APPLICATION, 5_000)
    record = told(reason(RefusalKind.SAME_MONEY, twin=found))
    assert record.title == "Same payment on both sides?"
    assert "AlgaPSA itself has a credit application of 50.00 there" in record.what_happened


def test_most_urgent_reason_gives_the_title() -> None:
    record = told(reason(RefusalKind.SETTLED), reason(RefusalKind.NOT_PAYABLE))
    assert record.kind is ExceptionKind.NON_PAYABLE


def test_total_difference_makes_no_second_exception() -> None:
    refusal = Refusal((reason(RefusalKind.TOTAL_DIFFERENCE),), ())
    assert refusal_exception(WANTED, refusal, {}) is None


def test_payment_over_hundreds_of_invoices_stays_readable() -> None:
    record = told(*(reason(RefusalKind.SETTLED) for _ in range(300)))
    assert "290 more of its lines wait too." in record.what_happened
    assert len(record.references) <= 51
