"""Exact numbers, canonical bytes, instants."""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from qbo_sync_dagster.quickbooks.wire import (
    UnreadableAnswerError,
    decode_json,
    encode_body,
    format_instant,
    parse_instant,
)

scalars = (
    st.none()
    | st.booleans()
    | st.integers(-(10**15), 10**15)
    | st.decimals(-(10**13), 10**13, places=5)
    | st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\x00"))
)
bodies = st.dictionaries(
    st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\x00")),
    st.recursive(scalars, lambda inner: st.lists(inner) | st.dictionaries(st.just("x"), inner)),
)


@given(bodies)
def test_a_body_read_back_is_the_same_body_and_the_same_bytes(body: dict[str, Any]) -> None:
    raw = encode_body(body)
    read = decode_json(raw)
    assert read == body
    assert isinstance(read, dict)
    assert encode_body(read) == raw


def test_amounts_are_exact_and_unpadded() -> None:
    body = {"a": Decimal("12.50"), "b": Decimal("100.00"), "c": Decimal("1E+2"), "d": Decimal("-0")}
    assert encode_body(body) == b'{"a":12.5,"b":100,"c":100,"d":0}'


def test_key_order_does_not_change_the_bytes() -> None:
    assert encode_body({"b": 1, "a": {"d": 2, "c": 3}}) == b'{"a":{"c":3,"d":2},"b":1}'


@pytest.mark.parametrize("value", [0.1, Decimal("NaN"), Decimal("1e999"), b"x", object()])
def test_what_json_cannot_hold_exactly_is_refused(value: object) -> None:
    with pytest.raises(TypeError):
        encode_body({"Amount": value})


def test_amounts_are_read_as_decimals() -> None:
    assert decode_json(b'{"TotalAmt": 0.1}') == {"TotalAmt": Decimal("0.1")}


@pytest.mark.parametrize(
    "raw",
    [b"", b"<html>Bad Gateway</html>", b'{"Invoice":', b"[" * 100_000, b'{"a":1}}'],
)
def test_what_is_not_json_is_one_error(raw: bytes) -> None:
    with pytest.raises(UnreadableAnswerError):
        decode_json(raw)


@pytest.mark.parametrize("number", ["1e999999999", "9" * 5000, "1e99999999999999999999", "NaN"])
def test_an_absurd_number_stays_text_so_that_only_its_object_is_refused(number: str) -> None:
    assert decode_json(f'{{"a":{number},"b":1}}'.encode()) == {"a": number, "b": 1}


def test_characters_no_database_stores_are_replaced() -> None:
    assert decode_json(rb'{"Name":"a\u0000b\ud800c"}') == {"Name": "a�b�c"}
    assert decode_json(rb'{"Name":"\ud83d\ude00"}') == {"Name": "\U0001f600"}


def test_broken_utf8_damages_one_text_not_the_answer() -> None:
    assert decode_json(b'{"Name":"caf\xe9","Id":"1"}') == {"Name": "caf�", "Id": "1"}


def test_pacific_times_are_compared_as_instants() -> None:
    expected = datetime(2026, 5, 5, 10, 20, 11, 171000, tzinfo=UTC)
    assert parse_instant("2026-05-05T03:20:11.171-07:00") == expected
    assert parse_instant("2026-05-05T03:20:11.171-0700") == expected


@pytest.mark.parametrize(
    "value", ["2026-05-05T03:20:11", "2026-05-05", "yesterday", "", None, 5, "9" * 100_000]
)
def test_a_time_without_an_offset_or_sense_is_unknown(value: object) -> None:
    assert parse_instant(value) is None


def test_a_cursor_is_rounded_down_to_intuits_whole_seconds() -> None:
    instant = datetime(2026, 5, 5, 3, 20, 11, 999999, tzinfo=UTC)
    assert format_instant(instant) == "2026-05-05T03:20:11+00:00"
