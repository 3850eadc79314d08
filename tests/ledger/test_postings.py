"""Postings: committed before they are sent, answered once, in doubt until then."""

from __future__ import annotations

from datetime import timedelta

import pytest
import sqlalchemy as sa

from qbo_sync_dagster.ledger import operations, postings

from .conftest import OTHER, Ledger

EXPORT = "export_invoice"


@pytest.fixture
def queued(ledger: Ledger) -> list[int]:
    """Three queued exports."""
    new = [operations.NewOperation(EXPORT, f"inv-{n}", f"Invoice {n}") for n in range(3)]
    with ledger.begin() as connection:
        operations.queue(connection, ledger.realm, new)
        return [each.operation_id for each in operations.open_ones(connection, ledger.realm)]


def posting(operation_id: int, request_id: str, **fields: object) -> postings.NewPosting:
    described: dict[str, object] = {
        "entity": "Invoice",
        "verb": "create",
        "body": b'{"Amount":10.50}',
        "identity": {"number": "INV-1"},
    }
    return postings.NewPosting(operation_id, request_id, **(described | fields))  # type: ignore[arg-type]


def record(ledger: Ledger, *new: postings.NewPosting) -> None:
    with ledger.begin() as connection:
        postings.record(connection, ledger.realm, new)


def unanswered(ledger: Ledger, realm: str | None = None) -> list[postings.Posting]:
    with ledger.begin() as connection:
        return postings.unanswered(connection, realm or ledger.realm)


def answer(ledger: Ledger, request_id: str, state: str = "done", realm: str | None = None) -> bool:
    with ledger.begin() as connection:
        return postings.answer(connection, realm or ledger.realm, request_id, state)


def test_a_posting_is_in_doubt_from_the_moment_it_is_recorded(
    ledger: Ledger, queued: list[int]
) -> None:
    record(ledger, posting(queued[0], "r1"))

    [found] = unanswered(ledger)
    assert (found.request_id, found.record_id, found.kind) == ("r1", "inv-0", EXPORT)
    assert (found.body, found.identity) == (b'{"Amount":10.50}', {"number": "INV-1"})
    assert found.first_sent_at == found.sent_at


def test_recording_a_posting_marks_its_operation_as_being_posted(
    ledger: Ledger, queued: list[int]
) -> None:
    record(ledger, posting(queued[0], "r1"))
    with ledger.begin() as connection:
        states = [each.state for each in operations.open_ones(connection, ledger.realm)]

    assert states == ["posting", "queued", "queued"]


def test_an_operation_has_at_most_one_posting_without_an_answer(
    ledger: Ledger, queued: list[int]
) -> None:
    record(ledger, posting(queued[0], "r1"))

    with pytest.raises(sa.exc.IntegrityError, match="uq_postings_unanswered"):
        record(ledger, posting(queued[0], "r2"))


def test_a_request_id_is_recorded_once(ledger: Ledger, queued: list[int]) -> None:
    record(ledger, posting(queued[0], "r1"))

    with pytest.raises(sa.exc.IntegrityError, match="uq_postings_realm_request_id"):
        record(ledger, posting(queued[1], "r1"))


def test_postings_of_a_batch_are_recorded_all_or_none(ledger: Ledger, queued: list[int]) -> None:
    record(ledger, posting(queued[0], "r1"))

    with pytest.raises(sa.exc.IntegrityError):
        record(ledger, posting(queued[1], "r2"), posting(queued[2], "r1"))
    assert [each.request_id for each in unanswered(ledger)] == ["r1"]


@pytest.mark.parametrize("state", ["done", "refused", "absent", "orphan"])
def test_an_answer_ends_the_doubt(ledger: Ledger, queued: list[int], state: str) -> None:
    record(ledger, posting(queued[0], "r1"))

    assert answer(ledger, "r1", state)
    assert unanswered(ledger) == []


def test_a_second_answer_changes_nothing(ledger: Ledger, queued: list[int]) -> None:
    record(ledger, posting(queued[0], "r1"))
    answer(ledger, "r1", "done")

    assert not answer(ledger, "r1", "absent")
    with ledger.begin() as connection:
        assert connection.execute(sa.text("SELECT state FROM postings")).scalar_one() == "done"


def test_the_same_request_id_in_another_company_is_not_answered(
    ledger: Ledger, queued: list[int]
) -> None:
    ledger.connect(OTHER)
    record(ledger, posting(queued[0], "r1"))

    assert not answer(ledger, "r1", realm=OTHER)
    assert len(unanswered(ledger)) == 1
    assert unanswered(ledger, OTHER) == []


def test_sending_again_moves_the_send_and_keeps_the_first(
    ledger: Ledger, queued: list[int]
) -> None:
    record(ledger, posting(queued[0], "r1"))
    [before] = unanswered(ledger)
    later = ledger.on_clock(timedelta(minutes=15))
    with later.begin() as connection:
        postings.resend(connection, [before.posting_id])
    later.dispose()

    [after] = unanswered(ledger)
    assert after.first_sent_at == before.first_sent_at
    assert after.sent_at - before.sent_at > timedelta(minutes=14)


def test_an_answered_posting_is_not_marked_as_sent_again(ledger: Ledger, queued: list[int]) -> None:
    record(ledger, posting(queued[0], "r1"))
    [sent] = unanswered(ledger)
    answer(ledger, "r1")
    with ledger.begin() as connection:
        postings.resend(connection, [sent.posting_id])
        moved = connection.execute(sa.text("SELECT sent_at > first_sent_at FROM postings"))
        assert moved.scalar_one() is False


def test_a_batch_remembers_how_many_items_it_was_sent_with(
    ledger: Ledger, queued: list[int]
) -> None:
    record(
        ledger,
        posting(queued[0], "r1", batch_id="b", item_id="i0"),
        posting(queued[1], "r2", batch_id="b", item_id="i1", position=1),
    )
    answer(ledger, "r1")
    with ledger.begin() as connection:
        assert postings.batch_sizes(connection, ledger.realm, {"b"}) == {"b": 2}


def test_a_long_explanation_is_cut_and_not_refused(ledger: Ledger, queued: list[int]) -> None:
    record(ledger, posting(queued[0], "r1"))
    with ledger.begin() as connection:
        postings.answer(connection, ledger.realm, "r1", "refused", detail="x" * 100_000)
        detail = connection.execute(sa.text("SELECT detail FROM postings")).scalar_one()

    assert len(detail) == 2000
