"""Decisions of staff: kept once per pair of records, replaced by the next one."""

from __future__ import annotations

from dataclasses import replace

from qbo_sync_dagster.ledger import decisions
from qbo_sync_dagster.ledger.decisions import NewDecision

from .conftest import OTHER, Ledger

BOTH_REAL = NewDecision(
    "both_real",
    "payment:77",
    "Accounting",
    counterpart="algapsa_payment:a1",
    amount_minor=12_500,
    reason="two cheques",
)


def _decide(ledger: Ledger, *made: NewDecision, realm: str | None = None) -> None:
    with ledger.begin() as connection:
        for each in made:
            decisions.decide(connection, realm or ledger.realm, each)


def test_a_decision_is_found_by_the_record_it_is_about(ledger: Ledger) -> None:
    _decide(ledger, BOTH_REAL, replace(BOTH_REAL, record="payment:78"))

    with ledger.begin() as connection:
        [found] = decisions.of_kind(connection, ledger.realm, "both_real", ["payment:77"])
        assert (found.counterpart, found.amount_minor) == ("algapsa_payment:a1", 12_500)
        assert len(decisions.of_kind(connection, ledger.realm, "both_real")) == 2
        assert decisions.of_kind(connection, ledger.realm, "both_real", []) == []


def test_a_later_decision_on_the_same_two_records_replaces_the_earlier(ledger: Ledger) -> None:
    _decide(ledger, BOTH_REAL, replace(BOTH_REAL, amount_minor=100, reason="one was a typo"))

    with ledger.begin() as connection:
        [found] = decisions.of_kind(connection, ledger.realm, "both_real")
    assert (found.amount_minor, found.reason) == (100, "one was a typo")


def test_a_decision_counts_in_its_own_company_only(ledger: Ledger) -> None:
    ledger.connect(OTHER)
    _decide(ledger, BOTH_REAL, realm=OTHER)

    with ledger.begin() as connection:
        assert decisions.of_kind(connection, ledger.realm, "both_real") == []


def test_a_withdrawn_decision_is_forgotten(ledger: Ledger) -> None:
    _decide(ledger, BOTH_REAL)

    with ledger.begin() as connection:
        key = (BOTH_REAL.kind, BOTH_REAL.record)
        assert not decisions.withdraw(connection, ledger.realm, *key)
        assert decisions.withdraw(connection, ledger.realm, *key, BOTH_REAL.counterpart)
        assert decisions.of_kind(connection, ledger.realm, "both_real") == []
