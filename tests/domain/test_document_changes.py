"""Updates and voids of exported documents: sent only over a version that somebody has seen."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime

import pytest

from qbo_sync_dagster.domain.document_changes import (
    ChangeStep,
    below_applied,
    is_reached,
    judge_update,
    judge_void,
    may_be_updated,
    void_failing,
    why_not_voided,
)
from qbo_sync_dagster.domain.document_kinds import CREDIT_MEMO, INVOICE, DocumentKind, kind_of
from qbo_sync_dagster.domain.document_view import DELETED, VOIDED, DocumentView, LineView

from .conftest import Make

AGREED = DocumentView(
    state="live",
    number="INV-1",
    customer_id="58",
    currency="USD",
    date="2026-03-02",
    due_date="2026-04-01",
    total_minor=10_000,
    tax_minor=0,
    lines=(LineView("12", "1", 10_000, "", "NON"),),
)
EDITED = replace(AGREED, number="X-1")


@pytest.mark.parametrize(
    ("kind", "now", "applied", "step"),
    [
        pytest.param(INVOICE, AGREED, 0, ChangeStep.SEND, id="as agreed, nothing applied"),
        pytest.param(INVOICE, AGREED, 1, ChangeStep.APPLIED, id="a cent is applied"),
        pytest.param(INVOICE, EDITED, 0, ChangeStep.DRIFTED, id="changed there"),
        pytest.param(INVOICE, AGREED.gone(VOIDED), 0, ChangeStep.DONE, id="voided there"),
        pytest.param(INVOICE, AGREED.gone(DELETED), 0, ChangeStep.GONE, id="deleted there"),
        pytest.param(CREDIT_MEMO, AGREED.gone(DELETED), 0, ChangeStep.DONE, id="memo deleted"),
    ],
)
def test_a_void_is_sent_only_over_what_was_agreed_on(
    kind: DocumentKind, now: DocumentView, applied: int, step: ChangeStep
) -> None:
    assert judge_void(kind, AGREED, now, applied) is step


@pytest.mark.parametrize(
    ("seen", "now", "applied", "step"),
    [
        pytest.param(EDITED, EDITED, 0, ChangeStep.SEND, id="staff saw the change"),
        pytest.param(EDITED, AGREED, 0, ChangeStep.DRIFTED, id="it was changed back"),
        pytest.param(AGREED, EDITED, 0, ChangeStep.DRIFTED, id="staff saw none"),
        pytest.param(
            AGREED.gone(VOIDED), AGREED.gone(VOIDED), 0, ChangeStep.SEND, id="void, in place"
        ),
        pytest.param(
            AGREED.gone(DELETED), AGREED.gone(DELETED), 0, ChangeStep.CREATE_ANEW, id="deleted"
        ),
        pytest.param(EDITED, AGREED.gone(DELETED), 0, ChangeStep.DRIFTED, id="deleted unseen"),
        pytest.param(EDITED, EDITED, 8_000, ChangeStep.SEND, id="all of the new total applied"),
        pytest.param(EDITED, EDITED, 8_001, ChangeStep.APPLIED, id="more applied than that"),
    ],
)
def test_a_re_export_is_sent_only_over_what_staff_saw(
    seen: DocumentView, now: DocumentView, applied: int, step: ChangeStep
) -> None:
    assert judge_update(seen, now, applied, wanted_minor=8_000) is step


def test_a_lost_update_was_carried_out_if_every_field_sent_stands() -> None:
    assert is_reached(AGREED, "58", AGREED)
    assert not is_reached(AGREED, "59", AGREED)
    assert not is_reached(AGREED, "58", EDITED)
    assert not is_reached(AGREED, "58", AGREED.gone(VOIDED))


@pytest.mark.parametrize("status", ["draft", "cancelled", "void"])
def test_only_a_final_document_can_be_re_exported(header: Make, status: str) -> None:
    assert may_be_updated(header())
    assert not may_be_updated(header(status=status))
    assert not may_be_updated(header(finalized_at=None))
    assert not may_be_updated(None)


def test_a_credit_note_is_a_credit_memo_over_the_positive_amount(header: Make) -> None:
    note = header(invoice_type="credit_note", total_minor=-500)

    assert kind_of(note) is CREDIT_MEMO
    assert note.exported_minor == 500
    assert kind_of(header()) is INVOICE
    assert header(finalized_at=datetime(2026, 3, 2, tzinfo=UTC)).exported_minor == 10_000


def test_a_failing_void_is_told_in_the_words_of_the_guide_with_its_reason() -> None:
    sentence = why_not_voided(ChangeStep.APPLIED, 4_000, [])
    told = void_failing(INVOICE, "inv-1", "145", "INV-1", sentence, "f1")

    assert told.title == "Invoice void keeps failing in accounting"
    assert "40.00" in told.what_happened
    assert told.record == "invoice:inv-1"
    assert "deleted" in why_not_voided(ChangeStep.GONE, 0, [])


def test_a_re_export_below_what_is_applied_names_both_amounts(header: Make) -> None:
    told = below_applied(header(total_minor=5_000), "145", 8_000)

    assert told.amounts == {"AlgaPSA total": 5_000, "applied in QuickBooks": 8_000}
    assert "80.00" in told.what_happened
