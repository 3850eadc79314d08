"""The marker that our payments carry in QuickBooks, so that we recognise them without a ledger.

Computed from stable AlgaPSA ids only: a ledger restored from a backup computes the same.
"""

from __future__ import annotations

import hashlib
import re

MARKER_START = "[sync:"
_MARKER = re.compile(r"\[sync:[0-9a-f]{16}\]")


def sync_marker(realm: str, kind: str, record_id: str) -> str:
    """The marker of one AlgaPSA record of a kind, such as `[sync:0123456789abcdef]`."""
    text = "\x1f".join(("marker", realm, kind, record_id))
    return f"{MARKER_START}{hashlib.sha256(text.encode()).hexdigest()[:16]}]"


def markers_in(note: str) -> tuple[str, ...]:
    """The markers that a private note carries; staff may have written around them."""
    return tuple(dict.fromkeys(_MARKER.findall(note)))


def without_markers(text: str) -> str:
    """The text with what reads as a marker broken, such as a reference copied from QuickBooks."""
    return text.replace(MARKER_START, MARKER_START.replace("[", "("))
