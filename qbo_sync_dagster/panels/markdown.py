"""Markdown that is safe to show: names and memos come from people outside the company.

What belongs here: escaping, links, tables. What does not: any wording.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

_SPECIAL = re.compile(r"([\\`*_{}\[\]()#+!|~$^-])")
# GitHub's Markdown makes a link of any address in running text; a memo must not become one.
_ADDRESS = re.compile(r"(://|\bwww\.)", re.IGNORECASE)
_LOOKALIKES = str.maketrans("[]<>`", "()‹›'")
_ZERO_WIDTH_SPACE = "\N{ZERO WIDTH SPACE}"


def escape(text: str, *, longest: int = 300) -> str:
    """The text as plain words on one line: no Markdown, no HTML, no links, cut when too long."""
    line = shorten(text, longest)
    line = line.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    line = _ADDRESS.sub(rf"\1{_ZERO_WIDTH_SPACE}", line)
    return _SPECIAL.sub(r"\\\1", line)


def harmless(text: str, *, longest: int = 1000) -> str:
    """The text for places that show it as Markdown here and as plain text there.

    It reads the same in both, so it is not escaped: what could become a link or HTML is replaced.
    """
    return _ADDRESS.sub(rf"\1{_ZERO_WIDTH_SPACE}", shorten(text, longest).translate(_LOOKALIKES))


def shorten(text: str, longest: int = 300) -> str:
    """The text on one line without control characters, at most `longest` characters."""
    line = " ".join("".join(c if c.isprintable() else " " for c in text[: longest * 2]).split())
    return line if len(line) <= longest else line[: longest - 1].rstrip() + "…"


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
