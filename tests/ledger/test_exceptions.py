"""Exceptions: one open per record and kind, dismissed ones stay dismissed for what they judged."""

from __future__ import annotations

from typing import Any

import pytest
import sqlalchemy as sa

from qbo_sync_dagster.domain.catalogue import ExceptionKind
from qbo_sync_dagster.domain.exception_record import ExceptionRecord, RecordReference
from qbo_sync_dagster.ledger import connections, exceptions
from qbo_sync_dagster.ledger.exceptions import StoredException

from .conftest import OTHER, Ledger

FAILING, TAKEN = ExceptionKind.EXPORT_FAILING, ExceptionKind.ALREADY_IN_QUICKBOOKS


def record(
    name: str = "invoice:1", kind: ExceptionKind = FAILING, **fields: Any
) -> ExceptionRecord:
    described: dict[str, Any] = {"what_happened": "QuickBooks refused it.", "version": "v1"}
    return ExceptionRecord(kind, name, **(described | fields))


def raise_(ledger: Ledger, *records: ExceptionRecord, realm: str | None = None) -> int:
    with ledger.begin() as connection:
        return exceptions.raise_all(connection, realm or ledger.realm, records)


def open_ones(ledger: Ledger, realm: str | None = None) -> list[StoredException]:
    with ledger.begin() as connection:
        return exceptions.listed(connection, realm or ledger.realm)


def dismiss(ledger: Ledger) -> None:
    with ledger.begin() as connection:
        connection.execute(
            sa.text(
                "UPDATE exceptions SET state = 'dismissed', closed_at = ledger_now()"
                " WHERE state = 'open'"
            )
        )


def test_an_exception_is_stored_with_what_people_need(ledger: Ledger) -> None:
    reference = RecordReference("algapsa", "invoice", "1", "Invoice INV-1")
    raise_(ledger, record(references=(reference,), amounts={"total": 1050}))

    [stored] = open_ones(ledger)
    assert stored.title == "Scheduled accounting export keeps failing"
    assert stored.how_to_resolve.startswith("Open the linked invoice")
    assert stored.records == [
        {"side": "algapsa", "kind": "invoice", "id": "1", "label": "Invoice INV-1"}
    ]
    assert (stored.amounts, stored.count) == ({"total": 1050}, 1)
    assert stored.actions == ["retry", "link client", "link invoice", "dismiss"]


def test_a_repeat_counts_up_and_refreshes_instead_of_opening_a_second(ledger: Ledger) -> None:
    assert raise_(ledger, record()) == 1
    assert raise_(ledger, record(what_happened="Refused again.", version="v2")) == 0

    [stored] = open_ones(ledger)
    assert (stored.count, stored.what_happened, stored.version) == (2, "Refused again.", "v2")


def test_a_repeat_moves_last_seen_and_keeps_first_seen(ledger: Ledger) -> None:
    raise_(ledger, record())
    raise_(ledger, record())

    [stored] = open_ones(ledger)
    assert stored.first_seen < stored.last_seen


def test_another_kind_or_record_is_another_exception(ledger: Ledger) -> None:
    assert raise_(ledger, record(), record(kind=TAKEN), record("invoice:2")) == 3


def test_the_database_refuses_a_second_open_one(ledger: Ledger) -> None:
    raise_(ledger, record())
    copy = sa.text(
        "INSERT INTO exceptions (realm, kind, record, title, what_happened, how_to_resolve,"
        " assignee) SELECT realm, kind, record, title, what_happened, how_to_resolve, assignee"
        " FROM exceptions"
    )

    with pytest.raises(sa.exc.IntegrityError, match="uq_exceptions_open"), ledger.begin() as c:
        c.execute(copy)


def test_the_assignee_is_the_companys_accounting_administrator(ledger: Ledger) -> None:
    with ledger.begin() as connection:
        connections.update(connection, ledger.realm, assignee="Billing desk")
    raise_(ledger, record())

    assert open_ones(ledger)[0].assignee == "Billing desk"


def test_a_cause_that_goes_away_resolves_its_exception_only(ledger: Ledger) -> None:
    raise_(ledger, record(), record(kind=TAKEN), record("invoice:2"))
    with ledger.begin() as connection:
        assert (
            exceptions.resolve(connection, ledger.realm, [FAILING], ["invoice:1"], "It went out.")
            == 1
        )

    assert [(each.kind, each.record) for each in open_ones(ledger)] == [
        (FAILING, "invoice:2"),
        (TAKEN, "invoice:1"),
    ]


def test_a_resolved_exception_says_who_closed_it_and_why(ledger: Ledger) -> None:
    raise_(ledger, record())
    with ledger.begin() as connection:
        exceptions.resolve(connection, ledger.realm, [FAILING], ["invoice:1"], "It went out.")
        [closed] = exceptions.listed(connection, ledger.realm, include_closed=True)

    assert (closed.state, closed.closed_by, closed.close_reason) == (
        "resolved",
        "sync",
        "It went out.",
    )
    assert closed.closed_at is not None


def test_a_cause_that_comes_back_after_resolving_opens_a_new_exception(ledger: Ledger) -> None:
    raise_(ledger, record())
    [first] = open_ones(ledger)
    with ledger.begin() as connection:
        exceptions.resolve(connection, ledger.realm, [FAILING], ["invoice:1"], "It went out.")

    assert raise_(ledger, record()) == 1
    assert open_ones(ledger)[0].number > first.number


def test_resolving_nothing_closes_nothing(ledger: Ledger) -> None:
    raise_(ledger, record())
    with ledger.begin() as connection:
        assert exceptions.resolve(connection, ledger.realm, [FAILING], [], "Nothing.") == 0

    assert len(open_ones(ledger)) == 1


def test_those_that_still_stand_stay_open_when_the_others_are_resolved(ledger: Ledger) -> None:
    raise_(ledger, record(), record("invoice:2"), record(kind=TAKEN))
    with ledger.begin() as connection:
        exceptions.resolve_others(connection, ledger.realm, [FAILING], ["invoice:2"], "Gone.")

    assert {each.record for each in open_ones(ledger) if each.kind == FAILING} == {"invoice:2"}
    assert {each.record for each in open_ones(ledger) if each.kind == TAKEN} == {"invoice:1"}


def test_when_none_still_stands_all_of_the_kind_are_resolved(ledger: Ledger) -> None:
    raise_(ledger, record(), record("invoice:2"))
    with ledger.begin() as connection:
        assert exceptions.resolve_others(connection, ledger.realm, [FAILING], [], "Gone.") == 2


def test_what_was_raised_again_stays_open_under_its_own_kind_alone(ledger: Ledger) -> None:
    raise_(ledger, record(), record("invoice:2"), record(kind=TAKEN))
    with ledger.begin() as connection:
        again = [record("invoice:2"), record(kind=TAKEN)]
        kinds = [FAILING, TAKEN]
        gone = exceptions.resolve_unless_raised(connection, ledger.realm, kinds, again, "Gone.")

    assert gone == 1
    assert {(each.kind, each.record) for each in open_ones(ledger)} == {
        (FAILING, "invoice:2"),
        (TAKEN, "invoice:1"),
    }


def test_only_the_records_that_were_looked_at_are_resolved(ledger: Ledger) -> None:
    raise_(ledger, record(), record("invoice:2"))
    for records in ([], ["invoice:1"]):
        with ledger.begin() as connection:
            exceptions.resolve_unless_raised(
                connection, ledger.realm, [FAILING], [], "Gone.", records=records
            )

    assert {each.record for each in open_ones(ledger)} == {"invoice:2"}


def test_a_dismissed_version_is_not_raised_again(ledger: Ledger) -> None:
    raise_(ledger, record())
    dismiss(ledger)

    assert raise_(ledger, record()) == 0
    assert open_ones(ledger) == []


def test_another_version_of_a_dismissed_record_is_raised(ledger: Ledger) -> None:
    raise_(ledger, record())
    dismiss(ledger)

    assert raise_(ledger, record(version="v2")) == 1


def test_another_kind_on_a_dismissed_record_is_raised(ledger: Ledger) -> None:
    raise_(ledger, record())
    dismiss(ledger)

    assert raise_(ledger, record(kind=TAKEN)) == 1


def test_a_record_back_at_the_version_that_was_dismissed_is_not_told_any_more(
    ledger: Ledger,
) -> None:
    raise_(ledger, record())
    dismiss(ledger)
    raise_(ledger, record(version="v2"))

    raise_(ledger, record())

    assert open_ones(ledger) == []


def test_dismissals_are_listed_for_whoever_plans(ledger: Ledger) -> None:
    raise_(ledger, record(), record(kind=TAKEN))
    dismiss(ledger)
    with ledger.begin() as connection:
        assert exceptions.dismissed_versions(connection, ledger.realm, [FAILING]) == {
            (FAILING, "invoice:1", "v1")
        }


def test_companies_raise_and_resolve_for_themselves(ledger: Ledger) -> None:
    ledger.connect(OTHER)
    raise_(ledger, record())
    raise_(ledger, record(), realm=OTHER)
    with ledger.begin() as connection:
        exceptions.resolve(connection, ledger.realm, [FAILING], ["invoice:1"], "Gone.")
        assert exceptions.count_open(connection, ledger.realm) == 0
        assert exceptions.count_open(connection, OTHER) == 1


def test_a_dismissal_in_one_company_silences_no_other(ledger: Ledger) -> None:
    ledger.connect(OTHER)
    raise_(ledger, record())
    dismiss(ledger)

    assert raise_(ledger, record(), realm=OTHER) == 1


def test_a_text_of_any_length_can_be_told(ledger: Ledger) -> None:
    raise_(ledger, record(what_happened="x" * 100_000))

    assert len(open_ones(ledger)[0].what_happened) == 4000


def close(ledger: Ledger, number: int, state: str = "resolved") -> bool:
    with ledger.begin() as connection:
        return exceptions.close(connection, number, state, "Avery", "It was paid.")


def test_open_ones_come_first_and_of_both_the_newest(ledger: Ledger) -> None:
    raise_(ledger, record("invoice:1"), record("invoice:2"))
    raise_(ledger, record("invoice:3"), record("invoice:4"))
    for name in ("invoice:2", "invoice:4"):
        [number] = [each.number for each in open_ones(ledger) if each.record == name]
        close(ledger, number)

    with ledger.begin() as connection:
        listed = exceptions.listed(connection, ledger.realm, include_closed=True)
    assert [each.record for each in listed] == [f"invoice:{n}" for n in (3, 1, 4, 2)]


def test_what_is_closed_keeps_who_closed_it_first(ledger: Ledger) -> None:
    raise_(ledger, record())
    [told] = open_ones(ledger)
    with ledger.begin() as connection:
        exceptions.resolve(connection, ledger.realm, [FAILING], ["invoice:1"], "It went out.")

    assert not close(ledger, told.number, "dismissed")
    with ledger.begin() as connection:
        kept = exceptions.get(connection, told.number)
    assert kept is not None
    assert (kept.state, kept.closed_by, kept.close_reason) == ("resolved", "sync", "It went out.")


def test_what_was_closed_last_is_shown_first_and_for_its_own_company(ledger: Ledger) -> None:
    ledger.connect(OTHER)
    raise_(ledger, record("invoice:9"), realm=OTHER)
    raise_(ledger, record("invoice:1"), record("invoice:2"), record("invoice:3"))
    numbers = {each.record: each.number for each in open_ones(ledger)}
    for told in open_ones(ledger, OTHER):
        close(ledger, told.number)
    for name in ("invoice:2", "invoice:3", "invoice:1"):
        close(ledger, numbers[name])

    with ledger.begin() as connection:
        shown = exceptions.recently_closed(connection, ledger.realm, 5)
        newest = exceptions.recently_closed(connection, ledger.realm, 1)
    assert [each.record for each in shown] == ["invoice:1", "invoice:3", "invoice:2"]
    assert newest == shown[:1]


def test_the_open_ones_of_a_kind_leave_out_closed_and_other_kinds(ledger: Ledger) -> None:
    raise_(ledger, record("invoice:1"), record("invoice:2"), record(kind=TAKEN))
    [number] = [each.number for each in open_ones(ledger) if each.record == "invoice:2"]
    close(ledger, number)

    with ledger.begin() as connection:
        found = exceptions.open_ones(connection, ledger.realm, FAILING)
    assert [(each.kind, each.record) for each in found] == [(FAILING, "invoice:1")]
