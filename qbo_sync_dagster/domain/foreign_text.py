"""Text from outside (names, numbers, memos), made to do nothing where it is shown or written.

What belongs here: what holds in every place: one line, nothing that steers a terminal or hides
in a sentence, no address that becomes a link, no cell that a spreadsheet runs. What does not:
Markdown, which panels write.
"""

from __future__ import annotations

import re

# Dagster makes a link of any address in running text, after it has undone escapes and character
# references, so only a character inside breaks it. Behind `www.` it breaks nothing: browsers leave
# it out of a host's name.
_ADDRESS = re.compile(r"(www(?=\.)|:(?=//)|@)", re.IGNORECASE)
# Chat services make a link of a bare domain, too.
_DOMAIN = re.compile(r"(?<=[^\W_])\.(?=[^\W\d_]{2,})")
_BREAK = "\N{ZERO WIDTH SPACE}"
# What a spreadsheet runs as a formula, in the wide forms of East Asian keyboards, too.
_FORMULA = re.compile(r"[=+\-@\t\r\n\uff1d\uff0b\uff0d\uff20]")
_QUOTED_FORMULA = re.compile(rf"'+{_FORMULA.pattern}")


def one_line(text: str) -> str:
    """The text on one line, without what could steer a terminal or turn a line's direction."""
    return " ".join("".join(c if c.isprintable() else " " for c in text).split())


def shorten(text: str, longest: int = 300) -> str:
    """`one_line`, at most `longest` characters."""
    line = one_line(text[: longest * 2])
    return line if len(line) <= longest else line[: longest - 1].rstrip() + "…"


def without_links(line: str) -> str:
    """The line with each address and mail address broken invisibly, so that none is a link."""
    return _ADDRESS.sub(rf"\1{_BREAK}", line)


def without_domains(line: str) -> str:
    """`without_links` with bare domains broken, too: for services that link those."""
    return _DOMAIN.sub(f".{_BREAK}", without_links(line))


def is_formula(text: str) -> bool:
    """Whether a spreadsheet would run a cell of this text."""
    return _FORMULA.match(text) is not None


def cell(text: str) -> str:
    """The text as a cell that a spreadsheet does not run; `typed` gives it back."""
    return f"'{text}" if is_formula(text) or _QUOTED_FORMULA.match(text) else text


def typed(written: str) -> str:
    """The text that `cell` was given, or that somebody typed with an apostrophe before it."""
    return written[1:] if _QUOTED_FORMULA.match(written) else written
