"""What a panel is made of: named values in reading order, without Dagster's or rich's types.

What belongs here: the shapes. What does not: which values a stage shows, or how they are drawn.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

INLINE_CHARACTERS = 1000


@dataclass(frozen=True, slots=True)
class Markdown:
    """Markdown text. Shown at once up to `INLINE_CHARACTERS`, behind a click above."""

    text: str


@dataclass(frozen=True, slots=True)
class Table:
    """A table of plain cells: the Dagster UI shows neither links nor Markdown in them."""

    columns: tuple[str, ...]
    rows: tuple[tuple[str | int, ...], ...]


Value = str | int | float | datetime | Markdown | Table
Panel = dict[str, Value]
