"""The audit log: what was changed afterwards shows, row by row."""

from __future__ import annotations

from decimal import Decimal

import pytest
import sqlalchemy as sa

from qbo_sync_dagster.ledger import audit

from .conftest import OTHER, Ledger

EFFECTS = [
    audit.Effect("quickbooks", "create invoice", "invoice:1", after={"total": Decimal("10.50")}),
    audit.Effect("algapsa", "apply payment", "payment:7", {"a": 0}, {"a": 1050}, "rid", "tid"),
    audit.Effect("ledger", "link made", "client:Ü", None, "12"),
]


@pytest.fixture
def audited(ledger: Ledger) -> Ledger:
    for effects in (EFFECTS[:1], EFFECTS[1:]):
        with ledger.begin() as connection:
            audit.append(connection, ledger.realm, effects)
    return ledger


def _break(ledger: Ledger, realm: str | None = None) -> int | None:
    with ledger.begin() as connection:
        return audit.first_break(connection, realm or ledger.realm)


def _tamper(ledger: Ledger, statement: str) -> None:
    with ledger.begin() as connection:
        connection.execute(sa.text(statement))


def test_a_chain_nobody_touched_has_no_break(audited: Ledger) -> None:
    assert _break(audited) is None


def test_a_company_without_effects_has_no_break(ledger: Ledger) -> None:
    assert _break(ledger) is None


def test_rows_are_numbered_without_gaps_over_several_transactions(audited: Ledger) -> None:
    with audited.begin() as connection:
        rows = connection.execute(sa.text("SELECT sequence FROM audit_log ORDER BY sequence"))
        assert list(rows.scalars()) == [1, 2, 3]


@pytest.mark.parametrize(
    "change",
    [
        "effect = 'void invoice'",
        "record = 'invoice:2'",
        "before = '{\"a\": 1}'",
        "after = '{\"a\": 1051}'",
        "request_id = 'other'",
        "intuit_tid = NULL",
        "at = at + interval '1 second'",
        "side = 'quickbooks'",
        "digest = repeat('0', 64)",
    ],
)
def test_a_changed_column_breaks_the_chain_at_its_row(audited: Ledger, change: str) -> None:
    _tamper(audited, f"UPDATE audit_log SET {change} WHERE sequence = 2")

    assert _break(audited) == 2


def test_a_row_taken_out_breaks_the_chain_there(audited: Ledger) -> None:
    _tamper(audited, "DELETE FROM audit_log WHERE sequence = 2")

    assert _break(audited) == 2


def test_a_cut_end_breaks_the_chain(audited: Ledger) -> None:
    _tamper(audited, "DELETE FROM audit_log WHERE sequence = 3")

    assert _break(audited) == 3


def test_a_cut_end_with_a_corrected_count_breaks_the_chain(audited: Ledger) -> None:
    _tamper(audited, "DELETE FROM audit_log WHERE sequence = 3")
    _tamper(audited, "UPDATE audit_heads SET sequence = 2")

    assert _break(audited) == 3


def test_each_company_has_a_chain_of_its_own(audited: Ledger) -> None:
    audited.connect(OTHER)
    with audited.begin() as connection:
        audit.append(connection, OTHER, EFFECTS[:1])
    _tamper(audited, f"UPDATE audit_log SET effect = 'x' WHERE realm = '{audited.realm}'")

    assert _break(audited, OTHER) is None
    assert _break(audited) == 1


def test_an_effect_of_a_transaction_that_fails_is_not_in_the_log(audited: Ledger) -> None:
    with pytest.raises(RuntimeError), audited.begin() as connection:  # noqa: PT012
        audit.append(connection, audited.realm, EFFECTS[:1])
        raise RuntimeError("crash")
    with audited.begin() as connection:
        audit.append(connection, audited.realm, EFFECTS[:1])

    assert _break(audited) is None


def test_two_writers_of_one_company_append_one_after_the_other(audited: Ledger) -> None:
    with audited.begin() as connection:
        audit.append(connection, audited.realm, EFFECTS[:1])
        with audited.begin() as second:
            second.execute(sa.text("SET LOCAL lock_timeout = '100ms'"))
            with pytest.raises(sa.exc.OperationalError, match="lock timeout"):
                audit.append(second, audited.realm, EFFECTS[1:])


def test_an_unknown_side_is_refused_by_the_database(ledger: Ledger) -> None:
    with pytest.raises(sa.exc.IntegrityError), ledger.begin() as connection:
        audit.append(connection, ledger.realm, [audit.Effect("stripe", "x", "y")])
