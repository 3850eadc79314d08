"""Numbers and instants as people read them, the same in every panel."""

from __future__ import annotations

from datetime import datetime, timedelta


def counted(number: int, one: str, many: str | None = None) -> str:
    """`1 payment`, `2 payments`, `1,500 payments`."""
    return f"{number:,} {one if number == 1 else many or one + 's'}"


def listed(parts: list[str]) -> str:
    """`a`, `a and b`, `a, b and c`."""
    return parts[0] if len(parts) == 1 else f"{', '.join(parts[:-1])} and {parts[-1]}"


def instant(when: datetime | None, absent: str = "never") -> str:
    """`2026-11-22 14:15 UTC`."""
    return when.strftime("%Y-%m-%d %H:%M UTC") if when else absent


def duration(span: timedelta) -> str:
    """`45 seconds`, `12 minutes`, `5 hours`, `3 days`: the largest unit that is at least two."""
    seconds = max(int(span.total_seconds()), 0)
    for length, unit in ((86_400, "day"), (3_600, "hour"), (60, "minute")):
        if seconds >= 2 * length:
            return counted(seconds // length, unit)
    return counted(seconds, "second")


def until(when: datetime | None, now: datetime) -> str:
    """`2027-02-01 09:30 UTC (in 71 days)`, or that it has passed."""
    if when is None:
        return "not known yet"
    if when <= now:
        return f"{instant(when)} (passed)"
    return f"{instant(when)} (in {duration(when - now)})"


def until_day(when: datetime | None, now: datetime) -> str:
    """`2027-02-01 (in 71 days)`, for narrow columns."""
    told = until(when, now)
    return told if when is None else f"{when:%Y-%m-%d} {told[told.index('(') :]}"
