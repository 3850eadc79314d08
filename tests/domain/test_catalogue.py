"""The exception catalogue: complete, in the guide's words, and of use to an accountant."""

from __future__ import annotations

from string import Formatter

import pytest

from qbo_sync_dagster.domain.catalogue import CATALOGUE, Action, ExceptionKind

KINDS = list(ExceptionKind)
GUIDE = {
    ExceptionKind.CONNECTION_FAILED: "Accounting connection failed authentication",
    ExceptionKind.CONNECTION_EXPIRES: "Accounting connection expires in {days} days",
    ExceptionKind.EXPORT_FAILING: "Scheduled accounting export keeps failing",
    ExceptionKind.EXPORT_NOT_READY: "Scheduled accounting export failed validation",
    ExceptionKind.UNKNOWN_INVOICE: "QuickBooks payment references an unknown invoice",
    ExceptionKind.ALREADY_SETTLED: "QuickBooks payment targets an already-settled invoice",
    ExceptionKind.NON_PAYABLE: "QuickBooks payment targets a non-payable invoice",
    ExceptionKind.DRIFT_CHANGED: "Exported invoice was changed in QuickBooks",
    ExceptionKind.DRIFT_GONE: "Exported invoice was voided or deleted in QuickBooks",
    ExceptionKind.ALREADY_IN_QUICKBOOKS: "Already in QuickBooks",
    ExceptionKind.BEFORE_GO_LIVE: "Dated before go-live",
    ExceptionKind.PREPAYMENT: "Prepayment to record in QuickBooks",
    ExceptionKind.SAME_PAYMENT: "Same payment on both sides?",
}


@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_has_a_title_a_cure_and_something_to_do(kind: ExceptionKind) -> None:
    entry = CATALOGUE[kind]

    assert entry.title
    assert entry.cure.endswith(".")
    assert entry.actions


@pytest.mark.parametrize(("kind", "title"), GUIDE.items())
def test_titles_are_word_for_word_those_of_the_guide(kind: ExceptionKind, title: str) -> None:
    assert CATALOGUE[kind].title == title


def test_no_two_kinds_share_a_title() -> None:
    titles = [entry.title for entry in CATALOGUE.values()]

    assert len(set(titles)) == len(titles)


def test_only_the_expiry_title_has_a_blank_to_fill_in() -> None:
    blanks = {
        kind: [name for _, name, _, _ in Formatter().parse(entry.title) if name]
        for kind, entry in CATALOGUE.items()
    }

    assert {kind: names for kind, names in blanks.items() if names} == {
        ExceptionKind.CONNECTION_EXPIRES: ["days"]
    }


def test_an_exception_that_stops_a_company_cannot_be_dismissed() -> None:
    for kind in (ExceptionKind.CONNECTION_FAILED, ExceptionKind.ALGAPSA_NOT_READY):
        assert Action.DISMISS not in CATALOGUE[kind].actions


@pytest.mark.parametrize(
    "kind", [ExceptionKind.ALREADY_IN_QUICKBOOKS, ExceptionKind.BEFORE_GO_LIVE]
)
def test_what_is_in_quickbooks_already_can_be_linked(kind: ExceptionKind) -> None:
    assert Action.LINK_INVOICE in CATALOGUE[kind].actions


def test_stored_kinds_and_actions_keep_their_names() -> None:
    # They stand in ledgers: a changed value would orphan every open exception of that kind.
    assert ExceptionKind.EXPORT_NOT_READY == "export_not_ready"
    assert Action.RE_EXPORT == "re-export"
