"""The exception catalogue: complete, in the guide's words, and of use to an accountant."""

from __future__ import annotations

from string import Formatter

import pytest

from qbo_sync_dagster.domain.catalogue import CATALOGUE, Action, ExceptionKind

KINDS = list(ExceptionKind)
# The exceptions of the user guide, as its table names them.
GUIDE = """
Accounting connection failed authentication
Accounting connection expires in N days
Scheduled accounting export keeps failing
Invoice void keeps failing in accounting
Payment push keeps failing — invoice not mapped in QBO
Payment push keeps failing — customer not mapped in QBO
QuickBooks payment references an unknown invoice
QuickBooks payment targets an already-settled invoice
Credit application keeps failing in accounting
Linked QuickBooks customer is no longer available
Exported invoice was changed in QuickBooks
Exported invoice was voided or deleted in QuickBooks
""".strip().splitlines()
# What people already know by these names.
KNOWN = {
    ExceptionKind.EXPORT_NOT_READY: "Scheduled accounting export failed validation",
    ExceptionKind.NON_PAYABLE: "QuickBooks payment targets a non-payable invoice",
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


@pytest.mark.parametrize("title", GUIDE)
def test_titles_are_word_for_word_those_of_the_guide(title: str) -> None:
    assert title in {entry.title.format(days="N") for entry in CATALOGUE.values()}


@pytest.mark.parametrize(("kind", "title"), KNOWN.items())
def test_titles_that_people_know_stay(kind: ExceptionKind, title: str) -> None:
    assert CATALOGUE[kind].title == title


@pytest.mark.parametrize("kind", KINDS)
def test_a_cure_sends_nobody_to_a_screen_that_is_not_there(kind: ExceptionKind) -> None:
    assert "Settings >" not in CATALOGUE[kind].cure


@pytest.mark.parametrize("kind", KINDS)
def test_a_cure_that_names_an_action_can_be_taken(kind: ExceptionKind) -> None:
    entry = CATALOGUE[kind]
    words = {
        Action.ACCEPT: " accept ",
        Action.RE_EXPORT: "e-export",
        Action.RE_DATE: "re-dated",
        Action.MATCH: "match ",
        Action.ADOPT: "adopt ",
        Action.SEND_AGAIN: "send it again",
        Action.DISMISS: "dismiss this",
        Action.BOTH_REAL: "both are real",
    }

    for action, said in words.items():
        if said in entry.cure:
            assert action in entry.actions, action


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
