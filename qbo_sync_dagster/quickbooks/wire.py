"""JSON and instants as Intuit writes them: exact numbers, canonical bytes, UTC.

What belongs here: bytes to values and back. What does not: the meaning of any field.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from decimal import Decimal, InvalidOperation
from json.encoder import encode_basestring_ascii

# Numbers beyond this are damaged. They stay text, so that no later code expands 1e999999999,
# and the object that holds one is refused alone instead of the whole answer.
_MOST_DIGITS = 40
_UNSTORABLE = re.compile("[\x00\ud800-\udfff]")


class UnreadableAnswerError(ValueError):
    """The bytes are not JSON."""


def decode_json(raw: bytes) -> object:
    """Values with `Decimal` for fractions, `int` for whole numbers, and storable texts only.

    Raises UnreadableAnswerError for anything that is not JSON (HTML, a cut answer, a nesting bomb).
    """
    try:
        value: object = json.loads(
            raw.decode("utf-8-sig", "replace"),
            parse_float=_fraction,
            parse_int=_whole,
            parse_constant=str,
        )
        if b"\\u0000" in raw or b"\\ud" in raw.lower():
            value = _storable(value)
    except (ValueError, RecursionError) as error:
        raise UnreadableAnswerError("The answer is not JSON.") from error
    return value


def _whole(digits: str) -> int | str:
    return int(digits) if len(digits) <= _MOST_DIGITS else digits


def _fraction(digits: str) -> Decimal | str:
    try:
        number = Decimal(digits)
    except InvalidOperation:
        return digits
    sane = len(digits) <= _MOST_DIGITS and abs(number.adjusted()) <= _MOST_DIGITS
    return number if sane else digits


def _storable(value: object) -> object:
    """PostgreSQL holds neither NUL nor half a surrogate pair: one such name would stop a poll."""
    if isinstance(value, str):
        return _UNSTORABLE.sub("\ufffd", value)
    if isinstance(value, list):
        return [_storable(item) for item in value]
    if isinstance(value, dict):
        return {_storable(key): _storable(item) for key, item in value.items()}
    return value


def encode_body(body: Mapping[str, object]) -> bytes:
    """Canonical JSON: sorted keys, no spaces, Decimal as an exact unpadded number.

    The same body always gives the same bytes, so a stored posting can be sent again unchanged.
    Raises TypeError for a float or any other value JSON cannot hold exactly.
    """
    return _encode(body).encode("ascii")


def _encode(value: object) -> str:
    # Texts come first: they are most of a body, and bodies are encoded by the ten thousand.
    if isinstance(value, str):
        return encode_basestring_ascii(value)
    if isinstance(value, Decimal):
        return _unpadded(value)
    if value is None or isinstance(value, bool | int):
        return json.dumps(value)
    if isinstance(value, Mapping):
        items = [f"{encode_basestring_ascii(key)}:{_encode(value[key])}" for key in sorted(value)]
        return "{" + ",".join(items) + "}"
    if isinstance(value, Sequence) and not isinstance(value, bytes):
        return "[" + ",".join(map(_encode, value)) + "]"
    raise TypeError(f"{type(value).__name__} has no exact JSON form.")


def _unpadded(number: Decimal) -> str:
    if not number.is_finite() or abs(number.adjusted()) > _MOST_DIGITS:
        raise TypeError("An amount that is not a number books can hold has no JSON form.")
    text = f"{number:f}"
    text = text.rstrip("0").rstrip(".") if "." in text else text
    return "0" if text == "-0" else text


def parse_instant(value: object) -> datetime | None:
    """The UTC instant of an ISO text with offset; None when it has none or cannot be read.

    A time without an offset is refused: taken as UTC it would lie hours off Intuit's Pacific time.
    """
    if not isinstance(value, str) or len(value) > _MOST_DIGITS:
        return None
    try:
        instant = datetime.fromisoformat(value)
        return instant.astimezone(UTC) if instant.tzinfo is not None else None
    except (ValueError, OverflowError):
        return None


def format_instant(instant: datetime) -> str:
    """Whole seconds with offset, rounded down: Intuit's own times have whole seconds."""
    return instant.astimezone(UTC).replace(microsecond=0).isoformat()
