"""A short name for a body, to see whether what failed would be sent the same way again."""

from __future__ import annotations

import hashlib


def digest(body: bytes) -> str:
    """The SHA-256 of a body, in hexadecimal."""
    return hashlib.sha256(body).hexdigest()
