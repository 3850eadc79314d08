"""The audit log: what was changed afterwards shows, row by row."""

from __future__ import annotations

from decimal import Decimal

import pytest
import sqlalchemy as sa

from qbo_sync_dagster.ledger import audit
from qbo_sync_dagster.ledger.tables import audit_log

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


def _break(ledger: Ledger, realm: str | None = None) -> tuple[int, str] | None:
    with ledger.begin() as connection:
        broken = audit.first_break(connection, realm or ledger.realm)
    return (broken.sequence, broken.kind.value) if broken else None


def _seen(ledger: Ledger) -> audit.Head:
    with ledger.begin() as connection:
        return audit.verify(connection, ledger.realm).last


def _written_anew(ledger: Ledger) -> None:
    """Somebody who knows how digests are made changes row 1 and makes all others fit."""
    _tamper(ledger, "DELETE FROM audit_log")
    _tamper(ledger, "DELETE FROM audit_heads")
    other = audit.Effect("quickbooks", "create invoice", "invoice:9")
    with ledger.begin() as connection:
        audit.append(connection, ledger.realm, [other, *EFFECTS[1:]])


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

    assert _break(audited) == (2, "changed")


def test_a_row_taken_out_is_missing(audited: Ledger) -> None:
    _tamper(audited, "DELETE FROM audit_log WHERE sequence = 2")

    assert _break(audited) == (2, "missing")


def test_the_first_row_taken_out_is_missing(audited: Ledger) -> None:
    _tamper(audited, "DELETE FROM audit_log WHERE sequence = 1")

    assert _break(audited) == (1, "missing")


def test_two_rows_that_changed_places_are_told_by_where_the_first_is_now(audited: Ledger) -> None:
    for old, new in ((2, 99), (3, 2), (99, 3)):
        _tamper(audited, f"UPDATE audit_log SET sequence = {new} WHERE sequence = {old}")

    with audited.begin() as connection:
        broken = audit.first_break(connection, audited.realm)

    assert broken == audit.Break(2, audit.Tampering.MOVED, found_at=3)
    assert broken.sentence == "Row 2 stands as row 3 now: rows were reordered."


def test_a_row_whose_digest_was_made_anew_is_named_by_the_row_behind_it(audited: Ledger) -> None:
    _tamper(audited, "UPDATE audit_log SET effect = 'void invoice' WHERE sequence = 2")
    with audited.begin() as connection:
        query = sa.select(audit_log).where(audit_log.c.sequence == 2)
        row = dict(connection.execute(query).mappings().one())
        fitting = audit.chained({name: row[name] for name in row if name != "digest"})
    _tamper(audited, f"UPDATE audit_log SET digest = '{fitting}' WHERE sequence = 2")

    assert _break(audited) == (2, "rewritten")


def test_a_row_put_before_the_first_one_shows(audited: Ledger) -> None:
    _tamper(
        audited,
        "INSERT INTO audit_log (realm, sequence, side, effect, record, previous_digest, digest) "
        "SELECT realm, 0, side, effect, record, previous_digest, digest FROM audit_log "
        "WHERE sequence = 1",
    )

    assert _break(audited) == (0, "added")


def test_a_row_put_behind_the_last_one_shows(audited: Ledger) -> None:
    head = _seen(audited)
    with audited.begin() as connection:
        audit.append(connection, audited.realm, EFFECTS[:1])
    _tamper(audited, f"UPDATE audit_heads SET sequence = 3, digest = '{head.digest}'")

    assert _break(audited) == (4, "added")


def test_a_cut_end_shows_by_the_head_row(audited: Ledger) -> None:
    _tamper(audited, "DELETE FROM audit_log WHERE sequence = 3")

    assert _break(audited) == (3, "cut")


def test_a_cut_end_with_a_corrected_count_shows_by_the_heads_digest(audited: Ledger) -> None:
    _tamper(audited, "DELETE FROM audit_log WHERE sequence = 3")
    _tamper(audited, "UPDATE audit_heads SET sequence = 2")

    assert _break(audited) == (2, "rewritten")


def test_a_log_that_was_emptied_shows_by_its_head(audited: Ledger) -> None:
    _tamper(audited, "DELETE FROM audit_log")

    assert _break(audited) == (1, "cut")


def test_rows_without_a_head_show(audited: Ledger) -> None:
    _tamper(audited, "DELETE FROM audit_heads")

    assert _break(audited) == (4, "cut")


def test_a_chain_written_anew_as_a_whole_shows_only_to_who_has_seen_its_head(
    audited: Ledger,
) -> None:
    seen = _seen(audited)
    _written_anew(audited)

    with audited.begin() as connection:
        unaware = audit.verify(connection, audited.realm)
        aware = audit.verify(connection, audited.realm, seen)

    assert unaware.broken is None
    assert aware.broken == audit.Break(3, audit.Tampering.REWRITTEN)


def test_a_chain_cut_with_its_head_shows_to_who_has_seen_more(audited: Ledger) -> None:
    seen = _seen(audited)
    _tamper(audited, "DELETE FROM audit_log")
    _tamper(audited, "DELETE FROM audit_heads")
    with audited.begin() as connection:
        audit.append(connection, audited.realm, EFFECTS[:1])
        verified = audit.verify(connection, audited.realm, seen)

    assert verified.broken == audit.Break(2, audit.Tampering.CUT)


def test_rows_that_came_since_leave_a_head_seen_before_good(audited: Ledger) -> None:
    seen = _seen(audited)
    with audited.begin() as connection:
        audit.append(connection, audited.realm, EFFECTS[:1])
        verified = audit.verify(connection, audited.realm, seen)

    assert verified.broken is None
    assert verified.last.sequence == 4


def test_each_company_has_a_chain_of_its_own(audited: Ledger) -> None:
    audited.connect(OTHER)
    with audited.begin() as connection:
        audit.append(connection, OTHER, EFFECTS[:1])
    _tamper(audited, f"UPDATE audit_log SET effect = 'x' WHERE realm = '{audited.realm}'")

    assert _break(audited, OTHER) is None
    assert _break(audited) == (1, "changed")


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


def test_a_log_of_many_pages_is_followed_to_its_end(
    audited: Ledger, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(audit, "_PAGE", 3)
    for number in range(1, 8):
        assert _break(audited) is None, number
        with audited.begin() as connection:
            audit.append(connection, audited.realm, EFFECTS[:1])

    _tamper(audited, "UPDATE audit_log SET record = 'x' WHERE sequence = 7")
    assert _break(audited) == (7, "changed")
