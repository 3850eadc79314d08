"""A small curve as an SVG data address, to stand in Markdown.

Kept under 700 characters for 24 points: metadata is stored with every event, and Markdown with
its pictures shows at once only below 1,000 characters.
"""

from __future__ import annotations

from collections.abc import Sequence
from urllib.parse import quote

_WIDTH, _HEIGHT = 240, 36


def sparkline(values: Sequence[int], colour: str) -> str:
    """A Markdown picture of whole numbers over time, oldest first; empty below two points."""
    if len(values) < 2:
        return ""
    svg = (
        f"<svg xmlns='http://www.w3.org/2000/svg' width='{_WIDTH}' height='{_HEIGHT}'>"
        f"<polyline fill='none' stroke='{colour}' stroke-width='2' points='{_points(values)}'/>"
        "</svg>"
    )
    return f"![](data:image/svg+xml,{quote(svg, safe=_LEGIBLE)})"


# Left as they are, these keep the address short; none of them ends a Markdown address.
_LEGIBLE = "=:/,'"


def _points(values: Sequence[int]) -> str:
    highest = max(*values, 1)
    step = _WIDTH / (len(values) - 1)
    return " ".join(
        f"{index * step:.0f},{_HEIGHT - 2 - value * (_HEIGHT - 4) / highest:.0f}"
        for index, value in enumerate(values)
    )
