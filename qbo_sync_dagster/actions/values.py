"""Reading what people type: dates, time zones, ids, switches. A refusal says what would do."""

from __future__ import annotations

from datetime import date
from uuid import UUID
from zoneinfo import ZoneInfo

from qbo_sync_dagster.actions.errors import ActionRefusedError

_LONGEST_ID = 64
_YES = frozenset({"on", "yes", "true", "1"})
_NO = frozenset({"off", "no", "false", "0"})


def read_date(text: str, name: str) -> date:
    """A calendar date. Raises ActionRefusedError."""
    try:
        return date.fromisoformat(text.strip())
    except ValueError as error:
        raise ActionRefusedError(
            f"{name} {text!r} is not a date. Write it as year-month-day: 2026-01-31."
        ) from error


def read_time_zone(text: str) -> str:
    """The name of a time zone of the IANA database. Raises ActionRefusedError."""
    name = text.strip()
    try:
        ZoneInfo(name)
    except (ValueError, OSError) as error:
        raise ActionRefusedError(
            f"{text!r} is not a time zone. Use a name such as America/New_York or Europe/London."
        ) from error
    except KeyError as error:
        raise ActionRefusedError(
            f"The time zone {text!r} is not known. Use a name such as America/New_York or "
            "Europe/London."
        ) from error
    return name


def read_switch(text: str, name: str) -> bool:
    """On or off. Raises ActionRefusedError."""
    word = text.strip().lower()
    if word not in _YES | _NO:
        raise ActionRefusedError(f"{name} is on or off, not {text!r}.")
    return word in _YES


def read_algapsa_id(text: str, name: str) -> str:
    """An AlgaPSA id in its canonical form. Raises ActionRefusedError."""
    try:
        return str(UUID(text.strip()))
    except ValueError as error:
        raise ActionRefusedError(
            f"{name} {text!r} is not an AlgaPSA id. It looks like "
            "3f2b8c1e-0d4a-4c57-9a68-1b2c3d4e5f60."
        ) from error


def read_quickbooks_id(text: str, name: str) -> str:
    """A QuickBooks id: opaque, but one short printable word. Raises ActionRefusedError."""
    value = text.strip()
    if not value or len(value) > _LONGEST_ID or not value.isprintable() or " " in value:
        raise ActionRefusedError(f"{name} {text[:80]!r} is not a QuickBooks id.")
    return value


def read_label(text: str, name: str, longest: int) -> str:
    """A name that people read. Raises ActionRefusedError for an empty or endless one."""
    value = " ".join(text.split())
    if not value or not value.isprintable():
        raise ActionRefusedError(f"{name} is empty or holds characters that can't be shown.")
    if len(value) > longest:
        raise ActionRefusedError(f"{name} has {len(value)} characters; {longest} is the most.")
    return value
