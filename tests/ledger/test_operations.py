"""Operations: one open per record, due in order, attempts counted over all of them."""

from __future__ import annotations

from datetime import timedelta

import pytest
import sqlalchemy as sa

from qbo_sync_dagster.ledger import links, operations, postings
from qbo_sync_dagster.ledger.engine import ledger_now

from .conftest import OTHER, Ledger

EXPORT = "export_invoice"


def queue(ledger: Ledger, *records: str, kind: str = EXPORT, realm: str | None = None) -> int:
    new = [operations.NewOperation(kind, record, f"Invoice {record}") for record in records]
    with ledger.begin() as connection:
        return operations.queue(connection, realm or ledger.realm, new)


def open_ones(ledger: Ledger, realm: str | None = None) -> dict[str, operations.Operation]:
    with ledger.begin() as connection:
        found = operations.open_ones(connection, realm or ledger.realm)
    return {operation.record_id: operation for operation in found}


def change(ledger: Ledger, record: str, state: str, **options: object) -> None:
    operation = open_ones(ledger)[record]
    with ledger.begin() as connection:
        operations.change(connection, [operation.operation_id], state, **options)  # type: ignore[arg-type]


def post(ledger: Ledger, record: str, request_id: str) -> None:
    operation = open_ones(ledger)[record]
    new = postings.NewPosting(operation.operation_id, request_id, "Invoice", "create", b"{}", {})
    with ledger.begin() as connection:
        postings.record(connection, ledger.realm, [new])


def answer(ledger: Ledger, request_id: str, state: str) -> None:
    with ledger.begin() as connection:
        postings.answer(connection, ledger.realm, request_id, state)


def due(ledger: Ledger, **options: int) -> list[str]:
    with ledger.begin() as connection:
        found = operations.due(connection, ledger.realm, [EXPORT], **options)
    return [operation.record_id for operation in found]


def test_a_record_is_queued_once_while_its_operation_is_open(ledger: Ledger) -> None:
    assert queue(ledger, "a", "b") == 2
    assert queue(ledger, "a", "c") == 1


@pytest.mark.parametrize("state", ["posting", "held", "errored"])
def test_an_open_operation_keeps_its_state_when_it_is_queued_again(
    ledger: Ledger, state: str
) -> None:
    queue(ledger, "a")
    change(ledger, "a", state)

    assert queue(ledger, "a") == 0
    assert open_ones(ledger)["a"].state == state


def test_the_database_refuses_a_second_open_operation_of_a_record(ledger: Ledger) -> None:
    queue(ledger, "a")
    second = sa.text(
        "INSERT INTO operations (realm, kind, record_id, label) SELECT realm, kind, record_id,"
        " label FROM operations"
    )

    with pytest.raises(sa.exc.IntegrityError, match="uq_operations_open"), ledger.begin() as c:
        c.execute(second)


def test_another_kind_or_company_has_an_operation_of_its_own(ledger: Ledger) -> None:
    ledger.connect(OTHER)
    queue(ledger, "a")

    assert queue(ledger, "a", kind="create_customer") == 1
    assert queue(ledger, "a", realm=OTHER) == 1


def test_a_closed_operation_makes_room_for_another(ledger: Ledger) -> None:
    queue(ledger, "a")
    change(ledger, "a", "cancelled")

    assert queue(ledger, "a") == 1


def test_operations_are_due_in_the_order_they_were_queued(ledger: Ledger) -> None:
    queue(ledger, "b", "a", "c")

    assert due(ledger) == ["b", "a", "c"]
    assert due(ledger, limit=2) == ["b", "a"]
    assert due(ledger, after=open_ones(ledger)["a"].operation_id) == ["c"]


def test_an_operation_that_backs_off_is_not_due_before_its_time(ledger: Ledger) -> None:
    queue(ledger, "a")
    with ledger.begin() as connection:
        soon = ledger_now(connection) + timedelta(minutes=5)
    change(ledger, "a", "queued", next_attempt_at=soon)

    assert due(ledger) == []
    later = ledger.on_clock(timedelta(minutes=6))
    with later.begin() as connection:
        assert len(operations.due(connection, ledger.realm, [EXPORT])) == 1
    later.dispose()


@pytest.mark.parametrize("state", ["posting", "held", "errored", "done", "cancelled"])
def test_only_queued_operations_are_due(ledger: Ledger, state: str) -> None:
    queue(ledger, "a")
    change(ledger, "a", state)

    assert due(ledger) == []


def test_more_operations_than_one_statement_takes_are_all_queued(ledger: Ledger) -> None:
    assert queue(ledger, *(str(number) for number in range(2_300))) == 2_300


def test_a_definite_refusal_counts_as_attempt_and_fault(ledger: Ledger) -> None:
    queue(ledger, "a")
    change(ledger, "a", "queued", more_attempts=1, more_faults=1)

    operation = open_ones(ledger)["a"]
    assert (operation.attempt, operation.faults) == (2, 1)


def test_what_says_nothing_about_the_record_counts_no_fault(ledger: Ledger) -> None:
    queue(ledger, "a")
    change(ledger, "a", "queued", more_attempts=1)

    assert open_ones(ledger)["a"].faults == 0


def test_an_operation_queued_anew_after_a_refusal_goes_on_with_the_next_attempt(
    ledger: Ledger,
) -> None:
    queue(ledger, "a")
    post(ledger, "a", "r1")
    answer(ledger, "r1", "refused")
    change(ledger, "a", "errored", more_attempts=1)
    change(ledger, "a", "cancelled")

    queue(ledger, "a")

    assert open_ones(ledger)["a"].attempt == 2


@pytest.mark.parametrize("state", ["done", "orphan"])
def test_an_attempt_that_may_have_made_an_object_is_never_used_again(
    ledger: Ledger, state: str
) -> None:
    queue(ledger, "a")
    post(ledger, "a", "r1")
    answer(ledger, "r1", state)
    change(ledger, "a", "cancelled")

    queue(ledger, "a")

    assert open_ones(ledger)["a"].attempt == 2


def test_an_operation_withdrawn_before_any_send_has_used_no_attempt(ledger: Ledger) -> None:
    queue(ledger, "a")
    change(ledger, "a", "cancelled")

    queue(ledger, "a")

    assert open_ones(ledger)["a"].attempt == 1


def test_attempts_are_counted_per_kind_record_and_company(ledger: Ledger) -> None:
    ledger.connect(OTHER)
    queue(ledger, "a")
    change(ledger, "a", "cancelled", more_attempts=4)

    queue(ledger, "b")
    queue(ledger, "a", realm=OTHER)
    queue(ledger, "a", kind="create_customer")

    with ledger.begin() as connection:
        [customer] = operations.of_record(connection, ledger.realm, "create_customer", "a")
    assert open_ones(ledger)["b"].attempt == 1
    assert open_ones(ledger, OTHER)["a"].attempt == 1
    assert customer.attempt == 1


def test_open_operations_are_counted_by_state(ledger: Ledger) -> None:
    queue(ledger, "a", "b", "c", "d")
    change(ledger, "b", "errored")
    change(ledger, "c", "held")
    change(ledger, "d", "done")
    with ledger.begin() as connection:
        counts = operations.counts(connection, ledger.realm)

    assert counts == {"queued": 1, "posting": 0, "held": 1, "errored": 1}


def claim(ledger: Ledger, *records: str) -> set[str]:
    ids = {open_ones(ledger)[record].operation_id: record for record in records}
    with ledger.begin() as connection:
        return {ids[each] for each in operations.claim(connection, list(ids))}


def test_queued_operations_are_given_to_whoever_sends_them(ledger: Ledger) -> None:
    queue(ledger, "a", "b")

    assert claim(ledger, "a", "b") == {"a", "b"}


@pytest.mark.parametrize("state", ["posting", "held", "errored"])
def test_an_operation_that_left_the_queue_meanwhile_is_not_sent(ledger: Ledger, state: str) -> None:
    queue(ledger, "a", "b")
    change(ledger, "a", state)

    assert claim(ledger, "a", "b") == {"b"}


@pytest.mark.parametrize(
    ("kind", "link", "free"),
    [
        (EXPORT, "invoice", set()),
        (EXPORT, "client", {"a"}),
        ("create_customer", "client", set()),
        ("create_customer", "invoice", {"a"}),
    ],
)
def test_a_record_that_was_linked_meanwhile_is_not_sent(
    ledger: Ledger, kind: str, link: str, free: set[str]
) -> None:
    queue(ledger, "a", kind=kind)
    with ledger.begin() as connection:
        links.add(connection, ledger.realm, [links.NewLink(link, "a", "145", "imported")])

    assert claim(ledger, "a") == free


def test_a_document_whose_loss_was_accepted_is_never_made_again(ledger: Ledger) -> None:
    queue(ledger, "a")
    with ledger.begin() as connection:
        links.add(connection, ledger.realm, [links.NewLink("invoice", "a", "145", "exported")])
        [link] = links.by_algapsa_id(connection, ledger.realm, "invoice").values()
        links.update(connection, link.link_id, state="accepted")

    assert claim(ledger, "a") == set()


@pytest.mark.parametrize("state", ["cancelled", "done"])
def test_what_is_closed_stays_closed(ledger: Ledger, state: str) -> None:
    queue(ledger, "a")
    operation = open_ones(ledger)["a"].operation_id
    change(ledger, "a", state)
    with ledger.begin() as connection:
        operations.change(connection, [operation], "queued")

    assert open_ones(ledger) == {}


def test_a_link_of_another_company_does_not_keep_a_record_from_being_sent(
    ledger: Ledger,
) -> None:
    ledger.connect(OTHER)
    queue(ledger, "a")
    with ledger.begin() as connection:
        links.add(connection, OTHER, [links.NewLink("invoice", "a", "145", "imported")])

    assert claim(ledger, "a") == {"a"}


def test_who_links_and_who_sends_wait_for_each_other(ledger: Ledger) -> None:
    queue(ledger, "a")
    operation = open_ones(ledger)["a"].operation_id
    with ledger.begin() as staff, ledger.begin() as cycle:
        assert operations.being_posted(staff, ledger.realm, EXPORT, ["a"]) == set()
        cycle.execute(sa.text("SET LOCAL lock_timeout = '100ms'"))
        with pytest.raises(sa.exc.OperationalError, match="lock timeout"):
            operations.claim(cycle, [operation])


def test_a_record_that_is_being_sent_is_told_to_who_would_link_it(ledger: Ledger) -> None:
    queue(ledger, "a", "b")
    post(ledger, "a", "r1")
    with ledger.begin() as connection:
        assert operations.being_posted(connection, ledger.realm, EXPORT, ["a", "b"]) == {"a"}


def test_refusals_of_before_count_no_more_once_the_cause_was_fixed(ledger: Ledger) -> None:
    queue(ledger, "a")
    change(ledger, "a", "errored", reason="No.", more_attempts=5, more_faults=5)
    operation = open_ones(ledger)["a"]
    with ledger.begin() as connection:
        operations.revive(connection, [operation.operation_id])

    revived = open_ones(ledger)["a"]
    assert (revived.state, revived.faults, revived.attempt) == ("queued", 0, 6)
    assert revived.reason is None
