"""Markdown that is safe to show: names and memos come from people outside the company.

What belongs here: escaping, links, tables. What does not: any wording.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

from qbo_sync_dagster.domain.foreign_text import shorten, without_links

_SPECIAL = re.compile(r"([\\`*_{}\[\]()#+!|~$^=-]|(?<=\d)\.(?= |$))")
_LOOKALIKES = str.maketrans("[]<>`*~\\", "()‹›'∗∼/")
# At its start a line may become a heading or a list, and an underscore emphasises outside a word.
_LEADING = re.compile(r"^(?=[#+=-]|\d+[.)](?: |$))")
_UNDERSCORE = re.compile(r"(?<![^\W_])_|_(?![^\W_])")


def escape(text: str, *, longest: int = 300) -> str:
    """The text as plain words on one line: no Markdown, no HTML, no links, cut when too long."""
    line = shorten(text, longest)
    line = line.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    return _SPECIAL.sub(r"\\\1", without_links(line))


def harmless(text: str, *, longest: int = 1000) -> str:
    """The text for places that show it as Markdown here and as plain text there.

    It reads the same in both, so it is not escaped: what would have an effect is replaced.
    """
    line = shorten(text, longest).translate(_LOOKALIKES)
    line = _LEADING.sub("\N{ZERO WIDTH SPACE}", _UNDERSCORE.sub("ˍ", line))
    return without_links(line)


def link(label: str, url: str | None) -> str:
    """A link of our own making, or only its label where there is nothing to open."""
    return f"[{escape(label)}]({url})" if url else escape(label)


def bullets(lines: Iterable[str]) -> str:
    """A list; the lines are Markdown already."""
    return "\n".join(f"- {line}" for line in lines)


def table(columns: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A table; the cells are Markdown already."""
    lines = [list(columns), ["---"] * len(columns), *[list(row) for row in rows]]
    return "\n".join("| " + " | ".join(cells) + " |" for cells in lines)
