"""Markdown as Dagster's page understands it: what stands in it, and what became a link."""

from __future__ import annotations

import re

from markdown_it import MarkdownIt
from markdown_it.token import Token

# What the page makes a link of in plain text, once escapes and references are undone. Of a host's
# name browsers leave out a zero-width space, so it may stand anywhere but there.
LINKED = re.compile(
    r"(https?://|www(?=\.))([-.\w\u200b]+)([^ \t\r\n]*)|([-.\w+]+)@([-\w]+(?:\.[-\w]+)+)", re.I
)
_MARKDOWN = MarkdownIt().enable(["table", "strikethrough"])
# Whatever would be a link is seen as one, also where a careful reader would leave it out.
_MARKDOWN.validateLink = lambda _: True  # type: ignore[method-assign]


def inside(markdown: str) -> list[Token]:
    """All that stands inside the blocks of a page."""
    return [each for block in _MARKDOWN.parse(markdown) for each in block.children or ()]


def blocks(markdown: str) -> list[str]:
    """The blocks of a page, each as its parts."""
    return [each.type for each in _MARKDOWN.parse(markdown)]


def text_of(tokens: list[Token]) -> str:
    """The words of a page as they are read."""
    return "".join(each.content for each in tokens)
