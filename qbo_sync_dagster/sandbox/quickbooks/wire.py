"""JSON as Intuit writes it: amounts are unpadded numbers, read as Decimal and never as float.

Belongs here: text to values and back, times as text. Does not: what the values mean.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from json.encoder import encode_basestring_ascii
from typing import Any
from zoneinfo import ZoneInfo

Json = dict[str, Any]

PACIFIC = ZoneInfo("America/Los_Angeles")


def decode(raw: bytes | str) -> object:
    """Values of a JSON text. Raises ValueError for anything that is not JSON."""
    try:
        return json.loads(raw, parse_float=Decimal, parse_constant=_no_constant)
    except RecursionError as error:
        message = "nested too deeply"
        raise ValueError(message) from error


def encode(value: object) -> str:
    """JSON text, ASCII only. Decimals become numbers without trailing zeros."""
    parts: list[str] = []
    _write(value, parts.append)
    return "".join(parts)


def number_text(value: Decimal) -> str:
    """`12.5` for 12.50, `100` for 1E+2: how Intuit writes an amount."""
    text = format(value, "f")
    if "." in text:
        text = text.rstrip("0").rstrip(".")
    return "0" if text in {"-0", ""} else text


def second_text(instant: datetime) -> str:
    """`2026-05-05T03:14:53-07:00`: MetaData times are whole seconds in Pacific time."""
    return instant.astimezone(PACIFIC).isoformat(timespec="seconds")


def millisecond_text(instant: datetime) -> str:
    """`2026-05-05T03:14:52.924-07:00`: the `time` of an answer."""
    return instant.astimezone(PACIFIC).isoformat(timespec="milliseconds")


def whole_second(instant: datetime) -> datetime:
    """The instant rounded, not cut, to seconds: a stamp may lie after the answer's `time`."""
    return (instant + timedelta(milliseconds=500)).replace(microsecond=0)


def parse_instant(text: str) -> datetime:
    """An instant from a date or date-time; without an offset it is Pacific time.

    Raises ValueError if the text is neither.
    """
    # An unescaped plus sign arrives as a space.
    parsed = datetime.fromisoformat(text.strip().replace(" ", "+") if "T" in text else text)
    aware = parsed if parsed.tzinfo else parsed.replace(tzinfo=PACIFIC)
    return aware.astimezone(UTC)


def _no_constant(name: str) -> object:
    message = f"{name} is not JSON"
    raise ValueError(message)


def _write(value: object, emit: Callable[[str], None]) -> None:
    if isinstance(value, str):
        emit(encode_basestring_ascii(value))
    elif isinstance(value, Mapping):
        _write_mapping(value, emit)
    elif isinstance(value, Decimal):
        emit(number_text(value))
    elif isinstance(value, Sequence):
        _write_sequence(value, emit)
    else:
        emit(_plain(value))


def _write_mapping(value: Mapping[Any, Any], emit: Callable[[str], None]) -> None:
    separator = "{"
    for name, item in value.items():
        emit(f"{separator}{encode_basestring_ascii(name)}:")
        _write(item, emit)
        separator = ","
    emit("{}" if separator == "{" else "}")


def _write_sequence(value: Sequence[Any], emit: Callable[[str], None]) -> None:
    separator = "["
    for item in value:
        emit(separator)
        _write(item, emit)
        separator = ","
    emit("[]" if separator == "[" else "]")


def _plain(value: object) -> str:
    if value is None:
        return "null"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int):
        return str(value)
    message = f"{type(value).__name__} has no place in an answer"
    raise TypeError(message)
