"""A create whose answer never came: adopted, awaited, sent once more, or left to a person."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from qbo_sync_dagster.domain.doubt import (
    Ahead,
    ChangeVerdict,
    Evidence,
    Verdict,
    ahead_by,
    judge,
    judge_change,
    may_be_made_by,
)

SENT = datetime(2026, 3, 2, 9, tzinfo=UTC)
IN_STEP = Ahead(timedelta(0), timedelta(0))


def after(**since: float) -> datetime:
    return SENT + timedelta(**since)


def verdict(**fields: Any) -> Verdict:
    described: dict[str, Any] = {
        "first_sent_at": SENT,
        "sent_at": SENT,
        "polled_at": after(minutes=15),
        "own": (),
        "suspects": 0,
        "in_batch": False,
        "batch_found": 0,
    }
    return judge(Evidence(**(described | fields)))


def test_an_object_that_is_ours_is_adopted() -> None:
    assert verdict(own=("145",)) is Verdict.ADOPT


def test_an_object_that_is_ours_is_adopted_however_soon_or_late_it_is_seen() -> None:
    assert verdict(own=("145",), polled_at=after(seconds=1)) is Verdict.ADOPT
    assert verdict(own=("145",), polled_at=after(days=20)) is Verdict.ADOPT


def test_two_objects_that_could_both_be_ours_are_left_to_a_person() -> None:
    assert verdict(own=("145", "146")) is Verdict.ORPHAN


def test_a_send_that_may_still_be_at_work_is_awaited() -> None:
    assert verdict(polled_at=after(seconds=129)) is Verdict.WAIT
    assert verdict(polled_at=after(seconds=130)) is Verdict.SEND_AGAIN


def test_a_second_send_is_awaited_from_its_own_time() -> None:
    again = {"sent_at": after(minutes=14), "polled_at": after(minutes=15)}

    assert verdict(**again) is Verdict.WAIT


def test_what_nothing_in_quickbooks_resembles_is_sent_once_more() -> None:
    assert verdict() is Verdict.SEND_AGAIN


@pytest.mark.parametrize("suspects", [1, 5])
def test_a_suspect_forbids_a_second_send(suspects: int) -> None:
    assert verdict(suspects=suspects) is Verdict.ORPHAN


def test_up_to_twelve_hours_after_the_first_send_it_is_sent_again() -> None:
    assert verdict(polled_at=after(hours=12)) is Verdict.SEND_AGAIN


def test_later_than_twelve_hours_after_the_first_send_a_person_decides() -> None:
    late = {"sent_at": after(hours=11), "polled_at": after(hours=12, seconds=1)}

    assert verdict(**late) is Verdict.ORPHAN


def test_a_batch_of_which_nothing_arrived_is_sent_again_as_it_was() -> None:
    assert verdict(in_batch=True) is Verdict.SEND_AGAIN


def test_the_missing_item_of_a_batch_that_arrived_in_part_becomes_a_new_attempt() -> None:
    assert verdict(in_batch=True, batch_found=1) is Verdict.NEW_ATTEMPT


def test_the_missing_item_of_a_batch_is_left_to_a_person_if_something_resembles_it() -> None:
    assert verdict(in_batch=True, batch_found=1, suspects=1) is Verdict.ORPHAN


def test_the_missing_item_of_a_batch_may_still_arrive() -> None:
    soon = {"in_batch": True, "batch_found": 1, "polled_at": after(seconds=60)}

    assert verdict(**soon) is Verdict.WAIT


@pytest.mark.parametrize(
    ("reached", "token_unchanged", "since", "expected"),
    [
        pytest.param(True, False, 0, ChangeVerdict.DONE, id="the wanted state means done"),
        pytest.param(
            False, True, 900, ChangeVerdict.NEW_ATTEMPT, id="untouched means never arrived"
        ),
        pytest.param(False, True, 129, ChangeVerdict.WAIT, id="it may still arrive"),
        pytest.param(
            False, False, 900, ChangeVerdict.DRIFT, id="anything else is somebody's change"
        ),
    ],
)
def test_a_change_in_doubt_is_judged_by_the_object(
    reached: bool, token_unchanged: bool, since: float, expected: ChangeVerdict
) -> None:
    judged = judge_change(
        reached=reached,
        token_unchanged=token_unchanged,
        sent_at=SENT,
        polled_at=after(seconds=since),
    )
    assert judged is expected


@pytest.mark.parametrize(
    ("created", "expected"),
    [
        pytest.param({"seconds": -61}, False, id="before it was sent"),
        pytest.param({"seconds": -59}, True, id="stamped by a clock that is a little behind"),
        pytest.param({"minutes": 9}, True, id="between both sends"),
        pytest.param({"minutes": 13}, True, id="when the second one may have arrived late"),
        pytest.param({"minutes": 14}, False, id="long after the last"),
    ],
)
def test_only_what_was_created_while_it_may_have_arrived_can_be_its_object(
    created: dict[str, float], expected: bool
) -> None:
    times = {"first_sent_at": SENT, "sent_at": after(minutes=10)}
    assert may_be_made_by(after(**created), ahead=IN_STEP, **times) is expected


@pytest.mark.parametrize(
    ("created", "expected"),
    [
        pytest.param({"minutes": -4, "seconds": -1}, False, id="before it was sent in any case"),
        pytest.param({"minutes": -4}, True, id="after, if their clock is three minutes behind"),
        pytest.param({"minutes": 10}, True, id="in time, if their clock is seven minutes ahead"),
        pytest.param({"minutes": 10, "seconds": 11}, False, id="too late in any case"),
    ],
)
def test_how_far_the_clocks_are_apart_is_known_only_to_the_length_of_a_call(
    created: dict[str, float], expected: bool
) -> None:
    ahead = ahead_by(after(minutes=7), asked_at=SENT, answered_at=after(minutes=10))

    judged = may_be_made_by(after(**created), ahead=ahead, first_sent_at=SENT, sent_at=SENT)

    assert judged is expected


def test_of_what_does_not_say_when_it_was_created_nothing_can_be_ruled_out() -> None:
    assert may_be_made_by(None, ahead=IN_STEP, first_sent_at=SENT, sent_at=SENT)
